"""The hash chain in the store: only the next link fits, a signature comes after, nothing is signed twice."""

import sqlite3

import pytest

from gateway.errors import StoreError
from gateway.model import Record
from gateway.store import records
from gateway.store.records import RecordState
from tests.gateway.stores import digest, memory, record

SIGNATURE = bytes(range(65))


def chain(length: int) -> sqlite3.Connection:
    conn = memory()
    for sequence in range(1, length + 1):
        records.append(conn, record(sequence, digest(sequence - 1)), 10 * sequence, 10 * sequence + 9)
    return conn


def test_links_are_appended_signed_and_confirmed() -> None:
    conn = chain(3)
    assert records.last(conn) == record(3, digest(2))
    assert [r.sequence for r in records.unsigned(conn)] == [1, 2, 3]
    records.sign(conn, 1, SIGNATURE)
    records.sign(conn, 2, SIGNATURE)
    assert [r.sequence for r in records.unsigned(conn)] == [3]
    assert [e.record.sequence for e in records.unconfirmed(conn)] == [1, 2]
    records.set_state(conn, 1, RecordState.CONFIRMED)
    assert [e.record.sequence for e in records.unconfirmed(conn)] == [2]
    records.set_state(conn, 1, RecordState.SIGNED)  # a reorg
    assert [e.record.sequence for e in records.unconfirmed(conn)] == [1, 2]
    assert [e.state for e in records.entries(conn, after=1)] == [RecordState.SIGNED, RecordState.PENDING]
    found = records.entry(conn, 2)
    assert found is not None and (found.first_seq, found.last_seq) == (20, 29)
    assert found.record.signature == SIGNATURE
    assert records.verify_chain(conn) == ""


def test_the_newest_signature_says_whose_chain_it_is() -> None:
    conn = chain(3)
    assert records.last_signed(conn) is None
    records.sign(conn, 1, SIGNATURE)
    records.sign(conn, 2, SIGNATURE)
    found = records.last_signed(conn)
    assert found is not None and (found.sequence, found.signature) == (2, SIGNATURE)


def test_an_empty_chain_has_no_last_link() -> None:
    conn = memory()
    assert (records.last(conn), records.entry(conn, 1), records.last_entry(conn, "interval")) == (None,) * 3
    assert records.verify_chain(conn) == ""


@pytest.mark.parametrize(
    ("link", "says"),
    [
        (record(4, digest(2)), "record 4 does not follow 2"),
        (record(2, digest(2)), "record 2 does not follow 2"),
        (record(3, digest(1)), "record 3 does not name the digest of record 2"),
        (record(2, digest(2), "gap"), "record 2 does not follow 2"),
        (Record(3, digest(2), b"short", "interval", "{}"), "a digest has 32 bytes"),
        (Record(3, digest(2), digest(3), "interval", "{}", SIGNATURE), "signed before it was stored"),
    ],
)
def test_a_link_that_does_not_fit_is_refused(link: Record, says: str) -> None:
    conn = chain(2)
    with pytest.raises(StoreError, match=says):
        records.append(conn, link)
    assert records.last(conn) == record(2, digest(1))


def test_a_gap_may_jump_ahead_and_the_chain_goes_on_from_it() -> None:
    conn = chain(2)
    records.append(conn, record(9, b"\7" * 32, "gap"))
    records.append(conn, record(10, digest(9)))
    assert records.verify_chain(conn) == ""
    assert [e.record.sequence for e in records.entries(conn, limit=3)] == [1, 2, 9]
    interval, gap = records.last_entry(conn, "interval"), records.last_entry(conn, "gap")
    assert interval is not None and interval.record.sequence == 10
    assert gap is not None and gap.record.sequence == 9


def test_signing_what_is_not_there_or_twice_is_refused() -> None:
    conn = chain(1)
    with pytest.raises(StoreError, match="not stored"):
        records.sign(conn, 2, SIGNATURE)
    with pytest.raises(StoreError, match="65 bytes, not 2"):
        records.sign(conn, 1, b"\1\2")
    records.sign(conn, 1, SIGNATURE)
    records.sign(conn, 1, SIGNATURE)  # the same again, after a crash
    with pytest.raises(StoreError, match="already signed"):
        records.sign(conn, 1, bytes(65))


def test_only_a_signed_record_can_be_confirmed() -> None:
    conn = chain(1)
    with pytest.raises(StoreError, match="not a signed record"):
        records.set_state(conn, 1, RecordState.CONFIRMED)
    records.sign(conn, 1, SIGNATURE)
    with pytest.raises(StoreError, match="cannot become pending"):
        records.set_state(conn, 1, RecordState.PENDING)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE record SET previous = x'01' WHERE sequence = 3",
        "UPDATE record SET digest = zeroblob(32) WHERE sequence = 2",
        "DELETE FROM record WHERE sequence = 2",
    ],
)
def test_a_changed_chain_does_not_verify(damage: str) -> None:
    conn = chain(4)
    conn.execute(damage)
    assert records.verify_chain(conn) == "record 3 does not follow the one before it"
    conn.execute("DELETE FROM record WHERE sequence < 4")
    assert records.verify_chain(conn) == "record 4 does not follow the one before it"


def test_the_open_ones_are_found_by_index() -> None:
    plan = memory().execute(
        "EXPLAIN QUERY PLAN SELECT sequence FROM record WHERE state <> 'confirmed' AND state = ?", ("signed",)
    )
    assert "INDEX record_0" in plan.fetchone()[3]


def test_what_a_gap_passes_over_waits_for_nothing_more() -> None:
    conn = chain(3)
    records.append(conn, record(4, digest(3), "gap"))
    for sequence in range(1, 5):
        records.sign(conn, sequence, SIGNATURE)
    assert [e.record.sequence for e in records.from_next_gap(conn, 1, 10)] == [4]
    assert records.from_next_gap(conn, 4, 10) == []
    records.set_state(conn, 1, RecordState.CONFIRMED)
    records.pass_over(conn, 2, 4)
    states = [e.state for e in records.entries(conn)]
    assert states == [RecordState.CONFIRMED, RecordState.PASSED, RecordState.PASSED, RecordState.SIGNED]
    assert [e.record.sequence for e in records.unconfirmed(conn)] == [4]


def test_the_newest_signed_one_of_a_kind_is_found() -> None:
    conn = chain(3)
    records.append(conn, record(4, digest(3), "gap"))
    assert records.last_signed(conn) is None
    for sequence in (1, 2, 4):
        records.sign(conn, sequence, SIGNATURE)
    found = [records.last_signed(conn, kind) for kind in ("", "interval", "gap", "delivery")]
    assert [r.sequence if r else 0 for r in found] == [4, 2, 4, 0]
