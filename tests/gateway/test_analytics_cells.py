"""How far cells are apart: of one sample, at rest apart, and for how long too far."""

import pytest

from gateway.analytics.cells import HOLD_MS, SPREAD_LIMIT_MV, Cells

GROUP = frozenset({"bms", "inverter"})


def cells():
    return Cells(100, (GROUP,))


def test_the_widest_counts_and_rest_is_kept_apart():
    fold = cells()
    fold.note_power("inverter", 0, -2000)
    fold.note_cells("bms", 100, 3300, 3380)
    assert (fold.spread_mv, fold.spread_rest_mv) == (80, None)
    fold.note_power("inverter", 200, 40)
    fold.note_cells("bms", 300, 3300, 3310)
    assert (fold.spread_mv, fold.spread_rest_mv) == (80, 10)


def test_without_a_fresh_power_nobody_knows_that_it_rests():
    fold = cells()
    fold.note_power("inverter", 0, 0)
    fold.note_cells("bms", HOLD_MS + 1, 3300, 3310)
    assert fold.spread_rest_mv is None


@pytest.mark.parametrize("pair", [(0, 3300), (3300, 9000), (3400, 3300)])
def test_a_pair_that_cannot_be_is_none(pair):
    fold = cells()
    fold.note_cells("bms", 0, *pair)
    assert (fold.spread_mv, fold.spread_ms) == (None, 0)


def test_time_too_wide_is_counted_while_it_is_seen():
    fold, wide = cells(), 3300 + SPREAD_LIMIT_MV + 1
    for at_ms in (0, 1000, 2000):
        fold.note_cells("bms", at_ms, 3300, wide)
    fold.note_cells("bms", 60_000, 3300, 3310)
    assert fold.spread_ms == 2000 + HOLD_MS, "a hole counts for no longer than a value holds"
    fold.note_cells("bms", 61_000, 3300, 3310)
    assert fold.spread_ms == 2000 + HOLD_MS
