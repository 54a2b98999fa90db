"""What is missing and why: readings dropped when the disk was full, a database that was set aside.

A gap waits here until a signed record attests it. Gaps that touch and have the same cause are one row, so
a disk that stays full makes one long gap, not a thousand.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.errors import StoreError
from gateway.store.table import Table

TABLES = (
    Table(
        "gap",
        {
            "id": int,
            "device": str,
            "from_ms": int,
            "to_ms": int,
            "lost": int,
            "cause": str,
            "record": int,
        },
        ("id",),
        ("record WHERE record = 0",),
    ),
)
DROPPED = "readings dropped"  # the disk was full, or too slow to keep up
SET_ASIDE = "database set aside"
EVERYTHING = ""  # as device: all of the site
GAPS_KEPT = 10_000  # attested ones are in signed records, which are kept for ever
_COLUMNS = "id, device, from_ms, to_ms, lost, cause, record"


@dataclass(frozen=True, slots=True)
class Gap:
    """Readings of a device (EVERYTHING: of all) missing between two dates. `lost` 0: nobody knows how many.

    `record` is the sequence of the record that attests it, 0 while none does.
    """

    id: int
    device: str
    from_ms: int
    to_ms: int
    lost: int
    cause: str
    record: int


def add(conn: sqlite3.Connection, device: str, from_ms: int, to_ms: int, lost: int, cause: str) -> None:
    """Note a gap, or lengthen the open one of this device and cause."""
    cursor = conn.execute(
        "UPDATE gap SET from_ms = min(from_ms, ?), to_ms = max(to_ms, ?), lost = lost + ?"
        " WHERE record = 0 AND device = ? AND cause = ?",
        (from_ms, to_ms, lost, device, cause),
    )
    if not cursor.rowcount:
        conn.execute(
            "INSERT INTO gap (device, from_ms, to_ms, lost, cause, record) VALUES (?, ?, ?, ?, ?, 0)",
            (device, from_ms, to_ms, lost, cause),
        )


def unattested(conn: sqlite3.Connection) -> list[Gap]:
    """Gaps that no record speaks of yet, oldest first."""
    return [Gap(*row) for row in conn.execute(f"SELECT {_COLUMNS} FROM gap WHERE record = 0 ORDER BY id")]


def attest(conn: sqlite3.Connection, gaps: Sequence[Gap], sequence: int) -> None:
    """These gaps, as they were read, are in record `sequence` now. Use it in the transaction that appends
    the record. What a gap grew by since it was read stays open, as a gap of its own.
    """
    for gap in gaps:
        query = f"SELECT {_COLUMNS} FROM gap WHERE id = ? AND record = 0"
        row = conn.execute(query, (gap.id,)).fetchone()
        if row is None:
            raise StoreError(f"gap {gap.id} is not waiting to be attested")
        conn.execute(
            "UPDATE gap SET from_ms = ?, to_ms = ?, lost = ?, record = ? WHERE id = ?",
            (gap.from_ms, gap.to_ms, gap.lost, sequence, gap.id),
        )
        now = Gap(*row)
        if now != gap:
            add(conn, gap.device, min(gap.to_ms, now.to_ms), now.to_ms, now.lost - gap.lost, gap.cause)
    conn.execute(
        "DELETE FROM gap WHERE record <> 0 AND id IN (SELECT id FROM gap ORDER BY id DESC LIMIT -1 OFFSET ?)",
        (GAPS_KEPT,),
    )
