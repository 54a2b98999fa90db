"""Derating curves: exact at their points, straight between, level beyond; nothing without a measurement."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.derate import WHOLE_BP, Share, share
from gateway.model import Cause, Quantity
from gateway.site import Curve

COLD = Curve(Quantity.BATTERY_TEMPERATURE, charge=((0, 0), (1000, 5000), (4500, 10_000), (5500, 0)))
bp = st.integers(0, WHOLE_BP)
values = st.integers(-5000, 70_000)
points = (
    st.dictionaries(values, bp, min_size=1, max_size=8)
    .map(lambda d: tuple(sorted(d.items())))
    .filter(lambda p: len(p) > 0)
)


def charge_bp(curve: tuple[tuple[int, int], ...], value: int | None) -> int:
    return share(Curve(Quantity.BATTERY_CELL_MAX, charge=curve), value).charge_bp


@pytest.mark.parametrize(
    ("value", "left"),
    [(-2000, 0), (0, 0), (500, 2500), (1000, 5000), (2750, 7500), (4500, 10_000), (5000, 5000), (9999, 0)],
)
def test_in_figures(value: int, left: int) -> None:
    assert share(COLD, value) == Share(Cause.TEMPERATURE, left, WHOLE_BP)


@pytest.mark.parametrize(
    ("over", "cause"),
    [
        (Quantity.BATTERY_TEMPERATURE, Cause.TEMPERATURE),
        (Quantity.BATTERY_CELL_MIN, Cause.CELL),
        (Quantity.BATTERY_CELL_MAX, Cause.CELL),
    ],
)
def test_each_says_what_it_is(over: Quantity, cause: Cause) -> None:
    assert share(Curve(over, discharge=((2900, 0), (3100, 10_000))), 3000) == Share(cause, WHOLE_BP, 5000)


@given(points, points)
def test_invariant_02_what_is_not_measured_allows_nothing(
    charge: tuple[tuple[int, int], ...], discharge: tuple[tuple[int, int], ...]
) -> None:
    over = Quantity.BATTERY_TEMPERATURE
    assert share(Curve(over, charge, discharge), None) == Share(Cause.STALE_LIMIT, 0, 0)
    assert share(Curve(over, charge), None) == Share(Cause.STALE_LIMIT, 0, WHOLE_BP)
    assert share(Curve(over, (), discharge), None) == Share(Cause.STALE_LIMIT, WHOLE_BP, 0)


@given(points, values)
def test_it_is_on_the_line(curve: tuple[tuple[int, int], ...], value: int) -> None:
    """Against exact arithmetic: rounded down, so never above the line and within one part of it."""
    found = charge_bp(curve, value)
    if value <= curve[0][0]:
        assert found == curve[0][1]
    elif value >= curve[-1][0]:
        assert found == curve[-1][1]
    else:
        (x0, y0), (x1, y1) = next(pair for pair in pairwise(curve) if pair[0][0] <= value <= pair[1][0])
        exact = y0 + (y1 - y0) * (value - x0) / (x1 - x0)
        assert exact - 1 <= found <= exact + 1e-6


@given(points)
def test_it_is_exact_at_every_point(curve: tuple[tuple[int, int], ...]) -> None:
    assert [charge_bp(curve, value) for value, _ in curve] == [part for _, part in curve]


@given(points, values, st.integers(1, 5000))
def test_where_no_part_rises_none_is_larger_further_on(
    curve: tuple[tuple[int, int], ...], value: int, step: int
) -> None:
    parts = sorted((part for _, part in curve), reverse=True)
    falling = tuple((x, part) for (x, _), part in zip(curve, parts, strict=True))
    assert charge_bp(falling, value + step) <= charge_bp(falling, value)
