"""The gas promises of the reference contracts. Gas is deterministic, so these are plain assertions."""

from contracts.gas import STEADY_MAX, measure


def test_an_interval_costs_no_more_than_promised_in_steady_state() -> None:
    table = measure()
    assert table["interval, steady, dearest of 40"] <= STEADY_MAX
    assert table["interval, steady, every field full"] <= STEADY_MAX
    assert table["gap, steady"] <= STEADY_MAX
    assert table["interval, first round, dearest"] <= STEADY_MAX + 17_100  # a slot written for the first time
    assert table["delivery, steady"] <= 72_000
    assert table["prove one reading"] <= 65_000
