"""The part `http` of site.yaml: nothing is open by mistake, and what is wrong is said at its line."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from gateway import config
from gateway.errors import ConfigError
from gateway.httpfile import HttpModel, settings

FOLDER = Path("/etc/gridseal")
SITE = """\
site:
  id: meadow
  limits: {charge: 5 kW, discharge: 5 kW, grid import: 17 kW, grid export: 5 kW, ramp: 2 kW/s}
devices:
  meter: {profile: sunspec_meter, link: "tcp://192.168.1.40:502"}
"""


def test_left_empty_it_is_open_to_the_machine_alone() -> None:
    made = settings(HttpModel(), FOLDER)
    assert (made.bind, made.port, made.pull) == ("127.0.0.1", 8470, False)
    assert made.token == Path("/var/lib/gridseal/http-token")
    assert made.certificate is None and made.key is None and made.relayer is None


def test_paths_are_relative_to_the_file() -> None:
    given = yaml.safe_load(
        "{bind: 0.0.0.0, token: t, tls: {certificate: a.crt, key: a.key}, hosts: [b.lan], relayer: r}"
    )
    made = settings(HttpModel.model_validate(given), FOLDER)
    assert (made.token, made.certificate, made.key) == (FOLDER / "t", FOLDER / "a.crt", FOLDER / "a.key")
    assert (made.hosts, made.relayer) == (("b.lan",), FOLDER / "r")


@pytest.mark.parametrize("bind", ["0.0.0.0", "192.168.1.7", "::", "fd00::7"])
def test_other_machines_are_reached_over_tls_or_knowingly(bind: str) -> None:
    with pytest.raises(ValidationError, match="is reached from other machines: add tls"):
        HttpModel.model_validate({"bind": bind})
    assert settings(HttpModel.model_validate({"bind": bind, "tls": "none"}), FOLDER).certificate is None


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.8.8.8", "::1"])
def test_the_machine_itself_needs_no_tls(bind: str) -> None:
    assert HttpModel.model_validate({"bind": bind}).bind == bind


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{bind: localhost}", "'localhost' is not an IP address of this machine"),
        ("{bind: 0.0.0.0}", "is reached from other machines"),
        ("{tls: true}", 'is neither {certificate: …, key: …} nor "none"'),
        ("{tls: off}", "is neither"),
        ("{tls: {certificate: a}}", "'key' is missing"),
        ("{port: 70000}", "port"),
        ("{host: [a]}", "unknown key 'host' (did you mean 'hosts'?)"),
        ('{hosts: ["a b"]}', "characters that may not be here"),
        ("{pull: maybe}", "pull: must be"),
        ("7", "http"),
    ],
)
def test_what_is_wrong_is_said_at_its_line(tmp_path: Path, given: str, said: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(f"{SITE}http: {given}\n")
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert said in str(caught.value) and "site.yaml:6:" in str(caught.value)


def test_signed_orders_may_come_by_http_alone(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    remote = 'remote: {signers: ["0x00000000000000000000000000000000000000a3"]}\n'
    path.write_text(SITE + remote)
    with pytest.raises(ConfigError, match="signed orders come by MQTT or HTTP"):
        config.load(path)
    path.write_text(SITE + remote + "http: {}\n")
    assert config.load(path).http is not None
