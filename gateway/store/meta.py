"""What the database says of itself: its own id, its starts, and whether it was closed in order.

A start is a `boot` row. Its number orders samples across restarts, because the monotonic clock begins
again; `first_seq` says where its samples begin.
"""

import sqlite3

from gateway.model import Stamp
from gateway.store.table import Table

BOOTS_KEPT = 10_000  # a crash loop of a day at one start each nine seconds; older starts tell nobody anything

TABLES = (
    Table("meta", {"name": str, "value": str}, ("name",)),
    Table("boot", {"boot": int, "first_seq": int, "mono_ms": int, "wall_ms": int, "trust": int}, ("boot",)),
)


def get(conn: sqlite3.Connection, name: str, default: str = "") -> str:
    row = conn.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else default


def put(conn: sqlite3.Connection, name: str, value: str) -> None:
    conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


def begin_boot(conn: sqlite3.Connection, stamp: Stamp) -> int:
    """Count this start; returns its number (1, 2, 3 …)."""
    (boot,) = conn.execute("SELECT coalesce(max(boot), 0) + 1 FROM boot").fetchone()
    (first,) = conn.execute("SELECT coalesce(max(seq), 0) + 1 FROM sample").fetchone()
    row = (boot, first, stamp.mono_ms, stamp.wall_ms, int(stamp.trust))
    conn.execute("INSERT INTO boot VALUES (?, ?, ?, ?, ?)", row)
    conn.execute("DELETE FROM boot WHERE boot <= ?", (boot - BOOTS_KEPT,))
    return int(boot)


def was_closed(conn: sqlite3.Connection) -> bool:
    """Whether the last stop was in order. From here on, until `closed`, a stop is not."""
    before = get(conn, "closed")
    put(conn, "closed", "no")
    return before == "yes"


def closed(conn: sqlite3.Connection) -> None:
    put(conn, "closed", "yes")
