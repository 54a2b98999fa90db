"""Powers in parts of a rating: what a register means in watts, and what is written while none is known."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.profile import ModbusProfile
from drivers.modbus.rated import rated
from drivers.modbus.sequence import quantise, step_w, writes
from drivers.modbus.table import Table
from gateway.driver import Actuator
from gateway.model import ReadBack
from tests.drivers.modbus_memory import HandClock, Memory, made

RATING = {"address": 20, "type": "u32", "words": "little", "scale": "1/10", "absent": [0xFFFFFFFF]}
POWER = {"type": "s16", "scale": "1/1000", "negate": True}
DATA = {
    "driver": "modbus",
    "role": "inverter",
    "vendor": "A",
    "model": "B",
    "sources": ["a", "b"],
    "proof": "simulated",
    "points": {"battery_power_w": {"address": 1, "type": "s16"}},
    "setpoint": {
        "class": "latching",
        "rating": RATING,
        "charge_max": 3_000,
        "discharge_max": RATING,
        "write": [
            {"address": 30, "values": [{"type": "u16", "value": 7}, {**POWER, "value": "power"}]},
        ],
        "read_back": {
            "mode": {"address": 30, "type": "u16"},
            "held": [{"mode": 7, "power": {"address": 31, **POWER}}, {"mode": 8, "power": 0}],
        },
        "release": [{"address": 30, "values": [{"type": "u16", "value": 0}]}],
    },
}


def table() -> Table:
    found = ModbusProfile.model_validate(DATA).table()
    assert isinstance(found, Table)
    return found


def told(watts: int) -> tuple[int, int]:
    return watts * 10 & 0xFFFF, watts * 10 >> 16


@pytest.fixture
def link() -> Memory:
    memory = Memory({})
    memory.put(1, 20, *told(8_000))
    return memory


def test_every_power_counts_parts_and_nothing_else_does() -> None:
    parts = table().setpoint
    assert parts is not None
    model = rated(parts, 8_000)
    (step,) = model.write
    assert [value.field.scale for value in step.values] == [1, Fraction(-8)]
    assert [held.power and held.power.scale for held in model.held] == [Fraction(-8), None]
    assert (model.charge_max, model.discharge_max, model.release) == (
        parts.charge_max,
        parts.discharge_max,
        parts.release,
    )


@given(st.integers(1_000, 250_000), st.integers(-250_000, 250_000))
def test_what_is_written_is_never_more_than_was_decided(rating_w: int, wanted_w: int) -> None:
    parts = table().setpoint
    assert parts is not None
    model = rated(parts, rating_w)
    held_w = quantise(model.write, wanted_w)
    assert abs(held_w) <= abs(wanted_w) and held_w * wanted_w >= 0
    assert quantise(model.write, held_w) == held_w
    (write,) = writes(model.write, held_w, 0, 1)
    native = int.from_bytes(write.registers[1].to_bytes(2), signed=True)
    exact = Fraction(-native * rating_w, 1000)
    assert abs(exact) <= abs(wanted_w) and abs(exact - held_w) < 1
    if abs(native) < 32_000:
        assert abs(wanted_w - held_w) <= step_w(model.write) + 1


async def test_a_power_is_written_and_read_back_in_watts(link: Memory) -> None:
    inverter = made(table(), link)
    assert isinstance(inverter, Actuator)
    assert (inverter.setpoint.charge_max_w, inverter.setpoint.step_w) == (0, 1)
    await inverter.connect()
    spec = inverter.setpoint
    assert (spec.charge_max_w, spec.discharge_max_w, spec.step_w) == (3_000, 8_000, 8)
    assert inverter.quantise(-1_503) == -1_496
    await inverter.write_power(-1_496)
    assert link.registers[1, 31] == 187
    assert await inverter.read_back() == ReadBack(-1_496, True)
    await inverter.release()
    assert await inverter.read_back() == ReadBack(0, False)


@pytest.mark.parametrize("registers", [(0, 0), (0xFFFF, 0xFFFF)])
async def test_a_rating_that_is_not_known_allows_nothing_until_it_is(
    link: Memory, registers: tuple[int, int]
) -> None:
    link.put(1, 20, *registers)
    inverter = made(table(), link, clock := HandClock())
    assert isinstance(inverter, Actuator)
    await inverter.connect()
    assert (inverter.setpoint.charge_max_w, inverter.setpoint.discharge_max_w) == (0, 0)
    assert inverter.quantise(2_000) == 0
    await inverter.write_power(0)
    assert link.registers[1, 31] == 0
    link.put(1, 20, *told(5_000))
    clock.ms += 60_000
    await inverter.read()
    assert inverter.setpoint.charge_max_w == 3_000 and inverter.quantise(2_000) == 2_000


async def test_another_device_at_the_address_has_a_rating_of_its_own(link: Memory) -> None:
    inverter = made(table(), link)
    assert isinstance(inverter, Actuator)
    await inverter.connect()
    link.put(1, 20, *told(16_000))
    await inverter.connect()
    await inverter.write_power(inverter.quantise(1_600))
    assert link.registers[1, 31] == 0x10000 - 100
    assert await inverter.read_back() == ReadBack(1_600, True)
    link.put(1, 20, 0xFFFF, 0xFFFF)
    await inverter.connect()
    assert inverter.setpoint.discharge_max_w == 0 and inverter.quantise(1_600) == 0
