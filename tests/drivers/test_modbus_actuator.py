"""Setpoints of register-map devices: sequences in their order, what reads back, and what is not assumed."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.command import spec
from drivers.commanded import NAMEPLATE_MS
from drivers.modbus import PLUGIN
from drivers.modbus.actuator import Commanded, describe
from drivers.modbus.profile import ModbusProfile
from drivers.modbus.table import Table
from gateway.driver import Actuator
from gateway.errors import LinkError
from gateway.model import CommandClass, ReadBack
from gateway.site import Device
from tests.drivers.modbus_memory import HandClock, Memory, made


def _write(address: int, value: int | str, **more: object) -> dict:
    return {"address": address, "values": [{"type": "s16", "value": value}], **more}


SETPOINT = {
    "class": "watchdog",
    "charge_max": 3000,
    "discharge_max": {"address": 50, "type": "u16", "absent": [0xFFFF]},
    "timeout_s": 60,
    "refresh_s": 20,
    "arm": {"write": [_write(40, "timeout_s")], "timer": {"address": 40, "type": "u16", "absent": [0xFFFF]}},
    "write": [
        _write(41, 7, unit=9),
        _write(42, "power", single=True),
        _write(43, 1, when=["charge"]),
        _write(43, 2, when=["zero", "discharge"]),
    ],
    "read_back": {
        "mode": {"address": 43, "type": "u16", "absent": [0xFFFF]},
        "held": [
            {"mode": 1, "power": {"address": 42, "type": "s16", "absent": [0x8000]}},
            {"mode": 2, "power": {"address": 42, "type": "s16", "absent": [0x8000]}},
            {"mode": 5, "power": 0},
        ],
        "require": [{"address": 41, "type": "u16", "unit": 9, "equals": 7, "absent": [0xFFFF]}],
    },
    "release": [_write(43, 0), _write(42, 0)],
}


NAMEPLATE = {"discharge_max": 50, "charge_max": 60}


def profile(**setpoint: object) -> Table:
    return ModbusProfile.model_validate(
        {
            "driver": "modbus",
            "role": "inverter",
            "vendor": "V",
            "model": "M",
            "sources": ["a", "b"],
            "proof": "simulated",
            "points": {"battery_power_w": {"address": 10, "type": "s16"}},
            "setpoint": SETPOINT | setpoint,
        }
    ).table()


def small(link: Memory, **setpoint: object) -> Commanded:
    driver = made(profile(**setpoint), link)
    assert isinstance(driver, Commanded) and isinstance(driver, Actuator)
    return driver


def device(of: Table, **more: Any) -> Device:
    return Device("inv", "small", "modbus", "inverter", "tcp://memory", of, **more)


# -- sequences ------------------------------------------------------------------------------------


async def test_the_steps_of_a_direction_go_out_in_their_order() -> None:
    inverter = small(link := Memory({}))
    for power_w, mode in ((-700, 1), (0, 2), (700, 2)):
        link.log.clear()
        await inverter.write_power(power_w)
        assert link.log == [
            ("write", 9, 41, (7,), False),
            ("write", 1, 42, (power_w & 0xFFFF,), True),
            ("write", 1, 43, (mode,), False),
        ]
        assert await inverter.read_back() == ReadBack(power_w, True)


async def test_a_stored_setting_is_read_first_and_written_only_if_it_differs() -> None:
    link = Memory({(9, 41): 6})
    inverter = small(link, write=[_write(41, 7, unit=9, if_changed=True), _write(42, "power")])
    for power_w in (-500, -600):
        await inverter.write_power(power_w)
    assert [entry[:3] for entry in link.log] == [
        ("read", 9, 41),
        ("write", 9, 41),
        ("write", 1, 42),
        ("read", 9, 41),
        ("write", 1, 42),
    ]


@pytest.mark.parametrize("at", [41, 42, 43])
async def test_the_first_step_that_fails_is_the_last(at: int) -> None:
    inverter = small(link := Memory({}))
    link.fail_write_at = at
    with pytest.raises(LinkError, match="no answer"):
        await inverter.write_power(-500)
    assert link.written == list(range(41, at + 1))


async def test_a_release_that_fails_is_said_and_the_next_one_begins_anew() -> None:
    inverter = small(link := Memory({}))
    await inverter.write_power(-500)
    link.fail_write_at = 42
    with pytest.raises(LinkError):
        await inverter.release()
    link.fail_write_at = -1
    link.log.clear()
    await inverter.release()
    assert link.written == [43, 42]
    assert await inverter.read_back() == ReadBack(0, False)


async def test_a_limit_is_given_back_as_the_device_is_rated_and_never_as_nothing() -> None:
    inverter = small(link := Memory({}), release=[_write(43, 0), _write(44, "discharge_max")])
    with pytest.raises(LinkError, match="nameplate, which is to be given back, is unknown"):
        await inverter.release()
    assert link.written == [43], "it obeys no more all the same"
    link.put(1, 50, 2500)
    await inverter.release()
    assert link.registers[1, 44] == 2500
    inverter = small(link, release=[_write(44, "charge_max")])
    await inverter.release()
    assert link.registers[1, 44] == 3000, "the profile's own"


@given(st.integers(-32767, 2**17))  # 0x8000 reads back as this device's "no value"
async def test_only_a_power_that_the_registers_hold_is_written(power_w: int) -> None:
    inverter = small(link := Memory({}))
    held = inverter.quantise(power_w)
    assert abs(held) <= abs(power_w) and held * power_w >= 0
    if held != power_w:
        with pytest.raises(ValueError, match="can hold"):
            await inverter.write_power(power_w)
        assert link.log == []
    await inverter.write_power(held)
    assert await inverter.read_back() == ReadBack(held, True)


# -- the device's own timer -----------------------------------------------------------------------


async def test_arm_returns_what_the_device_says_not_what_was_asked() -> None:
    inverter = small(link := Memory({}))
    assert await inverter.arm(45) == 45
    assert link.written == [40]

    class Shorter(Memory):
        async def write(self, *args: Any, **how: Any) -> None:
            await super().write(*args, **how)
            self.put(1, 40, 30)  # the most that this device allows

    assert await small(Shorter({})).arm(45) == 30


async def test_a_timer_that_says_nothing_counts_as_none() -> None:
    class Silent(Memory):
        async def write(self, *args: Any, **how: Any) -> None:
            await super().write(*args, **how)
            self.put(1, 40, 0xFFFF)

    inverter = small(Silent({}))
    assert await inverter.arm(45) == 0
    await inverter.write_power(100)
    assert await inverter.read_back() == ReadBack(100, True, 0)


async def test_a_device_without_a_timer_is_not_touched_by_arming() -> None:
    inverter = small(link := Memory({}), arm=None)
    assert await inverter.arm(45) == 0
    assert link.log == []


async def test_arming_that_fails_is_a_link_error() -> None:
    inverter = small(link := Memory({}))
    link.fail_write_at = 40
    with pytest.raises(LinkError):
        await inverter.arm(45)
    assert [entry[0] for entry in link.log] == ["write"], "nothing is read after it"


# -- what it holds --------------------------------------------------------------------------------


async def test_a_mode_with_a_constant_power_and_one_that_nobody_listed() -> None:
    inverter = small(link := Memory({(9, 41): 7}))
    link.put(1, 42, 800, 5)
    assert await inverter.read_back() == ReadBack(0, True)
    link.put(1, 43, 4)
    assert await inverter.read_back() == ReadBack(0, False)


async def test_a_device_that_lacks_what_it_needs_to_obey_does_not_obey() -> None:
    inverter = small(link := Memory({}))
    await inverter.write_power(800)
    link.put(9, 41, 6)
    assert await inverter.read_back() == ReadBack(0, False)


@pytest.mark.parametrize(
    ("unit", "address", "absent", "says"),
    [(1, 43, 0xFFFF, "its mode"), (9, 41, 0xFFFF, "its require0"), (1, 42, 0x8000, "its setpoint")],
)
async def test_what_is_absent_is_never_assumed(unit: int, address: int, absent: int, says: str) -> None:
    inverter = small(link := Memory({}))
    await inverter.write_power(-800)
    link.put(unit, address, absent)
    with pytest.raises(LinkError, match=f"inv: the device does not give back {says}"):
        await inverter.read_back()


async def test_a_refused_register_is_as_good_as_absent() -> None:
    link = Memory({(1, 42): 1, (1, 43): 1, (1, 40): 60}, sparse=True)
    with pytest.raises(LinkError, match="give back its require0"):
        await small(link).read_back()


async def test_it_is_read_back_from_the_device_each_time() -> None:
    inverter = small(link := Memory({}))
    await inverter.write_power(500)
    link.put(1, 42, 499)
    assert (await inverter.read_back()).power_w == 499


# -- what is known of it --------------------------------------------------------------------------


@pytest.mark.parametrize(("register", "most_w"), [(4600, 4600), (0xFFFF, 0), (0, 0)])
async def test_a_nameplate_in_a_register_is_known_after_connect(register: int, most_w: int) -> None:
    inverter = small(Memory({(1, 50): register}))
    assert (inverter.setpoint.charge_max_w, inverter.setpoint.discharge_max_w) == (3000, 0)
    assert await inverter.connect() == {"vendor": "V", "model": "M"}
    assert (inverter.setpoint.charge_max_w, inverter.setpoint.discharge_max_w) == (3000, most_w)


@pytest.mark.parametrize("asleep", [0, 0xFFFF])
async def test_the_nameplate_of_a_battery_that_slept_is_asked_again_now_and_then(asleep: int) -> None:
    clock = HandClock()
    inverter = made(profile(), link := Memory({(1, 50): asleep}), clock)
    assert isinstance(inverter, Commanded)
    await inverter.connect()
    link.log.clear()
    for _ in range(3 * NAMEPLATE_MS // 1000):
        await inverter.read()
        clock.ms += 1000
    assert [entry[2] for entry in link.log].count(50) == 3
    link.put(1, 50, 4600)
    clock.ms += NAMEPLATE_MS
    await inverter.read()
    assert inverter.setpoint.discharge_max_w == 4600
    link.log.clear()
    link.put(1, 50, 0)
    for _ in range(20):
        await inverter.read()
        clock.ms += NAMEPLATE_MS
    assert {entry[2] for entry in link.log} == {10}, "known: not asked any more"
    await inverter.connect()
    assert inverter.setpoint.discharge_max_w == 0, "another session, perhaps another battery"


async def test_a_half_that_is_asked_again_does_not_undo_the_other() -> None:
    limits = {name: {"address": at, "type": "u16", "absent": [0xFFFF]} for name, at in NAMEPLATE.items()}
    clock = HandClock()
    inverter = made(profile(**limits), link := Memory({(1, 50): 4600, (1, 60): 0xFFFF}), clock)
    assert isinstance(inverter, Commanded)
    await inverter.connect()
    for register, most_w in ((0xFFFF, 4600), (4000, 4000)):  # absent says nothing; a number is believed
        clock.ms += NAMEPLATE_MS
        link.put(1, 50, register)
        await inverter.read()
        assert (inverter.setpoint.discharge_max_w, inverter.setpoint.charge_max_w) == (most_w, 0)


async def test_a_nameplate_that_cannot_be_asked_again_costs_a_poll_now_and_then() -> None:
    class Dead(Memory):
        dead = False

        async def read(self, unit: int, table: str, address: int, *args: Any, **how: Any) -> bytes:
            if self.dead and address == 50:
                raise LinkError("no answer")
            return await super().read(unit, table, address, *args, **how)

    clock = HandClock()
    inverter = made(profile(), link := Dead({}), clock)
    await inverter.connect()
    link.dead, failed = True, 0
    for _ in range(2 * NAMEPLATE_MS // 1000):
        clock.ms += 1000
        try:
            await inverter.read()
        except LinkError:
            failed += 1
    assert failed == 2


async def test_a_nameplate_between_two_watts_is_the_lower() -> None:
    inverter = small(Memory({(1, 50): 46_009}), discharge_max={"address": 50, "type": "u16", "scale": "1/10"})
    await inverter.connect()
    assert inverter.setpoint.discharge_max_w == 4600


async def test_a_negative_nameplate_is_none() -> None:
    inverter = small(Memory({(1, 50): 0xFF00}), discharge_max={"address": 50, "type": "s16"})
    await inverter.connect()
    assert inverter.setpoint.discharge_max_w == 0


async def test_polls_are_those_of_the_reading_driver() -> None:
    inverter = small(Memory({(1, 10): 5}))
    sample = await inverter.read()
    assert sample.values == (5,) and sample.points is inverter.points and not inverter.pushed
    await inverter.close()
    assert (await inverter.read()).values == (5,), "the link is not ours to close"


def test_a_setpoint_without_a_timer_has_no_time_and_says_so() -> None:
    of = profile(**{"class": "latching", "timeout_s": 0, "refresh_s": 0, "arm": None})
    assert of.setpoint is not None
    known = spec(device(of, timer_s=30), of.setpoint, 1, {})
    assert (known.command_class, known.timeout_s, known.refresh_s) == (CommandClass.LATCHING, 0, 0)
    _, notes = describe(device(of), of)
    assert any("only dead-man" in note for note in notes)


@given(st.integers(0, 600), st.integers(60, 600))
def test_the_refresh_is_never_later_than_a_third_of_the_timer(measured_s: int, stated_s: int) -> None:
    of = profile(timeout_s=stated_s, refresh_s=20)
    assert of.setpoint is not None
    known = spec(device(of, timer_s=measured_s), of.setpoint, 1, {})
    assert known.timeout_s == (measured_s or stated_s)
    assert 1 <= known.refresh_s <= max(1, known.timeout_s // 3)


def test_what_a_person_should_know_without_the_device() -> None:
    of = profile()
    known, notes = describe(device(of), of)
    assert known is not None and known.discharge_max_w == 0
    assert notes == ("V M: simulated", "the nameplate power is read from the device")
    assert describe(device(of, control=False), of) == (None, ("V M: simulated",))
    told = replace(of, enable="menu 5", setpoint=None)
    assert describe(device(told), told) == (None, ("V M: simulated", "before: menu 5"))
    assert PLUGIN.plan(device(of), of).setpoint == known
