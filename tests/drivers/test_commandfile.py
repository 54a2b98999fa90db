"""The setpoint block of a profile, whatever its values lie in: each mistake at its place, and only there."""

from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Tag, ValidationError

from drivers.commandfile import NONEMPTY, Direction, SetpointFile, StepFile, Watts, number_or
from drivers.profile import Strict


class Step(StepFile):
    values: tuple[int | str, ...]
    when: tuple[Direction, ...] = ("charge", "zero", "discharge")

    def said(self, direction: Direction) -> tuple[int | str, ...]:
        return self.values if direction in self.when else ()


class Wire(Strict):
    number: int


class Arm(Strict):
    write: Annotated[tuple[Step, ...], NONEMPTY]


Nameplate = Annotated[Annotated[Wire, Tag("wire")] | Annotated[Watts, Tag("number")], number_or("wire")]


class Block(SetpointFile[Step, Arm, Nameplate, Wire]):
    """Of wires."""


SAID: dict[str, Any] = {
    "class": "watchdog",
    "charge_max": 3000,
    "discharge_max": {"number": 1},
    "timeout_s": 60,
    "refresh_s": 20,
    "write": [{"values": [7, "power"]}],
    "read_back": {"number": 2},
    "release": [{"values": [0]}],
}


def mistakes(**said: object) -> dict[str, str]:
    """place -> message of all that is wrong."""
    try:
        Block.model_validate(SAID | said)
    except ValidationError as refused:
        return {"/".join(map(str, e["loc"])): e["msg"] for e in refused.errors()}
    return {}


def test_what_is_not_said_is_not_there() -> None:
    block = Block.model_validate(SAID)
    assert (block.arm, block.ends_s, block.settle_s, block.writes_per_day) == (None, 0, 5, 0)
    assert (block.charge_max, block.discharge_max) == (3000, Wire(number=1))


@pytest.mark.parametrize(
    ("said", "place", "says"),
    [
        ({"class": "at-once"}, "class", "Input should be"),
        ({"charge_max": 0}, "charge_max/number", "greater than 0"),
        ({"charge_max": 10_000_001}, "charge_max/number", "less than or equal"),
        ({"charge_max": {"number": "x"}}, "charge_max/wire/number", "valid integer"),
        ({"timeout_s": 86_401}, "timeout_s", "less than or equal"),
        ({"refresh_s": 21}, "refresh_s", "at most a third of timeout_s"),
        ({"refresh_s": 0}, "refresh_s", "not 0"),
        ({"class": "self-expiring"}, "arm", "needs its timer set and read"),
        ({"class": "latching"}, "timeout_s", "a latching device has none"),
        ({"ends_s": 59}, "ends_s", "as long as timeout_s at least"),
        ({"class": "latching-eeprom", "timeout_s": 0}, "writes_per_day", "set a budget"),
        ({"arm": {"write": []}}, "arm/write", "at least one is needed"),
        ({"write": []}, "write", "at least one is needed"),
        ({"release": []}, "release", "at least one is needed"),
        ({"write": [{"values": [1]}, {"values": ["power"], "when": ["charge"]}]}, "write", "of a discharge"),
        ({"write": [{"values": ["discharge_power"]}]}, "write", "no step writes the power of a charge"),
        ({"write": [{"values": ["power"]}, {"values": ["charge_max"]}]}, "write/1", "is for the release"),
        ({"release": [{"values": [0]}, {"values": [0, "power"]}]}, "release/1", "constants or nameplates"),
        ({"release": [{"values": ["power"], "when": ["zero"]}]}, "release/0", "constants or nameplates"),
        ({"write": [{"values": ["power"], "when": ["charge", "discharge"]}]}, "write", "what 0 W is"),
        ({"release": [{"values": [0]}, {"values": [1], "when": ["charge"]}]}, "release/1", "never written"),
        (
            {"arm": {"write": [{"values": ["timeout_s"], "when": ["discharge"]}]}},
            "arm/write/0",
            "never written",
        ),
        ({"wait_s": 1}, "wait_s", "Extra inputs"),
    ],
)
def test_each_mistake_is_told_once_and_where_it_is(said: dict, place: str, says: str) -> None:
    found = mistakes(**said)
    assert list(found) == [place] and says in found[place]


@given(
    st.sampled_from(["self-expiring", "watchdog", "latching", "latching-eeprom"]),
    *(st.integers(0, 120) for _ in range(4)),
    st.booleans(),
)
def test_a_block_is_sound_if_its_times_are(
    class_: str, timeout_s: int, refresh_s: int, ends_s: int, writes: int, arms: bool
) -> None:
    said = {"timeout_s": timeout_s, "refresh_s": refresh_s, "ends_s": ends_s, "writes_per_day": writes}
    arm = {"write": [{"values": ["timeout_s"]}]} if arms else None
    dies_alone = class_ in ("self-expiring", "watchdog")
    sound = 0 < 3 * refresh_s <= timeout_s if dies_alone else timeout_s == 0
    sound &= not ends_s or ends_s >= timeout_s
    sound &= arms or class_ != "self-expiring"
    sound &= writes > 0 or class_ != "latching-eeprom"
    assert bool(mistakes(**{"class": class_}, **said, arm=arm)) is not sound


DIRECTIONS = st.lists(st.sampled_from(["charge", "zero", "discharge"]), min_size=1, max_size=3)
POWER = st.sampled_from(["power", "charge_power", "discharge_power", 1])


@given(st.lists(st.tuples(POWER, DIRECTIONS), min_size=1, max_size=4))
def test_both_directions_are_written_or_it_is_refused(steps: list[tuple[int | str, list[str]]]) -> None:
    def written(direction: Literal["charge", "discharge"]) -> bool:
        return any(value in ("power", f"{direction}_power") for value, when in steps if direction in when)

    found = mistakes(write=[{"values": [value], "when": when} for value, when in steps])
    zero = any("zero" in when for _, when in steps)
    assert (found == {}) is (written("charge") and written("discharge") and zero)
