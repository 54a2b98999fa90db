"""The hash chain: every signed record, its digest made durable before its signature exists.

A record follows the one before it in number and names its digest; `append` refuses anything else. Only a
"gap" record may jump: it says what is missing, after a database was lost or restored. Nothing here signs,
and nothing here deletes.
"""

import sqlite3
from dataclasses import dataclass
from enum import StrEnum

from gateway.errors import StoreError
from gateway.model import Record
from gateway.store import cursors
from gateway.store.table import Table

TABLES = (
    Table(
        "record",
        {
            "sequence": int,
            "kind": str,
            "previous": bytes,
            "digest": bytes,
            "body": str,
            "signature": bytes,
            "first_seq": int,
            "last_seq": int,
            "state": str,
        },
        ("sequence",),
        ("state, first_seq WHERE state <> 'confirmed'", "kind, state"),
    ),
)
DIGEST_BYTES = 32
SIGNATURE_BYTES = 65
BEFORE = "signed before"  # a cursor
GENESIS = bytes(DIGEST_BYTES)  # what the first record of a key names as its previous


class RecordState(StrEnum):
    PENDING = "pending"  # digest durable, not signed
    SIGNED = "signed"
    CONFIRMED = "confirmed"  # N blocks deep; what a deeper reorg takes back is sent again
    PASSED = "passed"  # signed, but its contract has no room for it and holds the gap that passes it over


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as stored: with the first and last sample it covers (0, 0: none) and how far it has come."""

    record: Record
    first_seq: int
    last_seq: int
    state: RecordState


_COLUMNS = "sequence, previous, digest, kind, body, signature, first_seq, last_seq, state"
_OPEN = "state <> 'confirmed'"  # written as in the partial index, or SQLite would not use it


def append(conn: sqlite3.Connection, record: Record, first_seq: int = 0, last_seq: int = 0) -> None:
    """Store an unsigned record as the next link. Sign it only after this was committed."""
    if record.signature:
        raise StoreError(f"record {record.sequence} was signed before it was stored")
    if len(record.digest) != DIGEST_BYTES or len(record.previous) != DIGEST_BYTES:
        raise StoreError(f"record {record.sequence}: a digest has {DIGEST_BYTES} bytes")
    _check_link(last(conn), record)
    conn.execute(
        "INSERT INTO record VALUES (?, ?, ?, ?, ?, x'', ?, ?, ?)",
        (
            record.sequence,
            record.kind,
            record.previous,
            record.digest,
            record.body,
            first_seq,
            last_seq,
            RecordState.PENDING,
        ),
    )


def _check_link(before: Record | None, record: Record) -> None:
    sequence, previous = (before.sequence, before.digest) if before else (0, GENESIS)
    if record.kind == "gap" and record.sequence > sequence:
        return
    if record.sequence != sequence + 1:
        raise StoreError(f"record {record.sequence} does not follow {sequence}")
    if record.previous != previous:
        raise StoreError(f"record {record.sequence} does not name the digest of record {sequence}")


def sign(conn: sqlite3.Connection, sequence: int, signature: bytes) -> None:
    """Add the signature to a stored record. A record is signed once; the same signature again is no harm."""
    if len(signature) != SIGNATURE_BYTES:
        raise StoreError(f"a signature has {SIGNATURE_BYTES} bytes, not {len(signature)}")
    found = entry(conn, sequence)
    if found is None:
        raise StoreError(f"record {sequence} cannot be signed: it is not stored")
    if found.record.signature == signature:
        return
    if found.record.signature:
        raise StoreError(f"record {sequence} is already signed")
    conn.execute(
        "UPDATE record SET signature = ?, state = ? WHERE sequence = ?",
        (signature, RecordState.SIGNED, sequence),
    )


def set_state(conn: sqlite3.Connection, sequence: int, state: RecordState) -> None:
    """Confirmed, or un-mined by a reorg. Only a signed record can be either."""
    cursor = conn.execute(
        "UPDATE record SET state = ? WHERE sequence = ? AND signature <> x''", (state, sequence)
    )
    if cursor.rowcount != 1 or state is RecordState.PENDING:
        raise StoreError(f"record {sequence} is not a signed record, so it cannot become {state}")


def last(conn: sqlite3.Connection) -> Record | None:
    """The newest link, or None in an empty chain."""
    row = conn.execute(f"SELECT {_COLUMNS} FROM record ORDER BY sequence DESC LIMIT 1").fetchone()
    return _entry(row).record if row else None


def last_signed(conn: sqlite3.Connection, kind: str = "") -> Record | None:
    """The newest record with a signature, of one kind or of any: it says whose chain this is."""
    query = (
        f"SELECT {_COLUMNS} FROM record WHERE signature <> x'' AND (? = '' OR +kind = ?)"
        " ORDER BY sequence DESC LIMIT 1"
    )
    row = conn.execute(query, (kind, kind)).fetchone()
    return _entry(row).record if row else None


def rotations(conn: sqlite3.Connection, limit: int = 8) -> list[Record]:
    """The newest signed records by which a key handed over, newest first."""
    query = (
        f"SELECT {_COLUMNS} FROM record WHERE kind = 'rotation' AND signature <> x''"
        " ORDER BY sequence DESC LIMIT ?"
    )
    return [_entry(row).record for row in conn.execute(query, (limit,))]


def last_entry(conn: sqlite3.Connection, kind: str) -> Entry | None:
    """The newest record of one kind: where the next interval begins."""
    # The plus: from the newest back, which ends soon; by kind it would sort all of them first.
    query = f"SELECT {_COLUMNS} FROM record WHERE +kind = ? ORDER BY sequence DESC LIMIT 1"
    row = conn.execute(query, (kind,)).fetchone()
    return _entry(row) if row else None


def entry(conn: sqlite3.Connection, sequence: int) -> Entry | None:
    row = conn.execute(f"SELECT {_COLUMNS} FROM record WHERE sequence = ?", (sequence,)).fetchone()
    return _entry(row) if row else None


def entries(conn: sqlite3.Connection, after: int = 0, limit: int = 1000) -> list[Entry]:
    """Records with a sequence above `after`, oldest first."""
    query = f"SELECT {_COLUMNS} FROM record WHERE sequence > ? ORDER BY sequence LIMIT ?"
    return [_entry(row) for row in conn.execute(query, (after, limit))]


def unsigned(conn: sqlite3.Connection) -> list[Record]:
    """Records whose signature is missing (a stop between digest and signature), oldest first."""
    query = f"SELECT {_COLUMNS} FROM record WHERE {_OPEN} AND state = ? ORDER BY sequence"
    return [_entry(row).record for row in conn.execute(query, (RecordState.PENDING,))]


def unconfirmed(conn: sqlite3.Connection, limit: int = 100, from_sequence: int = 0) -> list[Entry]:
    """Signed records that no contract has confirmed yet, oldest first."""
    query = (
        f"SELECT {_COLUMNS} FROM record WHERE {_OPEN} AND state = ? AND sequence >= ?"
        " ORDER BY sequence LIMIT ?"
    )
    return [_entry(row) for row in conn.execute(query, (RecordState.SIGNED, from_sequence, limit))]


def from_next_gap(conn: sqlite3.Connection, sequence: int, limit: int) -> list[Entry]:
    """`unconfirmed`, from the first gap after `sequence` on."""
    query = f"SELECT min(sequence) FROM record WHERE {_OPEN} AND state = ? AND kind = 'gap' AND sequence > ?"
    (found,) = conn.execute(query, (RecordState.SIGNED, sequence)).fetchone()
    return unconfirmed(conn, limit, found) if found else []


def pass_over(conn: sqlite3.Connection, first: int, gap: int) -> None:
    """The contract has taken the record `gap`, and so will never take those from `first` up to it."""
    conn.execute(
        f"UPDATE record SET state = ? WHERE {_OPEN} AND state = ? AND sequence >= ? AND sequence < ?",
        (RecordState.PASSED, RecordState.SIGNED, first, gap),
    )


def note_before(conn: sqlite3.Connection, sequence: int) -> None:
    """Records that are not here were signed with this key: up to `sequence` at least, 0: nobody knows."""
    cursors.put(conn, BEFORE, max(1, sequence))


def before(conn: sqlite3.Connection) -> int:
    """The last sequence that `note_before` was given; 0 when it never was."""
    return cursors.get(conn, BEFORE)


def verify_chain(conn: sqlite3.Connection) -> str:
    """What is wrong with the stored links, in words; empty when nothing is. Digests are not recomputed:
    that takes the typed data, and is what `gridseal verify` does."""
    row = conn.execute(
        "SELECT r.sequence FROM record r LEFT JOIN record p ON p.sequence = r.sequence - 1"
        " WHERE r.kind <> 'gap' AND r.previous <> coalesce(p.digest, iif(r.sequence = 1, ?, x''))"
        " ORDER BY r.sequence LIMIT 1",
        (GENESIS,),
    ).fetchone()
    return f"record {row[0]} does not follow the one before it" if row else ""


def _entry(row: tuple[int, bytes, bytes, str, str, bytes, int, int, str]) -> Entry:
    return Entry(Record(*row[:6]), row[6], row[7], RecordState(row[8]))
