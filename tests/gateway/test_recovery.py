"""Recovery: down at once, up by the rate, never beyond the limit, whatever the cycles."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.recovery import RELAX_BP_PER_S, Edge, moved, relaxed

PLATE_W = 10_000
limits = st.integers(0, PLATE_W)
pauses = st.integers(0, 5000)


def run(steps: list[tuple[int, int]], plate_w: int = PLATE_W) -> list[tuple[int, int, int]]:
    """(pause ms, limit W) -> (now, limit, what counts) each cycle."""
    edge, now_ms, out = None, 1_000, []
    for pause_ms, bound_w in steps:
        now_ms += pause_ms
        out.append((now_ms, bound_w, relaxed(edge, bound_w, now_ms, plate_w)))
        edge = moved(edge, bound_w, now_ms, plate_w)
    return out


def test_in_figures() -> None:
    steps = [(0, 10_000), (1000, 0), (1000, 10_000), (1000, 10_000), (10_000, 10_000), (38_000, 10_000)]
    assert [counts for _, _, counts in run(steps)] == [10_000, 0, 200, 400, 2400, 10_000]
    assert [counts for _, _, counts in run([(0, 3000), (1000, 9000), (1000, 2000)])] == [3000, 3200, 2000]


def test_the_first_limit_counts_as_it_is() -> None:
    assert relaxed(None, 7000, 5, PLATE_W) == 7000
    assert moved(None, 7000, 5, PLATE_W) == Edge(7000, 5)


@given(st.lists(st.tuples(pauses, limits), min_size=1, max_size=60))
def test_never_more_than_the_limit_and_a_fall_at_once(steps: list[tuple[int, int]]) -> None:
    out = run(steps)
    assert all(0 <= counts <= bound for _, bound, counts in out)
    assert all(c1 == b1 for (_, _, c0), (_, b1, c1) in pairwise(out) if b1 <= c0)


@given(st.lists(st.tuples(pauses, limits), min_size=2, max_size=60), st.integers(1, 100_000))
def test_between_any_two_cycles_it_widens_by_no_more_than_the_rate(
    steps: list[tuple[int, int]], plate_w: int
) -> None:
    out = run(steps, plate_w)
    for i, (before_ms, _, before_w) in enumerate(out):
        for now_ms, _, counts_w in out[i + 1 :]:
            assert counts_w <= before_w + plate_w * RELAX_BP_PER_S * (now_ms - before_ms) / 10_000_000 + 1


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=80), st.integers(500, 50_000), limits)
def test_a_steady_limit_is_reached_on_time_however_short_the_cycles(
    pauses_ms: list[int], plate_w: int, low_w: int
) -> None:
    """Small powers and fast cycles: what one cycle adds may be less than a watt, and is still not lost."""
    out = run([(0, low_w), *((pause, 10**6) for pause in pauses_ms)], plate_w)
    now_ms, _, counts_w = out[-1]
    assert counts_w == low_w + plate_w * RELAX_BP_PER_S * (now_ms - 1_000) // 10_000_000


@given(st.integers(2, 20))
def test_a_limit_that_flaps_does_not_make_power_flap(period_s: int) -> None:
    steps = [(0, PLATE_W)] + [(1000, 0 if s // period_s % 2 else PLATE_W) for s in range(period_s, 120)]
    counts = [w for _, _, w in run(steps)]
    assert max(counts[1:]) <= PLATE_W * RELAX_BP_PER_S * period_s // 10_000


def test_a_clock_that_stands_widens_nothing() -> None:
    assert relaxed(Edge(100, 5000), 9000, 5000, PLATE_W) == 100
    assert relaxed(Edge(100, 5000), 9000, 4000, PLATE_W) == 100
