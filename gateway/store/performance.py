"""One tally for each sealed interval, so that figures outlive the readings that they were made of.

Bounded: the newest are kept as they are sealed, older ones as one a day, and of those the oldest go. It
refuses to compute: what a tally means is in gateway.analytics. A row that cannot be read is no figure, and no
reason to stop what depends on none.
"""

import json
import sqlite3
from dataclasses import asdict, fields

from gateway.analytics import tally
from gateway.analytics.period import DAY_MS
from gateway.analytics.tally import Tally
from gateway.store.table import Table

TABLES = (Table("performance", {"start_ms": int, "end_ms": int, "body": str}, ("start_ms",)),)
FINE_ROWS = 10_000  # a hundred days of quarter hours
DAY_ROWS = 10_000  # 27 years
_UNSAID = {f.name: f.default for f in fields(Tally)}


def put(conn: sqlite3.Connection, found: Tally) -> None:
    """Store the tally of an interval that was sealed just now. Once more, it replaces itself."""
    _write(conn, found)
    _compact(conn)


def _write(conn: sqlite3.Connection, found: Tally) -> None:
    known = {name: value for name, value in asdict(found).items() if value != _UNSAID[name]}
    body = json.dumps(known, separators=(",", ":"))
    row = (found.start_ms, found.end_ms, body)
    conn.execute("INSERT OR REPLACE INTO performance VALUES (?, ?, ?)", row)


def last(conn: sqlite3.Connection) -> Tally | None:
    """The newest."""
    row = conn.execute("SELECT * FROM performance ORDER BY start_ms DESC LIMIT 1").fetchone()
    return _tally(row) if row else None


def between(conn: sqlite3.Connection, start_ms: int, end_ms: int) -> list[Tally]:
    """Those that begin within, oldest first: intervals, and days where only those are kept."""
    query = "SELECT * FROM performance WHERE start_ms >= ? AND start_ms < ? ORDER BY start_ms"
    found = map(_tally, conn.execute(query, (start_ms, end_ms)))
    return [one for one in found if one is not None]


def newest_ms(conn: sqlite3.Connection) -> int:
    """Where the newest ends; 0 when there is none. Cheap: whether there is something new."""
    row = conn.execute("SELECT end_ms FROM performance ORDER BY start_ms DESC LIMIT 1").fetchone()
    return int(row[0]) if row else 0


def _compact(conn: sqlite3.Connection) -> None:
    """When there are too many, make one row of the oldest day that has several; drop the oldest days of
    all."""
    (rows,) = conn.execute("SELECT count(*) FROM performance").fetchone()
    if rows <= FINE_ROWS:
        return
    query = (
        "SELECT start_ms / ?1 FROM performance GROUP BY start_ms / ?1 HAVING count(*) > 1 ORDER BY 1 LIMIT 1"
    )
    found = conn.execute(query, (DAY_MS,)).fetchone()
    today = newest_ms(conn) // DAY_MS
    if found and found[0] < today:
        _as_one(conn, int(found[0]) * DAY_MS)
    excess = rows - FINE_ROWS - DAY_ROWS
    if excess > 0:
        oldest = "SELECT start_ms FROM performance ORDER BY start_ms LIMIT ?"
        conn.execute(f"DELETE FROM performance WHERE start_ms IN ({oldest})", (excess,))


def _as_one(conn: sqlite3.Connection, start_ms: int) -> None:
    day = tally.merge(between(conn, start_ms, start_ms + DAY_MS))
    if day is not None:
        conn.execute(
            "DELETE FROM performance WHERE start_ms >= ? AND start_ms < ?", (start_ms, start_ms + DAY_MS)
        )
        _write(conn, day)


def _tally(row: tuple[int, int, str]) -> Tally | None:
    try:
        known = json.loads(row[2])
    except ValueError:
        return None
    if not isinstance(known, dict) or not all(type(v) is int for v in known.values()):
        return None
    return Tally(
        **({"start_ms": row[0], "end_ms": row[1]} | {n: v for n, v in known.items() if n in _UNSAID})
    )
