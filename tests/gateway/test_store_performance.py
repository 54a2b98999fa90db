"""Tallies as rows: what comes out is what went in, days take the place of intervals, and there is a bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.analytics import period, tally
from gateway.analytics.tally import Tally
from gateway.store import performance
from tests.gateway.analytics_samples import TALLIES
from tests.gateway.stores import memory
from tests.gateway.tallies import DAY_MS, QUARTER_MS, Battery


@given(TALLIES)
def test_what_comes_out_is_what_went_in(one: Tally) -> None:
    conn = memory()
    performance.put(conn, one)
    assert performance.last(conn) == one
    assert performance.newest_ms(conn) == one.end_ms
    assert performance.between(conn, one.start_ms, one.start_ms + 1) == [one]
    assert performance.between(conn, one.start_ms + 1, 2**62) == []


def test_an_empty_store_has_no_figures() -> None:
    conn = memory()
    assert performance.last(conn) is None
    assert performance.newest_ms(conn) == 0


def test_an_interval_sealed_again_replaces_itself() -> None:
    conn = memory()
    for charged in (5, 6):
        performance.put(conn, Tally(0, QUARTER_MS, charged))
    assert [t.charged_wh for t in performance.between(conn, 0, DAY_MS)] == [6]


def test_old_days_become_one_row_each_and_their_figures_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performance, "FINE_ROWS", 200)
    conn, everything = memory(), list(Battery().days(6))
    for one in everything:
        performance.put(conn, one)
    kept = performance.between(conn, 0, 6 * DAY_MS)
    assert len(kept) <= 200 + 1
    assert kept[-96:] == everything[-96:]
    assert list(period.by_day(kept)) == list(period.by_day(everything))
    assert tally.merge(kept) == tally.merge(everything)


def test_the_oldest_days_go_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performance, "FINE_ROWS", 5)
    monkeypatch.setattr(performance, "DAY_ROWS", 3)
    conn = memory()
    for day in range(40):
        performance.put(conn, Tally(day * DAY_MS, day * DAY_MS + QUARTER_MS, day))
    kept = performance.between(conn, 0, 2**62)
    assert [t.charged_wh for t in kept] == list(range(32, 40))


@pytest.mark.parametrize("body", ["", "[]", "{", '{"charged_wh": "7"}', '{"charged_wh": 1.5}', "null"])
def test_a_row_that_cannot_be_read_is_no_figure(body: str) -> None:
    conn = memory()
    performance.put(conn, Tally(0, 1, 7))
    conn.execute("INSERT INTO performance VALUES (1, 2, ?)", (body,))
    assert performance.last(conn) is None
    assert [t.charged_wh for t in performance.between(conn, 0, 9)] == [7]


def test_what_a_newer_program_added_is_left_out() -> None:
    conn = memory()
    conn.execute("""INSERT INTO performance VALUES (1, 2, '{"charged_wh":7,"new_wh":1}')""")
    assert performance.last(conn) == Tally(1, 2, 7)


@given(st.lists(TALLIES, min_size=1, max_size=6, unique_by=lambda t: t.start_ms))
def test_they_come_in_order_of_time(some: list[Tally]) -> None:
    conn = memory()
    for one in some:
        performance.put(conn, one)
    assert performance.between(conn, -(2**62), 2**62) == sorted(some, key=lambda t: t.start_ms)
