"""Usable capacity from deep discharges, and how wrong the steps of the SoC can make it."""

import pytest

from gateway.analytics import capacity
from gateway.analytics.tally import Tally


@pytest.mark.parametrize(
    ("swings", "wh", "bp", "found", "error"),
    [(1, 4700, 5000, 9400, 200), (4, 18_800, 20_000, 9400, 100), (1, 4000, 4000, 10_000, 250)],
)
def test_a_deep_swing_measures(swings, wh, bp, found, error):
    tally = Tally(0, 1, swings=swings, swing_wh=wh, swing_bp=bp)
    assert (capacity.capacity_wh(tally), capacity.error_bp(tally)) == (found, error)


def test_a_shallow_one_does_not():
    tally = Tally(0, 1, swings=1, swing_wh=3900, swing_bp=3999)
    assert (capacity.capacity_wh(tally), capacity.error_bp(tally)) == (None, None)


@pytest.mark.parametrize(
    ("measured", "rated", "found"),
    [(9000, 10_000, 9000), (10_500, 10_000, 10_500), (None, 1, None), (1, 0, None)],
)
def test_health_is_measured_against_rated(measured, rated, found):
    assert capacity.health_bp(measured, rated) == found
