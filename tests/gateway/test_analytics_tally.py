"""Tallies: what an interval says already, and that portions do not matter."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.analytics import tally
from gateway.analytics.tally import Tally
from gateway.model import IntervalFlag
from tests.gateway.analytics_samples import TALLIES
from tests.gateway.evidence_samples import INTERVAL


def test_an_interval_gives_its_energies_and_states():
    found = tally.of(replace(INTERVAL, flags=0))
    assert (found.start_ms, found.end_ms) == (INTERVAL.start_ms, INTERVAL.end_ms)
    assert (found.charged_wh, found.discharged_wh) == (INTERVAL.charged_wh, INTERVAL.discharged_wh)
    assert (found.soc_bp, found.soh_bp) == (INTERVAL.soc_bp, INTERVAL.soh_bp)
    unknown = tally.of(replace(INTERVAL, flags=int(IntervalFlag.SOC_UNKNOWN), soh_bp=0))
    assert (unknown.soc_bp, unknown.soh_bp) == (None, None)


@given(st.lists(TALLIES, min_size=1, max_size=6), st.integers(1, 5))
def test_merging_is_associative(tallies, cut):
    parts = [p for p in (tallies[:cut], tallies[cut:]) if p]
    assert tally.merge(tally.merge(p) for p in parts) == tally.merge(tallies)


def test_none_of_none_and_extremes_of_some():
    assert tally.merge([]) is None
    one = Tally(0, 10, charged_wh=5, temperature_min_cc=-50, spread_mv=7, battery_alarms_flags=1, soc_bp=5000)
    two = Tally(10, 20, charged_wh=6, temperature_max_cc=90, spread_mv=3, battery_alarms_flags=4)
    both = tally.merged(one, two)
    assert (both.start_ms, both.end_ms, both.charged_wh) == (0, 20, 11)
    assert (both.temperature_min_cc, both.temperature_max_cc, both.spread_mv) == (-50, 90, 7)
    assert (both.battery_alarms_flags, both.soc_bp) == (5, 5000), "the last charge that was known"
