"""Which intent carries a site's newest records: durable in the transaction that makes the intent.

So a relayer that is killed anywhere finds what it had on its way, and nothing is sent twice or forgotten. The
records themselves stay at the sites. Functions of a connection, like the modules of gateway.store.
"""

import sqlite3
from collections.abc import Sequence

from gateway.store import cursors, intents
from gateway.store.intents import NewIntent

CALLS = "relayed calls"  # the cursor that numbers them
OPEN = ("queued", "sent")


def begin(
    conn: sqlite3.Connection, contract: str, data: bytes, gas: int, sites: Sequence[str], wall_ms: int
) -> str:
    """Make a call for these sites durable; its key. Empty, and nothing changes, when too many are open."""
    number = cursors.get(conn, CALLS) + 1
    key = f"relay/{number}"
    # Not ordered: calls are of different sites, and what the contract says to one is no matter to another.
    if not intents.add(conn, NewIntent(key, contract, data, gas, ordered=False), wall_ms):
        return ""
    cursors.put(conn, CALLS, number)
    for site in sites:
        cursors.put(conn, _cursor(site), number)
    return key


def of(conn: sqlite3.Connection, site: str) -> str:
    """The key of the intent that carries the site's newest records, while it is open; else empty."""
    number = cursors.get(conn, _cursor(site))
    intent = intents.get(conn, f"relay/{number}") if number else None
    return intent.key if intent and intent.state in OPEN else ""


def _cursor(site: str) -> str:
    return f"relayed/{site}"
