"""Equivalent full cycles: what went in and out, in capacities."""

import pytest

from gateway.analytics.cycles import cycles_milli


@pytest.mark.parametrize(
    ("charged", "discharged", "capacity", "found"),
    [(10_000, 10_000, 10_000, 1000), (1000, 1000, 10_000, 100), (0, 5, 10_000, 0), (0, 10, 10_000, 1),
     (1, 1, 0, None), (1, 1, None, None)],
)  # fmt: skip
def test_cycles(charged, discharged, capacity, found):
    assert cycles_milli(charged, discharged, capacity) == found
