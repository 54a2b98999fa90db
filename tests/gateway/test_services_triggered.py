"""The triggered reserve over time: held, faded, armed again; never twice for one drop of the frequency."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Limits, ServiceKind
from gateway.services import LAWS, Inputs, Memory, complete
from tests.gateway.services_bench import MOST, anything, inside_reach, wrong

KIND = ServiceKind.TRIGGERED
SHORT = {"power_w": 5000, "trigger_mhz": 49_700, "support_s": 7, "fade_s": 5}
LONG = {"power_w": 5000, "trigger_mhz": 49_700, "support_s": 30}


def told(parameters: dict[str, int], seen: Sequence[tuple[int, int | None]]) -> list[int | None]:
    """The power asked at each (second, mHz), with the memory that the law was given back."""
    memory: Memory = ()
    asked: list[int | None] = []
    for second, mhz in seen:
        wish = LAWS[KIND].wish(
            complete(KIND, parameters), Inputs(frequency_mhz=mhz, now_ms=second * 1000, memory=memory)
        )
        asked.append(None if wish is None else wish.power_w)
        memory = memory if wish is None else wish.memory
    return asked


def test_the_whole_power_at_the_trigger_then_a_straight_line_to_nothing() -> None:
    seen = [
        (0, 49_701),
        (1, 49_700),
        (4, 49_950),
        (8, 50_000),
        (9, 50_000),
        (10, 50_000),
        (12, 50_000),
        (13, 50_000),
    ]
    assert told(SHORT, seen) == [0, 5000, 5000, 5000, 4000, 3000, 1000, 0]


def test_without_a_fade_it_ends_at_once() -> None:
    seen = [(0, 49_690), (29, 49_900), (30, 49_900), (31, 49_900)]
    assert told(LONG, seen) == [5000, 5000, 0, 0]


def test_a_frequency_that_stays_low_triggers_once_and_again_only_after_it_was_back() -> None:
    seen = [(0, 49_600), (31, 49_600), (60, 49_600), (61, 49_800), (62, 49_600)]
    assert told(LONG, seen) == [5000, 0, 0, 0, 5000]


def test_it_is_armed_again_after_its_time() -> None:
    seen = [(0, 49_600), (31, 50_000), (100, 49_600), (899, 49_600), (900, 49_600)]
    assert told({**LONG, "rearm_s": 900}, seen) == [5000, 0, 0, 0, 5000]


def test_a_second_drop_while_it_is_held_does_not_prolong_it() -> None:
    seen = [(0, 49_600), (10, 50_000), (20, 49_600), (29, 49_600), (31, 49_600)]
    assert told(LONG, seen)[:4] == [5000] * 4
    assert told(LONG, seen)[4] == 5000, "and then it is a trigger of its own"


def test_a_negative_power_is_charged_at_high_frequency() -> None:
    high = {**LONG, "power_w": -5000, "trigger_mhz": 50_300}
    assert told(high, [(0, 50_299), (1, 50_300), (20, 50_000), (31, 50_000)]) == [0, -5000, -5000, 0]


@pytest.mark.parametrize("mhz", [None, 0, 44_699, 54_701, 65_535_000])
def test_no_frequency_of_a_grid_triggers_nothing_and_ends_nothing(mhz: int | None) -> None:
    assert told(LONG, [(0, mhz)]) == [None]
    assert told(LONG, [(0, 49_700), (10, mhz), (31, mhz)]) == [5000, 5000, None]


def test_the_parameters_it_refuses() -> None:
    assert "power_w must not be 0" in wrong(KIND, {**SHORT, "power_w": 0})
    assert "support_s = 0 is outside" in wrong(KIND, {**SHORT, "support_s": 0})
    assert LAWS[KIND].reach(complete(KIND, SHORT), MOST) == Limits(0, 5000)
    assert LAWS[KIND].reach(complete(KIND, {**SHORT, "power_w": -1}), MOST) == Limits(1, 0)


@given(
    st.lists(st.tuples(st.integers(0, 20), anything), max_size=30),
    st.integers(1, 40),
    st.integers(0, 20),
    st.integers(0, 100),
    st.sampled_from([-5000, 5000]),
)
def test_whatever_is_measured_it_keeps_its_reach_its_time_and_its_rest(
    steps: list[tuple[int, int | None]], support: int, fade: int, rearm: int, power_w: int
) -> None:
    parameters = {
        "power_w": power_w, "trigger_mhz": 50_000, "support_s": support, "fade_s": fade, "rearm_s": rearm,
    }  # fmt: skip
    now, seen = 0, []
    for pause, mhz in steps:
        now += pause
        seen.append((now, mhz))
    began: list[int] = []
    before = 0
    for (second, _), asked in zip(seen, told(parameters, seen), strict=True):
        assert inside_reach(KIND, parameters, MOST, asked)
        if asked == power_w and (not began or second >= began[-1] + max(support + fade, rearm)):
            began.append(second)
        if asked:
            assert second < began[-1] + support + fade
            assert asked == power_w or second >= began[-1] + support
        before = asked or 0
    assert abs(before) <= 5000
    assert all(b - a >= max(support + fade, rearm) for a, b in pairwise(began))
