"""Frequency response: the droop in figures, its sides and knee, its rest, and what is no grid."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.model import Limits, ServiceKind
from gateway.services import LAWS, complete
from gateway.services.frequency import DEVIATION_MAX_MHZ
from gateway.services.law import POWER_MAX_W
from tests.gateway.services_bench import MOST, anything, error, inside_reach, power, wrong

KIND = ServiceKind.FREQUENCY
DROOP = {"power_w": 5000, "deadband_mhz": 20, "full_mhz": 220}
RESTED = {**DROOP, "soc_target_bp": 5000, "soc_power_w": 300}
SIDED = {**DROOP, "charge_bp": 4000, "charge_deadband_mhz": 100, "charge_full_mhz": 200}
BENT = {**DROOP, "knee_mhz": 120, "knee_share_bp": 1000}

_width = st.integers(1, DEVIATION_MAX_MHZ)
_deadband = st.integers(0, 1000)


@st.composite
def droops(draw: st.DrawFn) -> dict[str, int]:
    """Any parameters that are in order, without a rest toward a state of charge."""
    deadband, charge_deadband = draw(_deadband), draw(st.sampled_from([None, 0, 30, 400]))
    found = {
        "power_w": draw(st.integers(0, POWER_MAX_W)),
        "deadband_mhz": deadband,
        "full_mhz": min(DEVIATION_MAX_MHZ, deadband + draw(_width)),
        "discharge_bp": draw(st.integers(0, 10_000)),
        "charge_bp": draw(st.integers(0, 10_000)),
    }
    if charge_deadband is not None:
        found |= {"charge_deadband_mhz": charge_deadband, "charge_full_mhz": charge_deadband + draw(_width)}
        found["charge_full_mhz"] = min(DEVIATION_MAX_MHZ, found["charge_full_mhz"])
    low = max(deadband, charge_deadband or 0) + 1
    high = min(found["full_mhz"], found.get("charge_full_mhz", DEVIATION_MAX_MHZ)) - 1
    if low <= high and draw(st.booleans()):
        found |= {"knee_mhz": draw(st.integers(low, high)), "knee_share_bp": draw(st.integers(1, 10_000))}
    return found


@pytest.mark.parametrize(
    ("mhz", "power_w"),
    [
        (50_000, 0),
        (49_980, 0),
        (50_020, 0),
        (49_979, 25),
        (50_021, -25),
        (49_880, 2500),
        (50_120, -2500),
        (49_780, 5000),
        (49_000, 5000),
        (51_000, -5000),
        (60_000, 0),
        (59_780, 5000),
        (45_000, 5000),
        (44_999, None),
        (65_000, -5000),
        (65_001, None),
        (0, None),
        (None, None),
    ],
)
def test_droop(mhz: int | None, power_w: int | None) -> None:
    assert power(KIND, DROOP, frequency_mhz=mhz) == power_w


@pytest.mark.parametrize(
    ("parameters", "mhz", "power_w"),
    [
        (SIDED, 49_880, 2500),
        (SIDED, 50_100, 0),
        (SIDED, 50_150, -1000),
        (SIDED, 50_200, -2000),
        ({**DROOP, "charge_bp": 0}, 51_000, 0),
        ({**DROOP, "charge_bp": 0}, 49_000, 5000),
        ({**DROOP, "discharge_bp": 0}, 49_000, 0),
        ({**DROOP, "discharge_bp": 0}, 51_000, -5000),
        (BENT, 49_980, 0),
        (BENT, 49_930, 250),
        (BENT, 49_880, 500),
        (BENT, 50_120, -500),
        (BENT, 49_830, 2750),
        (BENT, 49_780, 5000),
        ({**DROOP, "target_mhz": 50_010}, 50_010, 0),
        ({**DROOP, "target_mhz": 50_010}, 49_890, 2500),
        ({**DROOP, "target_mhz": 60_000}, 50_000, None),
        ({**DROOP, "target_mhz": 50_000}, 55_000, -5000),
        ({**DROOP, "target_mhz": 50_000}, 55_001, None),
    ],
)
def test_sides_knee_and_target(parameters: dict[str, int], mhz: int, power_w: int | None) -> None:
    assert power(KIND, parameters, frequency_mhz=mhz) == power_w


@pytest.mark.parametrize(
    ("mhz", "soc_bp", "power_w"),
    [
        (50_000, 8000, 300),
        (50_020, 8000, 300),
        (49_980, 8000, 300),
        (50_000, 2000, -300),
        (50_000, 5201, 300),
        (50_000, 5200, 0),
        (50_000, 4800, 0),
        (50_000, 4799, -300),
        (50_000, None, 0),
        (50_021, 8000, -25),  # beyond the deadband there is only the response
        (49_979, 2000, 25),
        (None, 8000, None),
    ],
)
def test_inside_the_deadband_it_goes_gently_to_its_state_of_charge(
    mhz: int | None, soc_bp: int | None, power_w: int | None
) -> None:
    assert power(KIND, RESTED, frequency_mhz=mhz, soc_bp=soc_bp) == power_w


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"full_mhz": 20}, "full_mhz must be greater than deadband_mhz"),
        ({"charge_deadband_mhz": 10}, "charge_deadband_mhz needs charge_full_mhz"),
        ({"charge_deadband_mhz": 10, "charge_full_mhz": 10}, "charge_full_mhz must be greater"),
        ({"knee_mhz": 100}, "knee_mhz and knee_share_bp belong together"),
        ({"knee_share_bp": 100}, "knee_mhz and knee_share_bp belong together"),
        ({"knee_mhz": 20, "knee_share_bp": 100}, "knee_mhz must lie between"),
        ({"knee_mhz": 220, "knee_share_bp": 100}, "knee_mhz must lie between"),
        ({"knee_mhz": 100, "knee_share_bp": 100, "charge_full_mhz": 90}, "on both sides"),
        ({"target_mhz": 1}, "target_mhz must be 0 or within 1000 of 50000 or 60000"),
        ({"target_mhz": 55_000}, "target_mhz must be"),
        ({"soc_target_bp": 5000}, "soc_target_bp and soc_power_w belong together"),
        ({"soc_power_w": 5000}, "soc_target_bp and soc_power_w belong together"),
    ],
)
def test_what_does_not_fit_together_is_told(changed: dict[str, int], said: str) -> None:
    assert said in wrong(KIND, {**DROOP, **changed})


@pytest.mark.parametrize("parameters", [DROOP, RESTED, SIDED, BENT, {**DROOP, "target_mhz": 49_990}])
def test_what_fits_is_taken(parameters: dict[str, int]) -> None:
    assert wrong(KIND, parameters) == ""


@given(droops(), st.integers(45_000, 54_999), st.integers(45_000, 54_999))
def test_the_slower_the_grid_the_more_is_given(droop: dict[str, int], one: int, other: int) -> None:
    assert wrong(KIND, droop) == ""
    slow, fast = (power(KIND, droop, frequency_mhz=mhz) for mhz in sorted((one, other)))
    assert slow >= fast


@given(droops(), st.integers(0, DEVIATION_MAX_MHZ - 1), st.sampled_from([50_000, 60_000]))
def test_sides_that_are_alike_answer_alike(droop: dict[str, int], deviation: int, nominal: int) -> None:
    same = {**droop, "charge_bp": droop["discharge_bp"], "charge_deadband_mhz": 0, "charge_full_mhz": 0}
    assume(not same.get("knee_mhz") or same["knee_mhz"] < same["full_mhz"])
    slow = power(KIND, same, frequency_mhz=nominal - deviation)
    assert slow == -power(KIND, same, frequency_mhz=nominal + deviation)
    assert slow >= 0
    if deviation <= droop["deadband_mhz"]:
        assert slow == 0
    if deviation >= droop["full_mhz"]:
        assert slow == droop["power_w"] * droop["discharge_bp"] // 10_000


@given(droops(), st.integers(0, POWER_MAX_W), anything, anything)
def test_it_never_asks_for_more_than_its_reach(
    droop: dict[str, int], rest_w: int, mhz: int | None, soc_bp: int | None
) -> None:
    droop = {**droop, "soc_target_bp": 5000 if rest_w else 0, "soc_power_w": rest_w}
    assert inside_reach(KIND, droop, MOST, power(KIND, droop, frequency_mhz=mhz, soc_bp=soc_bp))


@given(droops(), st.integers(45_000, 54_999), anything)
def test_a_good_frequency_is_always_answered_and_never_against_the_grid(
    droop: dict[str, int], mhz: int, soc_bp: int | None
) -> None:
    rested = {**droop, "soc_target_bp": 5000, "soc_power_w": 400}
    answer = power(KIND, droop, frequency_mhz=mhz)
    found = power(KIND, rested, frequency_mhz=mhz, soc_bp=soc_bp)
    assert answer is not None and found is not None
    assert found == answer or (answer == 0 and abs(found) == 400)
    if answer:
        assert (answer > 0) == (mhz < 50_000)


def test_its_reach_is_the_power_of_each_side_or_that_of_its_rest() -> None:
    def reach(parameters: dict[str, int]) -> Limits:
        return LAWS[KIND].reach(complete(KIND, parameters), MOST)

    assert reach(DROOP) == Limits(5000, 5000)
    assert reach(SIDED) == Limits(2000, 5000)
    assert reach({**DROOP, "charge_bp": 0}) == Limits(0, 5000)
    assert reach({**RESTED, "charge_bp": 0}) == Limits(300, 5000)


def test_it_answers_every_sample_and_is_measured_at_the_battery() -> None:
    assert LAWS[KIND].fast
    assert not LAWS[KIND].narrows
    assert error(KIND, DROOP, 2500, battery_w=2400) == 100
