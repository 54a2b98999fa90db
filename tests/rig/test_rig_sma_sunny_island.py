"""Sunny Island: one block, whole values only, a watchdog of its own."""

import pytest
from rig.bank import Refusal
from rig.devices import make
from rig.sma_sunny_island import ACTIVE, INACTIVE, UNIT, WATCHDOG_S


@pytest.fixture
def bank():
    made = make("sma_sunny_island")
    made.plant.advance(0)
    return made


def order(bank, power_w, active, now_ms):
    bank.write(UNIT, 40149, (power_w >> 16 & 0xFFFF, power_w & 0xFFFF, 0, active), now_ms)


def number(bank, address, now_ms, registers=2):
    return int.from_bytes(bank.read(UNIT, "input", address, registers, now_ms), signed=True)


def test_positive_discharges_and_is_shown_so(bank):
    order(bank, 2_500, ACTIVE, 0)
    assert bank.plant.advance(5_000).battery_ac_w == number(bank, 30775, 5_000) == 2_500
    order(bank, -2_500, ACTIVE, 5_000)
    assert bank.plant.advance(10_000).battery_ac_w == number(bank, 30775, 10_000) == -2_500
    assert number(bank, 30845, 10_000) == round(bank.plant.state.soc * 100)
    assert number(bank, 30779, 10_000) == -(2**31)  # no second phase


def test_the_setpoint_is_write_only_and_shown_elsewhere(bank):
    order(bank, -2_500, ACTIVE, 0)
    assert bank.read(UNIT, "holding", 40149, 4, 0).hex() == "8000000000fffffd"
    assert (number(bank, 44425, 0), number(bank, 44427, 0)) == (-2_500, ACTIVE)
    with pytest.raises(Refusal) as no:
        bank.write(UNIT, 44425, (0, 100), 0)  # the real one takes it as a stored parameter: not simulated
    assert no.value.code == 2


def test_inactive_is_self_consumption(bank):
    order(bank, 2_500, INACTIVE, 0)
    assert bank.plant.advance(5_000).order.kind == "self"


def test_the_watchdog_bites(bank):
    order(bank, 2_500, ACTIVE, 0)
    assert bank.plant.advance(WATCHDOG_S * 1_000 - 100).order.kind == "ac"
    assert bank.plant.advance(WATCHDOG_S * 1_000).order.kind == "self"
    bank.write(UNIT, 40151, (0, ACTIVE), WATCHDOG_S * 1_000)  # enabling alone revives nothing
    assert bank.plant.advance(WATCHDOG_S * 1_000 + 500).order.kind == "self"


@pytest.mark.parametrize(
    ("address", "values"), [(40149, (0,)), (40150, (5,)), (40150, (5, 0)), (40151, (0,))]
)
def test_halves_are_refused(bank, address, values):
    with pytest.raises(Refusal) as no:
        bank.write(UNIT, address, values, 0)
    assert no.value.code == 2


def test_only_its_two_codes_are_taken(bank):
    with pytest.raises(Refusal) as no:
        order(bank, 0, 804, 0)
    assert no.value.code == 3
