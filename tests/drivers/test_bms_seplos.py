"""Seplos 2.0 replies beyond the recorded ones: every event, both switches, what does not fit."""

import pytest

from drivers.bms.seplos import SEPLOS_V2, SIGNALS, TELEMETRY, VENDOR
from drivers.flags import ALARMS
from gateway.errors import FrameError


def signals(events=bytes(6), switches=3, rest=13):
    return (
        b"\x00\x01\x10" + bytes(16) + b"\x06" + bytes(6) + b"\x00\x00\x14" + events + bytes([switches])
        + bytes(rest)
    )  # fmt: skip


def raised(event, bit):
    events = bytearray(6)
    events[event - 1] = 1 << bit
    found = SEPLOS_V2.decode(SIGNALS, signals(bytes(events)))["battery_alarms_flags"]
    return {name for name, place in ALARMS.items() if found >> place & 1}


@pytest.mark.parametrize(
    ("event", "bit", "name"),
    [
        (1, 0, "other_alarm"),
        (1, 7, "other_warning"),
        (2, 0, "over_volt_warning"),
        (2, 1, "over_volt_alarm"),
        (2, 3, "under_volt_alarm"),
        (2, 6, "under_volt_warning"),
        (2, 7, "under_volt_alarm"),
        (3, 1, "over_temp_alarm"),
        (3, 3, "under_temp_alarm"),
        (3, 4, "over_temp_warning"),
        (3, 7, "under_temp_alarm"),
        (4, 3, "under_temp_alarm"),
        (4, 4, "over_temp_alarm"),
        (4, 5, "over_temp_warning"),
        (5, 1, "over_charge_current_alarm"),
        (5, 2, "over_discharge_current_warning"),
        (5, 3, "over_discharge_current_alarm"),
        (5, 5, "other_alarm"),
        (6, 0, "over_volt_alarm"),
        (6, 2, "under_soc_min_warning"),
        (6, 3, "under_soc_min_alarm"),
        (6, 4, "other_alarm"),
    ],
)
def test_events(event, bit, name):
    assert raised(event, bit) == {name}


@pytest.mark.parametrize(("event", "bit"), [(4, 6), (4, 7), (6, 1), (6, 7)])
def test_what_is_no_alarm(event, bit):
    assert raised(event, bit) == set()


@pytest.mark.parametrize(("switches", "requests"), [(0, 0), (1, 2), (2, 1), (3, 3), (0xFC, 0)])
def test_switches(switches, requests):
    """Discharging is bit 0 on the wire and bit 1 of battery_requests_flags."""
    assert SEPLOS_V2.decode(SIGNALS, signals(switches=switches))["battery_requests_flags"] == requests


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (TELEMETRY, b""),
        (TELEMETRY, b"\x00\x01\x00\x00" + bytes(27)),
        (TELEMETRY, b"\x00\x01\x10" + bytes(71)),
        (SIGNALS, signals(rest=12)),
        (SIGNALS, signals(rest=14)),
        (SIGNALS, b"\x00\x01\x00\x00" + bytes(23)),
        (VENDOR, bytes(31)),
        (VENDOR, bytes(33)),
    ],
)
def test_what_does_not_fit(kind, data):
    with pytest.raises(FrameError):
        SEPLOS_V2.decode(kind, data)
