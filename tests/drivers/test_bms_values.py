"""What a poll told becomes a sample: power, limits that close, temperatures, what is absent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bms.families import FAMILIES
from drivers.bms.values import (
    ALARM_FLAGS,
    CHARGE,
    DISCHARGE,
    REQUEST_FLAGS,
    STOPS,
    Allowance,
    alarms,
    cautious,
    cells,
    complete,
    enabled,
    jumps,
    names,
    temperatures,
)
from drivers.flags import ALARMS
from gateway.model import Quality

JBD = FAMILIES["jbd"]
PACK = Allowance(50_000, 100_000)
TOLD = {
    "battery_voltage_mv": 52_000,
    "battery_current_ma": -10_000,
    ALARM_FLAGS: 0,
    REQUEST_FLAGS: enabled(True, True),
}


def sample(changes=None, without=(), allowance=PACK, family=JBD):
    told = {name: value for name, value in (TOLD | (changes or {})).items() if name not in without}
    values, qualities = complete(family, told, allowance)
    return dict(zip(names(family), zip(values, map(Quality, qualities), strict=True), strict=True))


def test_power_is_voltage_times_current_and_as_good_as_they_are():
    assert sample()["battery_power_w"] == (-520, Quality.GOOD)
    assert sample({"battery_current_ma": 19})["battery_power_w"] == (1, Quality.GOOD)
    assert sample(without=["battery_current_ma"])["battery_power_w"] == (0, Quality.ABSENT)
    assert sample({"battery_voltage_mv": 0})["battery_power_w"] == (0, Quality.INVALID)


def test_a_board_that_counts_the_other_way_round_is_turned_with_its_power():
    told = TOLD | {REQUEST_FLAGS: 0}
    values = dict(zip(names(JBD), complete(JBD, told, PACK, negate=True)[0], strict=True))
    assert (values["battery_current_ma"], values["battery_power_w"]) == (10_000, 520)
    assert complete(JBD, {}, PACK, negate=True)[0] == complete(JBD, {}, PACK)[0]


def test_a_switch_that_is_open_closes_its_direction():
    assert (sample()[CHARGE], sample()[DISCHARGE]) == ((50_000, Quality.GOOD), (100_000, Quality.GOOD))
    off = sample({REQUEST_FLAGS: enabled(False, True)})
    assert (off[CHARGE], off[DISCHARGE]) == ((0, Quality.GOOD), (100_000, Quality.GOOD))
    off = sample({REQUEST_FLAGS: enabled(True, False)})
    assert (off[CHARGE], off[DISCHARGE]) == ((50_000, Quality.GOOD), (0, Quality.GOOD))


@pytest.mark.parametrize(
    ("alarm", "charge_ma", "discharge_ma"),
    [
        ("over_volt_alarm", 0, 100_000),
        ("under_volt_alarm", 50_000, 0),
        ("under_temp_alarm", 0, 100_000),
        ("over_temp_alarm", 0, 0),
        ("other_alarm", 0, 0),
        ("over_charge_current_alarm", 0, 100_000),
        ("over_discharge_current_alarm", 50_000, 0),
        ("configuration_alarm", 0, 0),
        ("communication_error", 0, 0),
        ("contactor_error", 0, 0),
        ("ground_fault", 0, 0),
        ("temperature_imbalance_alarm", 0, 0),
        ("under_soc_min_alarm", 50_000, 100_000),
        ("over_volt_warning", 50_000, 100_000),
    ],
)
def test_an_alarm_closes_what_it_is_about(alarm, charge_ma, discharge_ma):
    found = sample({ALARM_FLAGS: 1 << ALARMS[alarm]})
    assert (found[CHARGE][0], found[DISCHARGE][0]) == (charge_ma, discharge_ma)


@pytest.mark.parametrize("missing", [ALARM_FLAGS, REQUEST_FLAGS])
def test_a_limit_whose_permission_was_not_heard_is_not_known(missing):
    found = sample(without=[missing])
    assert found[CHARGE] == found[DISCHARGE] == (0, Quality.ABSENT)


def test_without_an_allowance_a_family_that_states_none_has_no_limit():
    assert sample(allowance=None)[CHARGE] == (0, Quality.ABSENT)


@pytest.mark.parametrize(
    ("name", "value"),
    [("battery_soc_bp", 10_001), ("battery_temperature_cc", -27_310), ("battery_cell_min_mv", 65_535)],
)
def test_what_cannot_be_is_invalid(name, value):
    assert sample({name: value})[name] == (value, Quality.INVALID)


def test_a_limit_that_cannot_be_is_none():
    stated = sample({CHARGE: 1_200_001, DISCHARGE: 90_000}, family=FAMILIES["pylontech"], allowance=None)
    assert stated[CHARGE] == (0, Quality.INVALID)
    assert stated[DISCHARGE] == (90_000, Quality.GOOD)


@given(st.dictionaries(st.sampled_from(JBD.points), st.integers(-(2**33), 2**33)))
def test_no_limit_is_ever_more_than_allowed(told):
    values, qualities = complete(JBD, told, PACK)
    found = dict(zip(names(JBD), values, strict=True))
    assert 0 <= found[CHARGE] <= PACK.charge_ma and 0 <= found[DISCHARGE] <= PACK.discharge_ma
    for name, limit in ((CHARGE, found[CHARGE]), (DISCHARGE, found[DISCHARGE])):
        if limit:
            assert not told[ALARM_FLAGS] & STOPS[name]
            assert told[REQUEST_FLAGS]
    for name, value, quality in zip(names(JBD), values, qualities, strict=True):
        if quality == Quality.ABSENT:
            assert (value == 0 and name not in told) or name == "battery_power_w"


def test_extremes():
    assert cells([3300, 0, 3400, 3200]) == {"battery_cell_min_mv": 3200, "battery_cell_max_mv": 3400}
    assert cells([0, 0]) == {} == temperatures([])
    assert temperatures([-100, 2000, 4000])["battery_temperature_cc"] == -100
    assert temperatures([1900, 2000, 4000])["battery_temperature_cc"] == 4000


def test_a_limit_rises_when_it_is_told_twice_and_falls_at_once():
    assert cautious({CHARGE: 50, DISCHARGE: 60, "x": 1}, {CHARGE: 40, DISCHARGE: 70}) == {
        CHARGE: 40,
        DISCHARGE: 60,
        "x": 1,
    }
    assert cautious({CHARGE: 50}, {}) == {CHARGE: 0}
    assert cautious({"x": 1}, {CHARGE: 40}) == {"x": 1}


def test_a_jump_is_more_than_the_family_allows_either_way():
    steady = {"a": 10, "b": 0}
    assert not jumps({"a": 110, "c": 5}, {"a": 100, "b": 1, "c": 900}, steady)
    assert jumps({"a": 111}, {"a": 100}, steady) and jumps({"a": 89}, {"a": 100}, steady)
    assert jumps({"b": 1}, {"b": 0}, steady)
    assert not jumps({"a": 111}, {}, steady)


def test_bits_to_alarms():
    assert alarms({0: "over_volt_alarm", 3: "other_alarm"}, 0b1011) == sum(
        1 << ALARMS[name] for name in ("over_volt_alarm", "other_alarm")
    )
