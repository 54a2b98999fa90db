"""What follows from a setpoint block without the device: directions, rounding, what reads back."""

import pickle
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.command import (
    POWERS,
    Arm,
    Held,
    Required,
    Setpoint,
    direction,
    holds,
    notes,
    powers,
    settled,
    silent,
    spec,
)
from gateway.model import CommandClass, ReadBack
from gateway.site import Device

WATTS = st.integers(-(10**6), 10**6)


@dataclass(frozen=True)
class Place:
    name: str


TOLD = {"mode": 1, "require0": 7, "power0": -900}
MODEL: Setpoint[str, Place] = Setpoint(
    CommandClass.WATCHDOG,
    Place("charge_max"),
    4000,
    timeout_s=60,
    ends_s=70,
    refresh_s=20,
    settle_s=5,
    writes_per_day=9,
    arm=Arm(("a",), Place("timer")),
    write=("w",),
    mode=Place("mode"),
    held=(Held(1, Place("power0")), Held(2, None)),
    require=(Required(Place("require0"), 7),),
    release=("r",),
)
DEVICE = Device("b", "own", "modbus", "inverter", "tcp://h", None)


def test_a_block_is_plain() -> None:
    assert pickle.loads(pickle.dumps(MODEL)) == MODEL


@given(WATTS)
def test_each_power_has_one_direction_and_stands_on_one_side(power_w: int) -> None:
    placed = powers(power_w)
    assert placed.keys() == POWERS
    assert placed["discharge_power"] - placed["charge_power"] == placed["power"] == power_w
    assert 0 in (placed["discharge_power"], placed["charge_power"])
    assert direction(power_w) == {-1: "charge", 0: "zero", 1: "discharge"}[(power_w > 0) - (power_w < 0)]


@given(WATTS, st.lists(st.integers(1, 5000), min_size=1, max_size=3))
def test_what_settles_is_kept_whole_and_never_more(power_w: int, steps: list[int]) -> None:
    def kept(wanted: int) -> int:
        least = min(abs(wanted) // step * step for step in steps)
        return -least if wanted < 0 else least

    found = settled(kept, power_w)
    assert kept(found) == found and abs(found) <= abs(power_w) and found * power_w >= 0


def test_what_does_not_settle_is_no_power() -> None:
    asked: list[int] = []
    assert settled(lambda wanted: asked.append(wanted) or wanted - 1, 5000) == 0
    assert len(asked) == 8


def test_the_fields_that_are_asked_for() -> None:
    assert [field.name for field in MODEL.stated] == ["charge_max"]
    assert [field.name for field in MODEL.needed] == ["mode", "require0"]
    assert [field.name for field in MODEL.read_back] == ["mode", "require0", "power0"]
    bare = replace(MODEL, charge_max=1, mode=None, held=(Held(None, Place("power0")),), require=())
    assert (bare.stated, bare.needed, bare.read_back) == ((), (), (Place("power0"),))


def test_a_nameplate_that_only_the_device_knows_is_nothing_until_it_says() -> None:
    known = spec(DEVICE, MODEL, 10, {})
    assert (known.charge_max_w, known.discharge_max_w, known.step_w) == (0, 4000, 10)
    assert spec(DEVICE, MODEL, 10, {"charge_max": 3000, "discharge_max": 1}).charge_max_w == 3000
    assert spec(DEVICE, MODEL, 10, {"discharge_max": 1}).discharge_max_w == 4000, "stated by the profile"


def test_a_shorter_timer_is_refreshed_sooner() -> None:
    assert (spec(DEVICE, MODEL, 1, {}).timeout_s, spec(DEVICE, MODEL, 1, {}).refresh_s) == (60, 20)
    short = spec(replace(DEVICE, timer_s=10), MODEL, 1, {})
    assert (short.timeout_s, short.refresh_s) == (10, 3)
    latching = spec(replace(DEVICE, timer_s=10), replace(MODEL, timeout_s=0), 1, {})
    assert (latching.timeout_s, latching.refresh_s) == (0, 20)


def test_a_person_is_told_what_is_left_to_the_gateway() -> None:
    assert notes(MODEL) == ["the nameplate power is read from the device"]
    assert "only dead-man" in notes(replace(MODEL, charge_max=1, timeout_s=0))[0]
    untold = replace(MODEL, charge_max=1, held=(Held(1, None, told=False),))
    assert "only what is measured" in notes(untold)[0]


@pytest.mark.parametrize(
    ("said", "back"),
    [
        ({}, ReadBack(-900, True, 30)),
        ({"mode": 2}, ReadBack(0, True, 30)),
        ({"mode": 3}, ReadBack(0, False, 30)),
        ({"require0": 8}, ReadBack(0, False, 30)),
        ({"power0": None}, None),
        ({"power0": None, "mode": 2}, ReadBack(0, True, 30)),
        ({"power0": None, "require0": 8}, ReadBack(0, False, 30)),
    ],
)
def test_what_the_device_holds(said: dict[str, int | None], back: ReadBack | None) -> None:
    assert holds(MODEL, TOLD | said, 30) == back


def test_a_power_that_the_device_does_not_give_back_is_not_made_up() -> None:
    untold = replace(MODEL, held=(Held(1, None, told=False),))
    assert untold.read_back == untold.needed
    assert holds(untold, TOLD | {"mode": 1}, 30) == ReadBack(None, True, 30)
    assert holds(untold, TOLD | {"mode": 2}, 30) == ReadBack(0, False, 30)


def test_without_a_mode_there_is_one_power() -> None:
    bare = replace(MODEL, mode=None, held=(Held(None, Place("power0")),), require=())
    assert holds(bare, {"power0": 12}, 0) == ReadBack(12, True, 0)


@pytest.mark.parametrize("name", ["mode", "require0"])
def test_what_was_not_told_is_named(name: str) -> None:
    assert silent(MODEL, TOLD) == silent(MODEL, TOLD | {"power0": None}) == ""
    assert silent(MODEL, TOLD | {name: None}) == name
