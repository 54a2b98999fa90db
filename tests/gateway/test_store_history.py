"""Pages of one device's history: whole, in order, and never more rows looked at than a page may."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import ClockTrust, Point, Quality, Sample, Stamp
from gateway.store import history, samples
from gateway.store.samples import PointSets
from tests.gateway.stores import WALL_MS, memory

ENERGY, POWER = (Point("meter", "grid_imported_wh"),), (Point("meter", "grid_power_w"),)
OTHER = (Point("bms", "battery_soc_bp"),)


def one(
    points: Any, at: int, value: int, quality: Quality = Quality.GOOD, trust: ClockTrust = ClockTrust.TRUSTED
) -> Sample:
    return Sample(points[0].device, Stamp(at, WALL_MS + at, trust), points, (value,), bytes((quality,)))


@given(
    st.lists(st.tuples(st.sampled_from((ENERGY, OTHER)), st.integers(0, 50)), max_size=60),
    st.integers(1, 7),
    st.integers(1, 9),
)
def test_pages_of_any_size_give_every_sample_once_by_date(stored: list, limit: int, scan: int) -> None:
    conn, sets = memory(), PointSets()
    samples.insert_many(conn, [one(points, at, n) for n, (points, at) in enumerate(stored)], 1, sets)
    found, place, pages = [], (WALL_MS, -1), 0
    while place:
        page = history.page(conn, "meter", place, WALL_MS + 40, limit, sets, scan)
        assert len(page.samples) <= limit
        found += page.samples
        place, pages = page.after, pages + 1
        assert pages <= len(stored) + 1
    wanted = sorted((at, n) for n, (points, at) in enumerate(stored) if points is ENERGY and at < 40)
    assert [(s.stamp.wall_ms - WALL_MS, s.values[0]) for s in found] == wanted


def test_a_page_looks_at_so_many_rows_and_says_where_to_go_on() -> None:
    conn, sets = memory(), PointSets()
    samples.insert_many(conn, [one(OTHER, n, n) for n in range(10)] + [one(ENERGY, 10, 7)], 1, sets)
    page = history.page(conn, "meter", (WALL_MS, -1), WALL_MS + 99, 5, sets, scan=10)
    assert page == history.Page((), (WALL_MS + 9, 10))
    page = history.page(conn, "meter", page.after, WALL_MS + 99, 5, sets, scan=10)
    assert [s.values for s in page.samples] == [(7,)] and page.after is None
    assert history.page(conn, "nobody", (0, -1), WALL_MS + 99, 5, sets) == history.Page((), None)


def test_the_ends_of_a_counter_are_good_dated_and_in_the_span() -> None:
    conn, sets = memory(), PointSets()
    stored = [
        one(ENERGY, 5, 100),
        one(ENERGY, 10, 900, Quality.INVALID),
        one(ENERGY, 11, 800, trust=ClockTrust.UNTRUSTED),
        one(ENERGY, 12, 110),
        one(POWER, 13, 3),
        one(ENERGY, 20, 150, trust=ClockTrust.BACKDATED),
        one(ENERGY, 25, 0, Quality.ABSENT),
        one(ENERGY, 30, 400),
    ]
    samples.insert_many(conn, stored, 1, sets)
    span = (WALL_MS + 10, WALL_MS + 30)
    first, last = history.ends(conn, "meter", ("grid_imported_wh",), span, sets)["grid_imported_wh"]
    assert (first, last) == (history.Point(WALL_MS + 12, 110), history.Point(WALL_MS + 20, 150))
    assert history.ends(conn, "meter", ("pv_energy_wh",), span, sets) == {}
    assert history.ends(conn, "bms", ("grid_imported_wh",), span, sets) == {}


def test_the_newest_are_those_of_this_start() -> None:
    conn, sets = memory(), PointSets()
    samples.insert_many(conn, [one(ENERGY, n, n) for n in range(5)], 1, sets)
    samples.insert_many(conn, [one(ENERGY, n, n) for n in range(5, 8)], 2, sets)
    assert [s.values[0] for s in history.newest(conn, 2, 100, sets)] == [5, 6, 7]
    assert [s.values[0] for s in history.newest(conn, 2, 2, sets)] == [6, 7]
    assert history.newest(memory(), 1, 5, sets) == []


@pytest.mark.parametrize("order", ["ASC", "DESC"])
def test_a_page_is_found_by_the_index(order: str) -> None:
    conn = memory()
    plan = conn.execute(
        f"EXPLAIN QUERY PLAN SELECT {samples.COLUMNS} FROM sample WHERE wall_ms >= 1 AND wall_ms < 9"
        f" ORDER BY wall_ms {order}, seq {order} LIMIT 5"
    ).fetchall()
    assert "USING INDEX" in plan[0][3] and len(plan) == 1  # no sort
