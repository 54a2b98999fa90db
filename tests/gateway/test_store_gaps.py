"""Gaps wait for a record, grow while they wait, and what grew after they were read is not forgotten."""

import pytest

from gateway.errors import StoreError
from gateway.store import gaps
from tests.gateway.stores import memory


def test_a_gap_that_goes_on_is_one_row() -> None:
    conn = memory()
    gaps.add(conn, "bms", 100, 200, 5, gaps.DROPPED)
    gaps.add(conn, "bms", 200, 300, 2, gaps.DROPPED)
    gaps.add(conn, "meter", 200, 300, 2, gaps.DROPPED)
    gaps.add(conn, gaps.EVERYTHING, 0, 900, 0, gaps.SET_ASIDE)
    found = [(g.device, g.from_ms, g.to_ms, g.lost) for g in gaps.unattested(conn)]
    assert found == [("bms", 100, 300, 7), ("meter", 200, 300, 2), ("", 0, 900, 0)]


def test_attested_gaps_wait_no_more_and_growth_stays_open() -> None:
    conn = memory()
    gaps.add(conn, "bms", 100, 200, 5, gaps.DROPPED)
    gaps.add(conn, "meter", 100, 200, 1, gaps.DROPPED)
    seen = gaps.unattested(conn)
    gaps.add(conn, "bms", 200, 400, 3, gaps.DROPPED)  # while the record was being made
    gaps.attest(conn, seen, 12)
    assert [(g.device, g.from_ms, g.to_ms, g.lost) for g in gaps.unattested(conn)] == [("bms", 200, 400, 3)]
    with pytest.raises(StoreError, match="is not waiting to be attested"):
        gaps.attest(conn, seen[:1], 13)


def test_attested_gaps_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaps, "GAPS_KEPT", 3)
    conn = memory()
    for number in range(8):
        gaps.add(conn, "bms", number, number, 1, gaps.DROPPED)
        gaps.attest(conn, gaps.unattested(conn), number + 1)
    assert [row[0] for row in conn.execute("SELECT record FROM gap ORDER BY id")] == [6, 7, 8]
