"""Packs in parallel as one battery: what adds up, whose word counts, and that nothing is made up."""

from hypothesis import given
from hypothesis import strategies as st

from drivers.bms.bank import together
from drivers.bms.families import FAMILIES
from drivers.bms.values import ALARM_FLAGS, CHARGE, DISCHARGE, PLAUSIBLE, REQUEST_FLAGS, finish, names
from gateway.model import Quality

PYLONTECH = FAMILIES["pylontech"]
PACK = {
    "battery_voltage_mv": 50_000,
    "battery_current_ma": 10_000,
    "battery_soc_bp": 5_000,
    "battery_available_mah": 50_000,
    "battery_cycles_count": 100,
    "battery_cell_min_mv": 3_300,
    "battery_cell_max_mv": 3_340,
    "battery_temperature_cc": 2_600,
    "battery_temperature_min_cc": 2_400,
    "battery_temperature_max_cc": 2_600,
    "battery_board_temperature_cc": 3_000,
    ALARM_FLAGS: 0,
    REQUEST_FLAGS: 3,
    "charge_voltage_limit_mv": 53_200,
    "discharge_voltage_limit_mv": 45_000,
    CHARGE: 25_000,
    DISCHARGE: 25_000,
}


def bank(*changes, without=()):
    packs = [{n: v for n, v in (PACK | changed).items() if n not in without} for changed in changes]
    values, qualities = finish(PYLONTECH, together(packs))
    return {
        name: value
        for name, value, quality in zip(names(PYLONTECH), values, qualities, strict=True)
        if quality == Quality.GOOD
    }


def test_two_alike_are_one_of_twice_the_size():
    assert bank({}, {}) == PACK | {
        "battery_current_ma": 20_000,
        "battery_power_w": 1_000,
        "battery_available_mah": 100_000,
        CHARGE: 50_000,
        DISCHARGE: 50_000,
    }


def test_of_what_differs_the_extreme_counts():
    found = bank(
        {"battery_cell_min_mv": 3_100, "battery_temperature_cc": 900, "battery_temperature_min_cc": 900},
        {"battery_cell_max_mv": 3_500, "battery_temperature_max_cc": 3_900, "battery_cycles_count": 700},
        {"charge_voltage_limit_mv": 52_000, "discharge_voltage_limit_mv": 47_000, ALARM_FLAGS: 4},
    )
    assert found["battery_cell_min_mv"] == 3_100 and found["battery_cell_max_mv"] == 3_500
    assert found["battery_temperature_cc"] == found["battery_temperature_min_cc"] == 900
    assert found["battery_temperature_max_cc"] == 3_900 and found["battery_cycles_count"] == 700
    assert found["charge_voltage_limit_mv"] == 52_000 and found["discharge_voltage_limit_mv"] == 47_000
    assert found[ALARM_FLAGS] == 4


def test_packs_that_exchange_current_add_up_with_their_signs():
    found = bank(
        {"battery_current_ma": 30_000}, {"battery_current_ma": -10_000, "battery_voltage_mv": 51_000}
    )
    assert found["battery_current_ma"] == 20_000 and found["battery_power_w"] == 1_500 - 510


def test_the_limit_is_that_of_the_weakest_which_takes_any_for_each_of_those():
    """How packs share a current nobody decides: more than that could be too much for the weakest."""
    assert bank({}, {CHARGE: 10_000}, {})[CHARGE] == 30_000
    full = bank({}, {CHARGE: 0}, {})
    assert full[CHARGE] == 50_000 and full[DISCHARGE] == 75_000
    assert bank({CHARGE: 0}, {CHARGE: 0})[CHARGE] == 0


def test_the_state_of_charge_is_by_capacity():
    small = {"battery_soc_bp": 9_000, "battery_available_mah": 9_000}
    assert bank({}, small)["battery_soc_bp"] == 5_363  # 59 of 110 Ah
    assert bank({}, {"battery_soc_bp": 0, "battery_available_mah": 0})["battery_soc_bp"] == 2_500
    assert bank({}, small, without=["battery_available_mah"])["battery_soc_bp"] == 7_000


def test_what_one_does_not_tell_or_tells_wrongly_the_bank_does_not_tell():
    silent = {n: v for n, v in PACK.items() if n not in (CHARGE, "battery_soc_bp")}
    values, qualities = finish(PYLONTECH, together([PACK, silent]))
    found = dict(zip(names(PYLONTECH), zip(values, qualities, strict=True), strict=True))
    assert found[CHARGE] == found["battery_soc_bp"] == (0, Quality.ABSENT)
    wrong = bank({}, {"battery_soc_bp": 15_000, "battery_current_ma": 2_000_000, DISCHARGE: 1_300_000})
    assert not {"battery_soc_bp", "battery_current_ma", "battery_power_w", DISCHARGE} & set(wrong)


_VALUES = st.fixed_dictionaries(
    {}, optional={name: st.integers(*PLAUSIBLE.get(name, (0, 2**31))) for name in PACK}
)


@given(st.lists(_VALUES, min_size=1, max_size=6))
def test_whatever_packs_tell_no_limit_is_more_than_all_of_theirs(packs):
    told = together(packs)
    values, qualities = finish(PYLONTECH, told)
    assert all(type(value) is int for value in values) and len(values) == len(qualities)
    for name in (CHARGE, DISCHARGE):
        if name in told:
            limits = [pack[name] for pack in packs]
            assert told[name] <= sum(limits)
            taking = [limit for limit in limits if limit]
            assert not taking or told[name] <= len(taking) * min(taking)
