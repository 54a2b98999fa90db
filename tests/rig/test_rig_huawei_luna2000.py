"""Huawei: the trigger comes last, what it triggered is a copy, and it ends by itself."""

import pytest
from rig.devices import make

CHARGE_W, DISCHARGE_W, MINUTES, TRIGGER, ENDS_BY, TARGET = 47247, 47249, 47083, 47100, 47246, 47101


@pytest.fixture
def bank():
    made = make("huawei_luna2000")
    made.plant.advance(0)
    return made


def number(bank, address, now_ms, registers=1):
    return int.from_bytes(bank.read(1, "holding", address, registers, now_ms), signed=True)


def test_nothing_happens_before_the_trigger(bank):
    bank.write(1, MINUTES, (2,), 0)
    bank.write(1, CHARGE_W, (0, 3_000), 0)
    assert bank.plant.advance(3_000).order.kind == "self"
    bank.write(1, TRIGGER, (1,), 3_000)
    state = bank.plant.advance(8_000)
    assert round(state.battery_w) == pytest.approx(-3_000, abs=2)
    assert number(bank, 37765, 8_000, 2) == round(-state.battery_w)
    assert number(bank, 32080, 8_000, 2) == state.battery_ac_w + state.pv_w
    assert number(bank, 37113, 8_000, 2) == -state.grid_w


def test_a_new_power_waits_for_the_next_trigger(bank):
    bank.write(1, MINUTES, (2,), 0)
    bank.write(1, DISCHARGE_W, (0, 1_000), 0)
    bank.write(1, TRIGGER, (2,), 0)
    bank.write(1, DISCHARGE_W, (0, 2_000), 5_000)
    assert bank.plant.advance(8_000).battery_w == pytest.approx(1_000, abs=2)
    bank.write(1, TRIGGER, (2,), 8_000)
    assert bank.plant.advance(12_000).battery_w == pytest.approx(2_000, abs=2)


def test_it_ends_after_its_minutes(bank):
    bank.write(1, MINUTES, (1,), 0)
    bank.write(1, DISCHARGE_W, (0, 1_000), 0)
    bank.write(1, TRIGGER, (2,), 0)
    assert bank.plant.advance(59_900).order.kind == "battery"
    assert bank.plant.advance(60_000).order.kind == "self"
    assert number(bank, TRIGGER, 60_000) == 0


def test_it_can_end_at_a_state_of_charge():
    bank = make("huawei_luna2000", soc=0.5, speed=60)
    bank.plant.advance(0)
    bank.write(1, ENDS_BY, (1,), 0)
    bank.write(1, TARGET, (520,), 0)
    bank.write(1, CHARGE_W, (0, 5_000), 0)
    bank.write(1, TRIGGER, (1,), 0)
    assert bank.plant.advance(2_000).order.kind == "battery"
    state = bank.plant.advance(60_000)
    assert state.order.kind == "self" and state.soc > 0.52


def test_stop_stops_and_zero_minutes_never_begin(bank):
    bank.write(1, DISCHARGE_W, (0, 1_000), 0)
    bank.write(1, TRIGGER, (2,), 0)
    assert bank.plant.advance(1_000).order.kind == "self"
    bank.write(1, MINUTES, (5,), 1_000)
    bank.write(1, TRIGGER, (2,), 1_000)
    assert bank.plant.advance(4_000).order.kind == "battery"
    bank.write(1, TRIGGER, (0,), 4_000)
    assert bank.plant.advance(5_000).order.kind == "self"


def test_the_device_s_own_limit_narrows(bank):
    bank.write(1, 47077, (0, 500), 0)
    bank.write(1, MINUTES, (5,), 0)
    bank.write(1, DISCHARGE_W, (0, 3_000), 0)
    bank.write(1, TRIGGER, (2,), 0)
    assert bank.plant.advance(5_000).battery_ac_w == 500
