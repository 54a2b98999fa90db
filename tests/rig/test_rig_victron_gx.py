"""Victron GX: units, signs and scales, the grid setpoint that stays and mode 3 that does not."""

import pytest
from rig.devices import make
from rig.victron_gx import BATTERY, SYSTEM, VEBUS, WATCHDOG_S


@pytest.fixture
def bank():
    return make("victron_gx")


def number(bank, unit, address, now_ms, registers=1, signed=True):
    return int.from_bytes(bank.read(unit, "holding", address, registers, now_ms), signed=signed)


def test_signs_and_scales_agree_with_the_physics(bank):
    bank.write(SYSTEM, 2902, (3,), 0)
    bank.write(VEBUS, 37, (1_500,), 0)  # taken from the grid: charging
    state = bank.plant.advance(5_000)
    assert state.battery_ac_w == -1_500 and state.current_a < 0
    assert number(bank, SYSTEM, 842, 5_000) == round(-state.battery_w) > 0
    assert number(bank, SYSTEM, 841, 5_000) == round(-state.current_a * 10)
    assert number(bank, SYSTEM, 820, 5_000) == number(bank, SYSTEM, 908, 5_000, 2) == state.grid_w
    assert number(bank, SYSTEM, 817, 5_000) == state.load_w
    assert number(bank, SYSTEM, 843, 5_000) == 50
    assert number(bank, VEBUS, 12, 5_000) == 150
    assert number(bank, BATTERY, 258, 5_000) == round(-state.battery_w)
    assert bank.read(SYSTEM, "input", 842, 1, 5_000) == bank.read(SYSTEM, "holding", 842, 1, 5_000)


def test_mode_3_is_dropped_a_minute_after_the_last_write(bank):
    bank.write(SYSTEM, 2902, (3,), 0)
    assert bank.plant.advance(3_000).order.kind == "self"
    bank.write(VEBUS, 37, (-2_000 & 0xFFFF,), 3_000)
    end_ms = 3_000 + WATCHDOG_S * 1_000
    assert bank.plant.advance(end_ms - 100).battery_ac_w == 2_000
    assert bank.plant.advance(end_ms).order.kind == "self"
    bank.write(VEBUS, 96, (0, 700), end_ms)
    assert bank.plant.advance(end_ms + 3_000).battery_ac_w == -700
    assert number(bank, VEBUS, 37, end_ms + 3_000) == 700


def test_the_grid_setpoint_has_three_doors_and_stays(bank):
    for address, values in ((2700, (500,)), (2703, (5,)), (2716, (0, 500))):
        bank.write(SYSTEM, address, values, 0)
        assert [number(bank, SYSTEM, a, 0, n) for a, n in ((2700, 1), (2703, 1), (2716, 2))] == [500, 5, 500]
    order = bank.plant.advance(3_600_000).order
    assert (order.kind, order.power_w) == ("grid", 500)


def test_limits_of_mode_2_bind(bank):
    bank.write(SYSTEM, 2700, (-3_000 & 0xFFFF,), 0)  # wants to export
    bank.write(SYSTEM, 2704, (50,), 0)
    assert 0 <= bank.plant.advance(10_000).battery_ac_w <= 500
    bank.write(SYSTEM, 2901, (600,), 10_000)  # 60 %: more than there is
    assert bank.plant.advance(15_000).battery_ac_w <= 0
    bank.write(SYSTEM, 2700, (2_000,), 15_000)
    bank.write(SYSTEM, 2705, (10,), 15_000)
    assert -550 <= bank.plant.advance(20_000).battery_ac_w < -450


def test_charging_and_feeding_in_can_be_forbidden_in_mode_3(bank):
    bank.write(SYSTEM, 2902, (3,), 0)
    bank.write(VEBUS, 38, (1,), 0)
    bank.write(VEBUS, 37, (1_000,), 0)
    assert bank.plant.advance(5_000).battery_ac_w == 0
    bank.write(VEBUS, 38, (0, 1), 5_000)
    bank.write(VEBUS, 37, (-1_000 & 0xFFFF,), 5_000)
    assert bank.plant.advance(10_000).battery_ac_w == 0


def test_three_phases_share_and_each_must_be_told_in_time():
    bank = make("victron_gx_3p")
    bank.write(SYSTEM, 2902, (3,), 0)
    for address in (37, 40):
        bank.write(VEBUS, address, (500,), 0)
    assert bank.plant.advance(3_000).order.kind == "self"  # the third was never told
    bank.write(VEBUS, 41, (500,), 3_000)
    state = bank.plant.advance(6_000)
    assert state.battery_ac_w == -1_500
    assert sum(number(bank, SYSTEM, address, 6_000) for address in (820, 821, 822)) == state.grid_w
    assert sum(number(bank, SYSTEM, address, 6_000) for address in (817, 818, 819)) == state.load_w
    assert sum(number(bank, VEBUS, address, 6_000) for address in (12, 13, 14)) == 150
    assert bank.plant.advance(WATCHDOG_S * 1_000).order.kind == "self"  # the first two are too old
