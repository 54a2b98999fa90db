"""Frequency response: the droop in figures, its symmetry and slope, and what is no grid's frequency."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Command, Limits, ServiceKind, Source
from gateway.services import LAWS, problem
from gateway.services.frequency import DEVIATION_MAX_MHZ, POWER_MAX_W
from tests.gateway.services_bench import MOST, inside_reach, target

KIND = ServiceKind.FREQUENCY
DROOP = {"power_w": 5000, "deadband_mhz": 20, "full_mhz": 220}
droops = st.builds(
    lambda power, deadband, width: {
        "power_w": power,
        "deadband_mhz": deadband,
        "full_mhz": min(DEVIATION_MAX_MHZ, deadband + width),
    },
    st.integers(0, POWER_MAX_W),
    st.integers(0, DEVIATION_MAX_MHZ - 1),
    st.integers(1, DEVIATION_MAX_MHZ),
)


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
    assert target(KIND, DROOP, frequency_mhz=mhz) == power_w


def test_a_droop_without_a_slope_asks_for_nothing() -> None:
    flat = {"power_w": 5000, "deadband_mhz": 200, "full_mhz": 200}
    assert target(KIND, flat, frequency_mhz=49_000) == 0
    assert "greater" in problem(Command("00" * 32, Source.CHAIN, KIND, 0, 1, flat))


@given(st.integers(0, 100_000), st.integers(0, 100_000))
def test_droop_is_monotonic(one: int, other: int) -> None:
    low, high = sorted((one, other))
    slow, fast = (target(KIND, DROOP, frequency_mhz=f) for f in (low, high))
    if slow is not None and fast is not None and (low > 55_000) == (high > 55_000):
        assert slow >= fast


@given(droops, st.integers(0, DEVIATION_MAX_MHZ - 1), st.sampled_from([50_000, 60_000]))
def test_any_droop_is_symmetric_flat_inside_and_full_beyond(
    droop: dict[str, int], deviation: int, nominal: int
) -> None:
    slow = target(KIND, droop, frequency_mhz=nominal - deviation)
    assert slow == -target(KIND, droop, frequency_mhz=nominal + deviation)
    assert slow >= 0
    if deviation <= droop["deadband_mhz"]:
        assert slow == 0
    if deviation >= droop["full_mhz"]:
        assert slow == droop["power_w"]


@given(droops, st.one_of(st.none(), st.integers(-(10**6), 10**6)))
def test_it_never_asks_for_more_than_its_reach(droop: dict[str, int], mhz: int | None) -> None:
    assert inside_reach(KIND, droop, MOST, target(KIND, droop, frequency_mhz=mhz))


def test_its_reach_is_its_power_both_ways() -> None:
    assert LAWS[KIND].reach(DROOP, MOST) == Limits(5000, 5000)
