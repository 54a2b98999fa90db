"""Points of several registers: what adds up, what a missing part makes of it, each mistake in a profile."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from drivers.modbus.codec import Field
from drivers.modbus.compound import Composer, Compound
from drivers.modbus.driver import SLOW_MS
from drivers.modbus.profile import ModbusProfile
from gateway.model import INT64_MAX, INT64_MIN, Quality
from tests.drivers.modbus_memory import HandClock, Memory, made
from tests.drivers.test_modbus_driver import values

GOOD, INVALID, ABSENT = int(Quality.GOOD), int(Quality.INVALID), int(Quality.ABSENT)
A, B, C = (Field(name, at, "s16") for at, name in enumerate(("a", "b", "c")))


def composed(compound: Compound, *found: tuple[int, int]) -> tuple[int, int]:
    composer = Composer((A, B, C), [compound])
    got, marks = composer.compose([value for value, _ in found], bytes(mark for _, mark in found))
    at = composer.names.index(compound.name)
    return got[at], marks[at]


def test_parts_become_one_point_behind_those_that_are_points_themselves() -> None:
    composer = Composer((A, B, C), [Compound("b_w", ("b", "c")), Compound("of_others_w", ("x", "y"))])
    assert composer.names == ("a", "b_w")
    assert composer.compose([1, 2, 3], bytes(3)) == ([1, 5], bytes(2))


def test_without_compounds_nothing_is_touched() -> None:
    found, marks = [1, 2, 3], bytes(3)
    composer = Composer((A, B, C), [])
    assert composer.names == ("a", "b", "c")
    assert composer.compose(found, marks) == (found, marks)


def test_a_missing_part_is_a_missing_sum_unless_it_is_optional() -> None:
    absent = ((5, GOOD), (0, ABSENT), (7, GOOD))
    assert composed(Compound("s", ("a", "b", "c")), *absent) == (0, ABSENT)
    assert composed(Compound("s", ("a", "b", "c"), frozenset({"b"})), *absent) == (12, GOOD)
    assert composed(Compound("s", ("a", "b", "c"), frozenset({"a"})), *absent) == (0, ABSENT)
    nothing = ((0, ABSENT),) * 3
    assert composed(Compound("s", ("a", "b"), frozenset({"a", "b"})), *nothing) == (0, ABSENT)


def test_a_direction_without_a_magnitude_is_no_value() -> None:
    """All parts optional and none fitted: it was 0, and good."""
    optional = Compound("s", ("a", "b"), frozenset({"a", "b"}), turn="c", turned_at=1, offset=5)
    assert composed(optional, (0, ABSENT), (0, ABSENT), (1, GOOD)) == (0, ABSENT)
    assert composed(optional, (0, ABSENT), (7, GOOD), (1, GOOD)) == (-2, GOOD)


def test_an_impossible_part_or_sum_is_shown_as_such() -> None:
    assert composed(Compound("s", ("a", "b")), (5, GOOD), (900, INVALID), (0, GOOD)) == (905, INVALID)
    narrow = Compound("s", ("a", "b"), low=-10, high=10)
    assert composed(narrow, (5, GOOD), (6, GOOD), (0, GOOD)) == (11, INVALID)
    assert composed(narrow, (-5, GOOD), (-6, GOOD), (0, GOOD)) == (-11, INVALID)


def test_a_magnitude_has_the_direction_that_stands_beside_it() -> None:
    battery = Compound("s", ("a",), turn="b", turned_at=0)
    assert composed(battery, (700, GOOD), (0, GOOD), (0, GOOD)) == (-700, GOOD)
    assert composed(battery, (700, GOOD), (1, GOOD), (0, GOOD)) == (700, GOOD)
    assert composed(battery, (700, GOOD), (0, ABSENT), (0, GOOD)) == (0, ABSENT)


def test_an_offset_comes_last() -> None:
    celsius = Compound("s", ("a",), offset=-10_000)
    assert composed(celsius, (12_500, GOOD), (0, GOOD), (0, GOOD)) == (2_500, GOOD)
    assert composed(celsius, (0, ABSENT), (0, GOOD), (0, GOOD)) == (0, ABSENT)
    turned = Compound("s", ("a",), turn="b", turned_at=1, offset=-100)
    assert composed(turned, (30, GOOD), (1, GOOD), (0, GOOD)) == (-130, GOOD)


_WIDE = st.integers(INT64_MIN, INT64_MAX)
_PAIR = st.tuples(_WIDE, st.sampled_from([GOOD, INVALID, ABSENT]))


@given(_PAIR, _PAIR, _PAIR, st.booleans(), st.booleans())
def test_whatever_the_parts_are_it_is_a_value_with_a_quality(a, b, c, optional, turned) -> None:
    names = frozenset({"b"}) if optional else frozenset()
    compound = Compound("s", ("a", "b"), names, turn="c" if turned else "", turned_at=1)
    value, quality = composed(compound, a, b, c)
    assert INT64_MIN <= value <= INT64_MAX
    needed = [a, *([] if optional and b[1] == ABSENT else [b]), *([c] if turned else [])]
    if quality == GOOD:
        assert all(mark == GOOD for _, mark in needed)
        assert abs(value) == abs(sum(v for v, _ in needed[: len(needed) - turned]))
    if any(mark == ABSENT for _, mark in needed):
        assert (value, quality) == (0, ABSENT)


SUMS = {
    "driver": "modbus",
    "role": "inverter",
    "vendor": "V",
    "model": "M",
    "sources": ["a", "b"],
    "proof": "simulated",
    "points": {"battery_soc_bp": {"address": 9, "type": "u16", "scale": 100}},
    "sums": {
        "pv_power_w": {
            "sum": [
                {"address": 10, "type": "u32", "absent": [0xFFFFFFFF]},
                {"address": 12, "type": "u32", "absent": [0xFFFFFFFF], "optional": True},
            ],
            "max": 50_000,
        },
        "battery_power_w": {
            "sum": [{"address": 20, "type": "u16", "scale": 10}],
            "negative_when": {"address": 21, "type": "u16", "equals": 0},
        },
        "battery_temperature_cc": {"sum": [{"address": 25, "type": "u16", "scale": 10}], "offset": -10_000},
        "pv_energy_wh": {
            "sum": [{"address": 30, "type": "u16"}, {"address": 31, "type": "u16"}],
            "poll": "slow",
        },
    },
}


async def test_a_profile_s_sums_are_points_of_the_device() -> None:
    link, clock = Memory({}), HandClock()
    link.put(1, 9, 55, 0, 3000, 0xFFFF, 0xFFFF)
    link.put(1, 20, 70, 0)
    link.put(1, 25, 1250)
    link.put(1, 30, 4, 5)
    driver = made(ModbusProfile.model_validate(SUMS).table(), link, clock)
    names = [p.name for p in driver.points]
    assert names == [
        "battery_soc_bp",
        "pv_power_w",
        "battery_power_w",
        "battery_temperature_cc",
        "pv_energy_wh",
    ]
    await driver.connect()
    clock.ms += SLOW_MS
    assert values(await driver.read()) == {
        "battery_soc_bp": (5500, Quality.GOOD),
        "pv_power_w": (3000, Quality.GOOD),
        "battery_power_w": (-700, Quality.GOOD),
        "battery_temperature_cc": (2500, Quality.GOOD),
        "pv_energy_wh": (9, Quality.GOOD),
    }
    link.put(1, 10, 1)
    assert values(await driver.read())["pv_power_w"] == (68536, Quality.INVALID)


@pytest.mark.parametrize(
    ("change", "where", "says"),
    [
        (
            {"sums": {"battery_soc_bp": SUMS["sums"]["pv_energy_wh"]}},
            "sums/battery_soc_bp",
            "one of the points",
        ),
        ({"sums": {"charge_limit_w": SUMS["sums"]["pv_energy_wh"]}}, "sums/charge_limit_w", "one register"),
        ({"sums": {"pv_power_w": {"sum": []}}}, "sums/pv_power_w/sum", "at least 1"),
        (
            {"forbidden": [{"first": 21, "last": 21}]},
            "sums/battery_power_w/negative_when/address",
            "forbidden",
        ),
        ({"forbidden": [{"first": 13, "last": 13}]}, "sums/pv_power_w/sum/1/address", "forbidden"),
        ({"sums": {"power": SUMS["sums"]["pv_energy_wh"]}}, "sums/power/[key]", "ends in its unit"),
    ],
)
def test_each_mistake_in_a_sum_is_found_where_it_is(change, where, says) -> None:
    with pytest.raises(ValidationError) as refused:
        ModbusProfile.model_validate(SUMS | change)
    found = {"/".join(map(str, e["loc"])): e["msg"] for e in refused.value.errors()}
    assert list(found) == [where] and says in found[where], found
