"""What is to be sent to the chain, durable before it is: intents, their transactions, their nonces.

An intent is one call to a contract; it gets one nonce and as many signed transactions as its fees need
raises, each stored before any endpoint sees it. A nonce is given once: the table forbids a second use. What
is on its way is never dropped; of finished intents the newest are kept. Wei and gas are the chain's smallest
unit and what its price is for: on Stacks microSTX, and a byte. It refuses to know RPC and keys.
"""

import sqlite3
from dataclasses import dataclass

from gateway.errors import StoreError
from gateway.store.table import Table

OPEN_MAX = 1024  # queued and on their way; whoever adds waits and reads on from its own cursor
FINISHED_KEPT = 10_000  # about 100 days of 15-minute intervals, for status and export
REFERENCES_KEPT = 10_000
NO_NONCE = -1

TABLES = (
    Table(
        "intent",
        {
            "id": int,
            "key": str,
            "contract": str,
            "data": bytes,
            "gas": int,
            "ordered": int,
            "after": str,
            "state": str,
            "sender": str,
            "nonce": int,
            "cost_wei": int,
            "paid_wei": int,
            "gas_used": int,
            "block_number": int,
            "block_hash": str,
            "mined_hash": str,
            "created_ms": int,
            "sent_ms": int,
        },
        ("id",),
        ("key", "state WHERE state IN ('queued', 'sent')", "sent_ms"),
    ),
    Table(
        "outgoing",
        {
            "intent": int,
            "number": int,
            "hash": str,
            "raw": bytes,
            "max_wei": int,
            "tip_wei": int,
            "published": int,
        },
        ("intent", "number"),
    ),
    Table("reference", {"command": str, "text": str}, ("command",)),
    Table("nonce", {"sender": str, "nonce": int, "intent": int}, ("sender", "nonce")),
)
OPEN = "state IN ('queued', 'sent')"  # as in the partial index, or SQLite would not use it


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One signed transaction of an intent."""

    hash: str
    raw: bytes
    max_wei: int
    tip_wei: int
    published: bool = False


@dataclass(frozen=True, slots=True)
class Intent:
    """A call to be sent. `gas` bounds it, `ordered` ones keep their order; `nonce` is NO_NONCE until given.

    state: queued, sent (has a nonce), confirmed, reverted (on chain, failed), refused (would fail, never
    sent). `cost_wei` is the most it may cost while sent and what it cost when finished.
    """

    id: int
    key: str
    contract: str
    data: bytes
    gas: int
    state: str
    sender: str
    nonce: int
    cost_wei: int
    gas_used: int
    block_number: int
    block_hash: str
    ordered: bool


_COLUMNS = (
    "id, key, contract, data, gas, state, sender, nonce, cost_wei, gas_used,"
    " block_number, block_hash, ordered"
)


@dataclass(frozen=True, slots=True)
class NewIntent:
    """A call to be added under a key that is unique for ever.

    `gas` bounds it where it cannot be estimated because others are before it. `ordered` calls are sent in
    the order they were added: one that the contract refuses for the moment holds up those after it. A call
    with `after` waits for that key to be confirmed, and is refused with it.
    """

    key: str
    contract: str
    data: bytes
    gas: int
    ordered: bool = True
    after: str = ""


def add(conn: sqlite3.Connection, call: NewIntent, created_ms: int) -> bool:
    """Queue a call. False, and nothing changes, when its key is known or the queue is full."""
    if conn.execute("SELECT 1 FROM intent WHERE key = ?", (call.key,)).fetchone():
        return False
    if count_open(conn) >= OPEN_MAX:
        return False
    conn.execute(
        "INSERT INTO intent (key, contract, data, gas, ordered, after, state, sender, nonce, cost_wei,"
        " paid_wei, gas_used, block_number, block_hash, mined_hash, created_ms, sent_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, 'queued', '', ?, 0, 0, 0, 0, '', '', ?, 0)",
        (
            call.key,
            call.contract.lower(),
            call.data,
            call.gas,
            int(call.ordered),
            call.after,
            NO_NONCE,
            created_ms,
        ),
    )
    return True


def count_open(conn: sqlite3.Connection) -> int:
    return int(conn.execute(f"SELECT count(*) FROM intent WHERE {OPEN}").fetchone()[0])


def get(conn: sqlite3.Connection, key: str) -> Intent | None:
    row = conn.execute(f"SELECT {_COLUMNS} FROM intent WHERE key = ?", (key,)).fetchone()
    return _intent(row) if row else None


def queued(conn: sqlite3.Connection, limit: int = OPEN_MAX) -> list[Intent]:
    """Without a nonce and not waiting for another, in the order they were added."""
    query = (
        f"SELECT {_COLUMNS} FROM intent WHERE {OPEN} AND state = 'queued' AND (after = '' OR EXISTS"
        " (SELECT 1 FROM intent b WHERE b.key = intent.after AND b.state = 'confirmed')) ORDER BY id LIMIT ?"
    )
    return [_intent(row) for row in conn.execute(query, (limit,))]


def sent(conn: sqlite3.Connection, sender: str) -> list[tuple[Intent, list[Outgoing]]]:
    """With a nonce and not finished, by nonce, each with its transactions, oldest first."""
    query = f"SELECT {_COLUMNS} FROM intent WHERE {OPEN} AND state = 'sent' AND sender = ? ORDER BY nonce"
    return [(i, outgoing(conn, i.id)) for i in map(_intent, conn.execute(query, (sender,)).fetchall())]


def outgoing(conn: sqlite3.Connection, intent: int) -> list[Outgoing]:
    query = "SELECT hash, raw, max_wei, tip_wei, published FROM outgoing WHERE intent = ? ORDER BY number"
    return [Outgoing(h, r, m, t, bool(p)) for h, r, m, t, p in conn.execute(query, (intent,))]


def next_nonce(conn: sqlite3.Connection, sender: str) -> int:
    """One above the highest ever given to this sender; 0 for the first."""
    (highest,) = conn.execute("SELECT max(nonce) FROM nonce WHERE sender = ?", (sender,)).fetchone()
    return 0 if highest is None else int(highest) + 1


def give_nonce(
    conn: sqlite3.Connection,
    intent: int,
    sender: str,
    nonce: int,
    first: Outgoing,
    gas: int,
    now_ms: int,
) -> None:
    """Bind a queued intent to its nonce and first transaction. StoreError when either is taken."""
    if nonce < next_nonce(conn, sender):
        raise StoreError(f"nonce {nonce} of {sender} was given before and is not given twice")
    moved = conn.execute(
        "UPDATE intent SET state = 'sent', sender = ?, nonce = ?, gas = ?, cost_wei = ?, sent_ms = ?"
        " WHERE id = ? AND state = 'queued'",
        (sender, nonce, gas, gas * first.max_wei, now_ms, intent),
    )
    if moved.rowcount != 1:
        raise StoreError(f"intent {intent} is not queued and gets no nonce")
    conn.execute("INSERT INTO nonce VALUES (?, ?, ?)", (sender, nonce, intent))
    _add_outgoing(conn, intent, first)


def claim(
    conn: sqlite3.Connection,
    intent: int,
    sender: str,
    nonce: int,
    first: Outgoing,
    gas: int,
    now_ms: int,
) -> Intent | None:
    """`give_nonce` if it is still queued, and the intent as it is then; None when it was withdrawn."""
    if not _is_queued(conn, intent):
        return None
    give_nonce(conn, intent, sender, nonce, first, gas, now_ms)
    return _intent(conn.execute(f"SELECT {_COLUMNS} FROM intent WHERE id = ?", (intent,)).fetchone())


def withdraw(conn: sqlite3.Connection, intent: int) -> bool:
    """End one that is still queued as refused. False, and nothing changes, when it is no longer: with a
    nonce it must be followed to its end, or the nonce would be a hole that holds up all after it."""
    if not _is_queued(conn, intent):
        return False
    finish(conn, intent, "refused")
    return True


def _is_queued(conn: sqlite3.Connection, intent: int) -> bool:
    query = "SELECT 1 FROM intent WHERE id = ? AND state = 'queued'"
    return conn.execute(query, (intent,)).fetchone() is not None


def raise_fees(conn: sqlite3.Connection, intent: int, dearer: Outgoing) -> None:
    """Store another transaction for the same nonce, and what it may cost at most."""
    moved = conn.execute(
        "UPDATE intent SET cost_wei = max(cost_wei, gas * ?) WHERE id = ? AND state = 'sent'",
        (dearer.max_wei, intent),
    )
    if moved.rowcount != 1:
        raise StoreError(f"intent {intent} has no nonce, so no second transaction")
    _add_outgoing(conn, intent, dearer)


def _add_outgoing(conn: sqlite3.Connection, intent: int, t: Outgoing) -> None:
    (number,) = conn.execute("SELECT count(*) FROM outgoing WHERE intent = ?", (intent,)).fetchone()
    conn.execute(
        "INSERT INTO outgoing VALUES (?, ?, ?, ?, ?, ?, 0)",
        (intent, number, t.hash, t.raw, t.max_wei, t.tip_wei),
    )


def published(conn: sqlite3.Connection, transaction: str) -> None:
    conn.execute("UPDATE outgoing SET published = 1 WHERE hash = ?", (transaction,))


def place(conn: sqlite3.Connection, intent: int, block_number: int, block_hash: str) -> None:
    """Where it is mined now; 0 and empty when a reorg took it out."""
    conn.execute(
        "UPDATE intent SET block_number = ?, block_hash = ? WHERE id = ?", (block_number, block_hash, intent)
    )


def requeue(conn: sqlite3.Connection, intent: int) -> None:
    """A stranger spent its nonce for good: its transactions are dead, it waits for another nonce."""
    conn.execute("DELETE FROM outgoing WHERE intent = ?", (intent,))
    conn.execute(
        "UPDATE intent SET state = 'queued', nonce = ?, cost_wei = 0, block_number = 0, block_hash = ''"
        " WHERE id = ? AND state = 'sent'",
        (NO_NONCE, intent),
    )


def adopt(conn: sqlite3.Connection, sender: str) -> None:
    """Another key than before pays from now on: what the old one has on its way waits for a nonce of
    `sender`. Should the old transaction be mined all the same, the contract refuses the second."""
    rows = conn.execute(f"SELECT id FROM intent WHERE {OPEN} AND state = 'sent' AND sender <> ?", (sender,))
    for (intent,) in rows.fetchall():
        requeue(conn, intent)


def finish(
    conn: sqlite3.Connection,
    intent: int,
    state: str,
    cost_wei: int = 0,
    gas_used: int = 0,
    mined_hash: str = "",
) -> None:
    """Confirmed, reverted or refused, with what it cost and the transaction that did it; not confirmed
    ends those that wait for it, too. Old finished ones are forgotten."""
    if state not in ("confirmed", "reverted", "refused"):
        raise StoreError(f"{state} is no end of an intent")
    moved = conn.execute(
        f"UPDATE intent SET state = ?, cost_wei = ?, gas_used = ?, mined_hash = ? WHERE id = ? AND {OPEN}",
        (state, cost_wei, gas_used, mined_hash, intent),
    )
    if moved.rowcount != 1:
        raise StoreError(f"intent {intent} is finished already")
    conn.execute("DELETE FROM outgoing WHERE intent = ?", (intent,))
    if state != "confirmed":
        conn.execute(
            f"UPDATE intent SET state = 'refused' WHERE {OPEN} AND state = 'queued'"
            " AND after = (SELECT key FROM intent WHERE id = ?)",
            (intent,),
        )
    _forget(conn)


def again(conn: sqlite3.Connection, intent: int) -> None:
    """Queue one that was reverted or refused once more, in its old place and with a new nonce."""
    conn.execute(
        "UPDATE intent SET state = 'queued', nonce = ?, paid_wei = paid_wei + cost_wei, cost_wei = 0,"
        " block_number = 0, block_hash = '' WHERE id = ? AND state IN ('reverted', 'refused')",
        (NO_NONCE, intent),
    )


def unmined(conn: sqlite3.Connection, sender: str, first: int, after: int, limit: int) -> list[Intent]:
    """Finished ones with a nonce from `first` up to below `after`, by nonce: what a chain that counts only
    `first` transactions of the sender no longer holds."""
    query = (
        f"SELECT {_COLUMNS} FROM intent WHERE state IN ('confirmed', 'reverted') AND (id, nonce) IN"
        " (SELECT intent, nonce FROM nonce WHERE sender = ? AND nonce >= ? AND nonce < ?)"
        " ORDER BY nonce LIMIT ?"
    )
    return [_intent(row) for row in conn.execute(query, (sender, first, after, limit))]


def reopen(conn: sqlite3.Connection, intent: int, once_more: Outgoing) -> None:
    """A reorg took a finished one out of the chain: it is on its way again, with its own nonce. The
    transaction that had done it may still be mined, and is looked for too."""
    (done,) = conn.execute("SELECT mined_hash FROM intent WHERE id = ?", (intent,)).fetchone()
    moved = conn.execute(
        "UPDATE intent SET state = 'sent', cost_wei = gas * ?, block_number = 0, block_hash = ''"
        " WHERE id = ? AND state IN ('confirmed', 'reverted') AND nonce <> ?",
        (once_more.max_wei, intent, NO_NONCE),
    )
    if moved.rowcount != 1:
        raise StoreError(f"intent {intent} was not mined, so no reorg can take it back")
    _add_outgoing(conn, intent, Outgoing(done, b"", 0, 0))
    _add_outgoing(conn, intent, once_more)


def refer(conn: sqlite3.Connection, command: str, reference: str) -> None:
    """Note under which reference of its platform a command was ordered. The newest are kept."""
    conn.execute("INSERT OR IGNORE INTO reference (command, text) VALUES (?, ?)", (command, reference))
    conn.execute(
        "DELETE FROM reference WHERE rowid <= (SELECT max(rowid) FROM reference) - ?", (REFERENCES_KEPT,)
    )


def reference(conn: sqlite3.Connection, command: str) -> str:
    """The platform's reference of a command; empty when it did not come from a platform."""
    row = conn.execute("SELECT text FROM reference WHERE command = ?", (command,)).fetchone()
    return str(row[0]) if row else ""


