"""SolarEdge: floats low word first, remote control with its time-out, commands that mean what they say."""

import struct

import pytest
from rig.devices import make
from rig.solaredge_storedge import REMOTE, Command


@pytest.fixture
def bank():
    made = make("solaredge_storedge")
    made.plant.advance(0)
    return made


def little(value):
    high, low = struct.unpack(">HH", struct.pack(">f", value))
    return low, high


def number(bank, address, now_ms):
    low, high = struct.unpack(">HH", bank.read(1, "holding", address, 2, now_ms))
    return struct.unpack(">f", struct.pack(">HH", high, low))[0]


def remote(bank, command, watts, now_ms=0, timeout_s=60):
    bank.write(1, 0xE004, (REMOTE,), now_ms)
    bank.write(1, 0xE00B, (timeout_s, 0), now_ms)
    bank.write(1, 0xE00E, (*little(watts), *little(watts)), now_ms)
    bank.write(1, 0xE00D, (command,), now_ms)


def test_measurements_are_floats_low_word_first(bank):
    remote(bank, Command.CHARGE_ALL, 2_000.0)
    state = bank.plant.advance(5_000)
    assert state.battery_w == pytest.approx(-2_000, abs=2)
    assert number(bank, 0xE174, 5_000) == pytest.approx(2_000, abs=2)  # + = charging
    assert number(bank, 0xE184, 5_000) == pytest.approx(state.soc * 100, rel=1e-6)
    assert number(bank, 0xE170, 5_000) == pytest.approx(state.voltage_v, rel=1e-6)


def test_without_remote_control_commands_have_no_effect(bank):
    bank.write(1, 0xE00E, (*little(2_000.0), *little(2_000.0)), 0)
    bank.write(1, 0xE00D, (Command.EXPORT,), 0)
    assert bank.plant.advance(5_000).order.kind == "self"
    assert bank.read(1, "holding", 0xE00D, 1, 5_000) == b"\xff\xff"
    bank.write(1, 0xE004, (REMOTE,), 5_000)
    assert bank.read(1, "holding", 0xE00D, 1, 5_000) == bytes((0, Command.EXPORT))


def test_the_time_out_falls_back_to_the_default_mode(bank):
    bank.write(1, 0xE00A, (Command.OFF,), 0)
    remote(bank, Command.EXPORT, 3_000.0, timeout_s=30)
    assert bank.plant.advance(29_900).battery_w == pytest.approx(3_000, abs=2)
    assert bank.plant.advance(30_000).order.kind == "idle"
    assert bank.read(1, "holding", 0xE00D, 1, 30_000) == b"\0\0"
    remote(bank, Command.EXPORT, 1_000.0, 31_000)
    assert bank.plant.advance(35_000).battery_w == pytest.approx(1_000, abs=2)


@pytest.mark.parametrize(
    ("command", "kind", "least_w", "most_w"),
    [
        (Command.OFF, "idle", 0, 0),
        (Command.CHARGE_EXCESS_PV, "self", -1_000, 0),
        (Command.CHARGE_PV, "battery", -1_030, -970),
        (Command.CHARGE_ALL, "battery", -1_030, -970),
        (Command.EXPORT, "battery", 970, 1_000),
        (Command.MINIMISE_IMPORT, "self", 0, 1_000),
        (Command.SELF, "self", -1_000, 1_000),
    ],
)
def test_each_command(bank, command, kind, least_w, most_w):
    remote(bank, command, 1_000.0)
    state = bank.plant.advance(5_000)
    assert state.order.kind == kind
    assert least_w <= state.battery_ac_w <= most_w


def test_charging_from_ac_can_be_forbidden(bank):
    bank.write(1, 0xE005, (0,), 0)
    remote(bank, Command.CHARGE_ALL, 4_900.0)
    state = bank.plant.advance(5_000)
    assert state.battery_ac_w == -state.pv_w


def test_nonsense_limits_count_as_zero(bank):
    for wrong in (float("nan"), float("inf"), -5.0):
        remote(bank, Command.EXPORT, wrong)
        assert bank.plant.advance(bank.plant._next_ms + 3_000).battery_ac_w == 0
