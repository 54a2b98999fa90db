"""Deye's remote mode under the gateway's own profile: it ends by itself, refuses, is handed back."""

import pytest
from rig import deye_3p_lv
from rig.bank import Refusal
from rig.devices import make
from rig.inprocess import InProcessLink

from gateway.driver import Actuator
from gateway.errors import DeviceRefused
from gateway.model import ReadBack
from tests.drivers.modbus_memory import HandClock, made, shipped

UNIT, MODE, TIMEOUT, SIDE, PERMILLE = deye_3p_lv.UNIT, 1100, 1101, 1104, 1109
HOUR_MS = 3_600_000


@pytest.fixture
def bank():
    return make("deye_3p_lv")


@pytest.fixture
def clock():
    return HandClock()


def driver(bank, clock):
    """What a gateway that starts anew has of the device."""
    found = made(shipped("deye_3p_lv"), InProcessLink(bank, clock), clock)
    assert isinstance(found, Actuator)
    return found


def number(bank, address, now_ms):
    return int.from_bytes(bank.read(UNIT, "holding", address, 1, now_ms), signed=True)


def test_remote_mode_needs_its_side_and_its_time(bank):
    bank.write(UNIT, PERMILLE, (250,), 0)
    bank.write(UNIT, MODE, (1,), 0)
    assert bank.plant.advance(1_000).order.kind == "self"
    bank.write(UNIT, SIDE, (1, 2), 1_000)
    state = bank.plant.advance(10_000)
    assert round(state.battery_w) == number(bank, 590, 10_000) == 3_000
    assert bank.plant.advance(HOUR_MS).order.power_w == 3_000  # nobody set a time
    bank.write(UNIT, TIMEOUT, (60,), HOUR_MS)
    assert bank.plant.advance(HOUR_MS + 59_900).order.power_w == 3_000
    assert bank.plant.advance(HOUR_MS + 60_000).order.kind == "self"
    assert number(bank, MODE, HOUR_MS + 60_000) == 0


@pytest.mark.parametrize(
    ("address", "value"), [(TIMEOUT, 9), (PERMILLE, 1_201), (SIDE, 3), (MODE, 4), (590, 1)]
)
def test_it_refuses_what_it_does_not_know(bank, address, value):
    with pytest.raises(Refusal):
        bank.write(UNIT, address, (value,), 0)


async def test_it_ends_a_command_that_nobody_renews(bank, clock):
    inverter = driver(bank, clock)
    await inverter.connect()
    assert (inverter.setpoint.charge_max_w, inverter.setpoint.step_w) == (12_000, 12)
    assert await inverter.arm(60) == 60
    await inverter.write_power(inverter.quantise(-2_000))
    assert await inverter.read_back() == ReadBack(-1_992, True, 60)
    for _ in range(8):
        clock.ms += 15_000
        await inverter.write_power(-1_992)
    assert (await inverter.read_back()).active
    assert bank.plant.advance(clock.ms).battery_w == pytest.approx(-1_992, abs=5)
    clock.ms += 60_000
    assert await inverter.read_back() == ReadBack(0, False, 60)
    assert bank.plant.state.order.kind == "self"


async def test_a_power_beyond_its_range_is_refused_and_nothing_begins(bank, clock):
    inverter = driver(bank, clock)
    await inverter.connect()
    with pytest.raises(DeviceRefused):
        await inverter.write_power(inverter.quantise(20_000))
    assert bank.plant.advance(clock.ms + 5_000).order.kind == "self"


async def test_a_gateway_that_starts_anew_ends_what_it_finds(bank, clock):
    before = driver(bank, clock)
    await before.connect()
    await before.write_power(before.quantise(3_000))
    after = driver(bank, clock)
    await after.connect()
    assert await after.read_back() == ReadBack(3_000, True, 60)
    await after.release()
    assert await after.read_back() == ReadBack(0, False, 60)
    assert bank.plant.advance(clock.ms + 1_000).order.kind == "self" and number(bank, PERMILLE, clock.ms) == 0


async def test_firmware_with_another_layout_does_not_obey(bank, clock):
    inverter = driver(bank, clock)
    await inverter.connect()
    await inverter.write_power(inverter.quantise(3_000))
    bank.put("side", deye_3p_lv.AC_SIDE)
    assert await inverter.read_back() == ReadBack(0, False, 60)