def _forget(conn: sqlite3.Connection) -> None:
    row = conn.execute(
        f"SELECT id FROM intent WHERE NOT ({OPEN}) ORDER BY id DESC LIMIT 1 OFFSET ?", (FINISHED_KEPT,)
    ).fetchone()
    if row:
        conn.execute(f"DELETE FROM intent WHERE id <= ? AND NOT ({OPEN})", row)
        # The highest nonce of a sender always stays: the next one is counted from it.
        conn.execute(
            "DELETE FROM nonce WHERE intent <= ? AND intent NOT IN (SELECT id FROM intent)"
            " AND nonce < (SELECT max(n.nonce) FROM nonce n WHERE n.sender = nonce.sender)",
            row,
        )


def spent_since(conn: sqlite3.Connection, since_ms: int) -> int:
    """Wei reserved or spent by everything sent since then, and by what is still on its way: that is paid
    when it is mined, however long ago it was sent."""
    rows = conn.execute(
        f"SELECT cost_wei, paid_wei FROM intent WHERE sent_ms > ? OR ({OPEN} AND state = 'sent')", (since_ms,)
    )
    return sum(cost + paid for cost, paid in rows)  # not in SQL: ten ether are more than its integers hold


def _intent(row: tuple[int, str, str, bytes, int, str, str, int, int, int, int, str, int]) -> Intent:
    return Intent(*row[:12], bool(row[12]))
