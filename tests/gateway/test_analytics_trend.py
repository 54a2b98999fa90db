"""The slope of the middle: right through outliers, with bounds, and none of too little."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.analytics.trend import POINTS_MAX, POINTS_MIN, SPAN_MS_MIN, YEAR_MS, thinned, trend

DAY_MS = 86_400_000


def line(count, per_year, first=10_000):
    return [(n * 10 * DAY_MS, first + per_year * n * 10 * DAY_MS // YEAR_MS) for n in range(count)]


def test_a_line_is_its_slope_and_outliers_do_not_move_it():
    points = line(30, -200)
    assert trend(points).per_year == pytest.approx(-200, abs=10)
    for place in (3, 9, 17, 26):
        points[place] = (points[place][0], 0)
    found = trend(points)
    assert found.per_year == pytest.approx(-200, abs=40)
    assert found.least <= found.per_year <= found.most


def test_few_days_or_a_short_time_have_no_slope():
    assert trend(line(POINTS_MIN - 1, -200)) is None
    assert trend([(n * DAY_MS, 5) for n in range(POINTS_MIN)]) is None
    spread = [(n * SPAN_MS_MIN // (POINTS_MIN - 1) + n, 5) for n in range(POINTS_MIN)]
    assert trend(spread).per_year == 0


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=200))
def test_thinning_keeps_order_and_bounds(values):
    few = thinned([(n, v) for n, v in enumerate(values)])
    assert 1 <= len(few) <= POINTS_MAX
    assert few == sorted(few, key=lambda p: p[0])
    assert all(min(values) <= v <= max(values) for _, v in few)
