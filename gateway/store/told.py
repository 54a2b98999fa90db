"""What the contracts were told of the site last: one row a subject, so that only news is told again."""

import sqlite3
from dataclasses import dataclass

from gateway.store import intents
from gateway.store.intents import NewIntent
from gateway.store.table import Table

SUBJECTS_MAX = 256  # a site has at most 64 devices, and each system a handful beside them
TABLES = (Table("told", {"subject": str, "value": str, "number": int}, ("subject",)),)


@dataclass(frozen=True, slots=True)
class Told:
    """`number` counts what was told of the subject; `state` is that of the intent that carries the last."""

    value: str
    number: int
    state: str


def key(subject: str, number: int) -> str:
    """Of the intent that carries it."""
    return f"report/{subject}/{number}"


def get(conn: sqlite3.Connection, subject: str) -> Told | None:
    row = conn.execute("SELECT value, number FROM told WHERE subject = ?", (subject,)).fetchone()
    if row is None:
        return None
    carrier = intents.get(conn, key(subject, row[1]))
    return Told(row[0], row[1], carrier.state if carrier else "confirmed")


def tell(conn: sqlite3.Connection, subject: str, value: str, call: NewIntent, wall_ms: int) -> bool:
    """Queue the call that tells it, and note that it is told, as one. `call.key` is the next of the subject.
    False, and nothing changes, when the queue is full or there are too many subjects."""
    known = get(conn, subject)
    if known is None and conn.execute("SELECT count(*) FROM told").fetchone()[0] >= SUBJECTS_MAX:
        return False
    if not intents.add(conn, call, wall_ms):
        return False
    number = known.number + 1 if known else 1
    conn.execute("INSERT OR REPLACE INTO told VALUES (?, ?, ?)", (subject, value, number))
    return True
