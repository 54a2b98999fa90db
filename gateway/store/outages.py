"""What the last process knew of the grid when it ended, and whether the machine was started since.

It refuses to judge what that means: gateway.outage does.
"""

import sqlite3

from gateway.store import meta

NAME = "grid"
AWAY, THERE = "away", "there"


def note(conn: sqlite3.Connection, away: bool) -> None:
    """The grid is gone, or back and not yet stable; or it is there."""
    meta.put(conn, NAME, AWAY if away else THERE)


def left(conn: sqlite3.Connection, now_ms: int) -> tuple[bool, bool]:
    """Whether it was `away`, and whether the machine was started since, by its monotonic clock `now_ms`."""
    return meta.get(conn, NAME, THERE) == AWAY, now_ms < _last_ms(conn)


def _last_ms(conn: sqlite3.Connection) -> int:
    """The last moment known of the lives before this one; 0 if none is."""
    query = """
        SELECT max(mono_ms) FROM (
            SELECT mono_ms FROM (SELECT mono_ms FROM boot ORDER BY boot DESC LIMIT 1 OFFSET 1)
            UNION ALL
            SELECT mono_ms FROM (
                SELECT mono_ms FROM sample WHERE seq < (SELECT first_seq FROM boot ORDER BY boot DESC LIMIT 1)
                ORDER BY seq DESC LIMIT 1
            )
        )"""
    return int(conn.execute(query).fetchone()[0] or 0)
