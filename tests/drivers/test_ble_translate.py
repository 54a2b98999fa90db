"""What aiobmsble says, in our words: units, signs, what is absent, and what is no number."""

from dataclasses import dataclass
from enum import IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ble.translate import FOREIGN, POINTS, values
from drivers.bms.values import Allowance, complete, names
from drivers.flags import ALARMS
from gateway.model import Quality

Kind = IntEnum("Kind", {"GENERIC": 0, "CELL": 1, "MOSFET": 4, "AMBIENT": 8})  # as in the library


@dataclass(frozen=True)
class Sensor:
    value: float
    type: Kind = Kind.GENERIC


WHOLE = {
    "voltage": 52.36,
    "current": -12.345,
    "battery_level": 73.5,
    "battery_health": 98,
    "cycles": 42,
    "cycle_charge": 74.98,
    "design_capacity": 100,
    "cell_voltages": [3.274, 3.268, 0.0, 3.271],
    "temp_values": [
        Sensor(21.5),
        Sensor(38.25, Kind.CELL),
        Sensor(44, Kind.MOSFET),
        Sensor(-3, Kind.AMBIENT),
    ],
    "problem_code": 0,
    "chrg_mosfet": True,
    "dischrg_mosfet": False,
}


def test_a_whole_sample():
    assert values(WHOLE) == {
        "battery_voltage_mv": 52_360,
        "battery_current_ma": 12_345,  # it discharges: the library's minus is our plus
        "battery_soc_bp": 7350,
        "battery_soh_bp": 9800,
        "battery_cycles_count": 42,
        "battery_available_mah": 74_980,
        "battery_installed_mah": 100_000,
        "battery_cell_min_mv": 3268,
        "battery_cell_max_mv": 3274,
        "battery_temperature_cc": 3825,
        "battery_temperature_min_cc": 2150,
        "battery_temperature_max_cc": 3825,
        "battery_mosfet_temperature_cc": 4400,
        "battery_alarms_flags": 0,
        "battery_requests_flags": 1,
    }


@pytest.mark.parametrize("lacking", sorted(WHOLE))
def test_what_the_device_does_not_tell_is_absent_and_nothing_is_made_of_it(lacking):
    whole, part = values(WHOLE), values({k: v for k, v in WHOLE.items() if k != lacking})
    assert part.items() < whole.items()


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), True, "52", None, [1]])
def test_what_is_no_number_is_not_told(odd):
    assert "battery_voltage_mv" not in values({"voltage": odd})


def test_any_problem_is_an_alarm_that_forbids():
    for said in ({"problem_code": 5}, {"problem": True}, {"problem_code": 0, "problem": True}):
        assert values(said)["battery_alarms_flags"] == 1 << ALARMS["other_alarm"]


def test_no_limit_without_the_word_of_both_switches_and_alarms():
    allowed = Allowance(50_000, 100_000)

    def limits(sample):
        numbers, qualities = complete(FOREIGN, values(sample), allowed)
        found = dict(zip(names(FOREIGN), zip(numbers, qualities, strict=True), strict=True))
        return found["charge_limit_ma"], found["discharge_limit_ma"]

    assert limits(WHOLE) == ((50_000, Quality.GOOD), (0, Quality.GOOD))
    assert limits(WHOLE | {"problem_code": 1}) == ((0, Quality.GOOD), (0, Quality.GOOD))
    for lacking in ("chrg_mosfet", "dischrg_mosfet", "problem_code"):
        part = {k: v for k, v in WHOLE.items() if k != lacking}
        assert limits(part) == ((0, Quality.ABSENT), (0, Quality.ABSENT))


number = st.one_of(st.floats(), st.integers(-(10**12), 10**12), st.booleans(), st.none(), st.text(max_size=3))


@given(
    st.dictionaries(st.sampled_from([k for k in WHOLE if k not in ("cell_voltages", "temp_values")]), number),
    st.lists(number, max_size=40),
    st.lists(st.builds(Sensor, number, st.sampled_from(Kind)), max_size=10),
)
def test_whatever_it_says_becomes_integers_of_known_points(sample, cells, sensors):
    found = values(sample | {"cell_voltages": cells, "temp_values": sensors})
    assert found.keys() <= set(POINTS) and all(type(value) is int for value in found.values())
    complete(FOREIGN, found, None)
