"""What site.yaml may say of where else a device is looked for, with the real plugins and profiles."""

from pathlib import Path

import pytest

from gateway import config
from gateway.driver import find_plugins
from gateway.errors import ConfigError
from gateway.site import Site

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
