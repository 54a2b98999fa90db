"""What is stored and not yet under a signature: the next samples to attest, deliveries without a record.

A delivery is sealed in the transaction that appends its record, so that a crash between the two cannot
happen. What is asked here is asked twice a second for years, so nothing here reads what was sealed long ago.
"""

import sqlite3

from gateway.errors import StoreError
from gateway.model import ClockTrust, CommandState
from gateway.store.commands import COLUMNS, Order, order_of


def next_dated(conn: sqlite3.Connection, from_ms: int) -> int | None:
    """The date of the earliest sample at or after `from_ms` whose date may be believed."""
    (found,) = conn.execute(
        "SELECT min(wall_ms) FROM sample WHERE wall_ms >= ? AND trust <> ?", (from_ms, ClockTrust.UNTRUSTED)
    ).fetchone()
    return None if found is None else int(found)


def undated(conn: sqlite3.Connection, boot: int) -> bool:
    """Whether samples of this start still wait for a date. The newest tells: all get theirs with the first
    one that is stored on a trusted clock."""
    newest = conn.execute("SELECT boot, trust FROM sample ORDER BY seq DESC LIMIT 1").fetchone()
    return bool(newest == (boot, ClockTrust.UNTRUSTED))


def deliveries(conn: sqlite3.Connection, limit: int = 20) -> list[Order]:
    """Ended commands whose delivery no record speaks of yet, oldest end first."""
    rows = conn.execute(
        f"SELECT {COLUMNS} FROM command WHERE record = 0 AND outcome <> '' AND +state IN (?, ?)"
        " ORDER BY ended_ms LIMIT ?",
        (CommandState.DONE, CommandState.CUT_SHORT, limit),
    )
    return [order_of(row) for row in rows]


def seal(conn: sqlite3.Connection, command_id: str, sequence: int) -> None:
    """Record `sequence` speaks of this command's delivery."""
    query = "UPDATE command SET record = ? WHERE id = ? AND record = 0"
    if not conn.execute(query, (sequence, command_id)).rowcount:
        raise StoreError(f"command {command_id} is not stored, or its delivery is sealed already")
