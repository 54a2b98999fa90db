"""The drop-in for Bluetooth: an order, and nothing that would open the unit."""

import configparser
from pathlib import Path

SYSTEMD = Path(__file__).parent.parent / "systemd"


def settings(name: str) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((SYSTEMD / name).read_text())
    return {section: dict(parser[section]) for section in parser.sections()}


def test_bluetooth_is_reached_over_d_bus_alone():
    dropped_in = settings("bluetooth.conf")
    assert dropped_in == {
        "Unit": {"Wants": "bluetooth.service", "After": "dbus.service bluetooth.service"},
    }
    families = settings("gridseal.service")["Service"]["RestrictAddressFamilies"].split()
    assert "AF_UNIX" in families and "AF_BLUETOOTH" not in families
