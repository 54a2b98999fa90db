"""What site.yaml may say of where devices are and where else one is looked for, with the real plugins."""

from pathlib import Path

import pytest

from gateway import config, whereabouts, yamlfile
from gateway.driver import find_plugins
from gateway.errors import ConfigError, Problem
from gateway.site import Site
from gateway.sitefile import SiteFile

SITE = """\
site:
  id: s
  limits: {charge: 5 kW, discharge: 4 kW, grid import: 17 kW, grid export: 5 kW}
devices:
"""


def load(folder: Path, *devices: str) -> Site:
    (folder / "site.yaml").write_text(SITE + "".join(f"  {device}\n" for device in devices))
    return config.load(folder / "site.yaml", find_plugins())


def inverter(more: str, link: str = "tcp://192.168.1.40") -> str:
    return f'inverter: {{profile: sunspec, link: "{link}", {more}}}'


def wrong(folder: Path, *devices: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, *devices)
    return str(caught.value)


def test_a_range_is_the_addresses_in_it(tmp_path: Path) -> None:
    site = load(tmp_path, inverter('serial: "7", find: "192.168.1.10-12"'))
    assert site.devices[0].find == ("192.168.1.10", "192.168.1.11", "192.168.1.12")
    assert load(tmp_path, inverter('serial: "7"')).devices[0].find == ()


@pytest.mark.parametrize(
    ("more", "link", "said"),
    [
        ('find: "192.168.1.10-60"', "tcp://192.168.1.40", "say its serial number too"),
        ('serial: " ", find: "192.168.1.10-60"', "tcp://192.168.1.40", "say its serial number too"),
        ('serial: "7", find: "192.168.0.0/16"', "tcp://192.168.1.40", "more than 256 addresses"),
        ('serial: "7", find: "8.8.8.8"', "tcp://192.168.1.40", "not an address of a network of one's own"),
        ('serial: "7", find: 5', "tcp://192.168.1.40", "find"),
        ('serial: "7", find: "192.168.1.10-60"', "rtu:///dev/ttyUSB0", "only a device at a Modbus host"),
    ],
)
def test_a_consent_that_cannot_be_used_is_told_where_it_stands(
    tmp_path: Path, more: str, link: str, said: str
) -> None:
    message = wrong(tmp_path, inverter(more, link))
    assert said in message and "site.yaml:5:" in message and message.count("\n") == 0


def test_a_device_that_is_no_modbus_host_is_not_looked_for(tmp_path: Path) -> None:
    bms = 'bms: {profile: pylontech_can, link: "can://can0", serial: "7", find: "192.168.1.10-60"}'
    assert "only a device at a Modbus host (tcp, rtutcp) can be looked for, not 'can://can0'" in wrong(
        tmp_path, bms
    )


def wired(first: str, second: str) -> list[str]:
    limits = dict.fromkeys(("charge", "discharge", "grid import", "grid export"), "5 kW")
    devices = {n: {"profile": "any", "link": url} for n, url in (("a", first), ("b", second))}
    data = {"site": {"id": "x", "limits": limits}, "devices": devices}
    problems: list[Problem] = []
    document = yamlfile.Document("site.yaml", data)
    whereabouts.wired(document, SiteFile.model_validate(data).devices, find_plugins(), problems)
    return [problem.message for problem in problems]


ONE_WIRE, ONE_PORT = "are one wire: write both the same", "are one port, on which one protocol is spoken"


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("tcp://meter:502", "tcp://METER", ONE_WIRE),
        ("tcp://meter", "tcp://meter?gap=5", ONE_WIRE),
        ("tcp://meter", "tcp://meter:70000", "the port must be 1 to 65535"),
        ("tcp://meter", "tcp://other", ""),
        ("rtu:///dev/a", "rtu:///dev/b", ""),
        ("rtu:///dev/a", "rtu:///dev/a?baud=19200", ONE_WIRE),
        ("slcan:///dev/a", "slcan:///dev/a?baud=9600", ONE_WIRE),
        ("can://can0", "can://can0:1", "write it like can://can0"),
        ("rtu:///dev/a", "serial:///dev/a", ONE_PORT),
        ("serial:///dev/a?baud=9600", "slcan:///dev/a", ONE_PORT),
        ("slcan:///dev/a", "rtu:///dev/../dev/a", ONE_PORT),
        ("serial:///dev/a", "slcan:///dev/b", ""),
    ],
)
def test_a_wire_is_known_however_it_is_written(first: str, second: str, said: str) -> None:
    assert [bool(said) and said in message for message in wired(first, second)] == [True] * bool(said)


@pytest.mark.parametrize(("scheme", "said"), [("rtu", ONE_WIRE), ("serial", ONE_PORT)])
def test_a_port_is_known_by_each_of_its_names(tmp_path: Path, scheme: str, said: str) -> None:
    (tmp_path / "ttyUSB0").touch()
    (tmp_path / "by-id").mkdir()
    for name in ("usb-FTDI-if00", "usb-other-if00"):
        (tmp_path / "by-id" / name).symlink_to("../ttyUSB0" if "FTDI" in name else "../ttyUSB1")
    found = wired(f"rtu://{tmp_path}/ttyUSB0", f"{scheme}://{tmp_path}/by-id/usb-FTDI-if00")
    assert len(found) == 1 and said in found[0]
    assert wired(f"rtu://{tmp_path}/ttyUSB0", f"{scheme}://{tmp_path}/by-id/usb-other-if00") == []


@pytest.mark.parametrize(
    ("profile", "link", "told"),
    [
        ("goodwe_et", "tcp://h", True),
        ("sunspec", "tcp://h", True),
        ("pylontech_serial", "serial:///dev/serial/by-id/x", True),
        ("foxess_h3", "tcp://h", False),
        ("waveshare_relay_8ch", "rtu:///dev/serial/by-id/x", False),
        ("gpio_relays", "gpio:///dev/gpiochip0", False),
    ],
)
def test_a_serial_number_that_no_device_of_the_profile_could_tell_is_refused(
    tmp_path: Path, profile: str, link: str, told: bool
) -> None:
    """It would never be online, and the reason would be told as another device's."""
    line = f'one: {{profile: {profile}, link: "{link}", serial: "7", unit: 2, control: false}}'
    if told:
        assert load(tmp_path, line).devices[0].serial == "7"
        return
    message = wrong(tmp_path, line)
    assert f"{profile} does not say where such a device tells its serial number (leave it out)" in message
