"""Commands and what became of them; EEPROM writes per device and day.

A command's id is stored once for ever, so whoever delivers it again (a replay, a reorg, a restart) learns
that it is known. States only go forward. Finished commands are kept; refused ones, which anybody may
cause, are kept up to a number.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.errors import StoreError
from gateway.model import ClockTrust, Command, CommandState, ServiceKind, Source, Stamp, Verdict
from gateway.store.table import Table

TABLES = (
    Table(
        "command",
        {
            "id": str,
            "source": int,
            "kind": str,
            "not_before_ms": int,
            "not_after_ms": int,
            "parameters": str,
            "origin": str,
            "shared": int,
            "state": str,
            "reason": str,
            "received_ms": int,
            "began_ms": int,
            "began_mono_ms": int,
            "ended_ms": int,
            "outcome": str,
            "record": int,  # the sequence of the record that tells of its delivery, 0 while none does
        },
        ("id",),
        ("received_ms WHERE state = 'refused'", "state", "ended_ms WHERE record = 0 AND outcome <> ''"),
    ),
    Table("budget", {"device": str, "day": int, "writes": int}, ("device", "day")),
)
REFUSED_KEPT = 10_000  # they prove nothing and block nothing: asked again, they are judged again
BUDGET_DAYS_KEPT = 400

COLUMNS = (
    "id, source, kind, not_before_ms, not_after_ms, parameters, origin,"
    " shared, state, reason, received_ms, began_ms, began_mono_ms, ended_ms, outcome"
)
_FORWARD: Mapping[CommandState, frozenset[CommandState]] = {
    CommandState.ADMITTED: frozenset({CommandState.RUNNING, CommandState.CUT_SHORT}),
    CommandState.RUNNING: frozenset({CommandState.DONE, CommandState.CUT_SHORT}),
}


@dataclass(frozen=True, slots=True)
class Order:
    """A command as stored. Times are Unix ms, 0 where it has not happened (a begin's also where its date
    is not known); `outcome` is JSON or empty."""

    command: Command
    state: CommandState
    reason: str
    received_ms: int
    began_ms: int
    began_mono_ms: int
    ended_ms: int
    outcome: str


def insert(conn: sqlite3.Connection, command: Command, verdict: Verdict, received_ms: int = 0) -> bool:
    """Store a command with admission's verdict. False, and nothing changes, when its id is known."""
    state = CommandState.ADMITTED if verdict.admitted else CommandState.REFUSED
    parameters = json.dumps(dict(command.parameters), separators=(",", ":"))
    cursor = conn.execute(
        f"INSERT INTO command ({COLUMNS}, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, '', 0)"
        " ON CONFLICT (id) DO NOTHING",
        (
            command.id,
            int(command.source),
            command.kind,
            command.not_before_ms,
            command.not_after_ms,
            parameters,
            command.origin,
            int(command.shared),
            state,
            verdict.reason,
            received_ms,
        ),
    )
    if state is CommandState.REFUSED:
        _forget_refused(conn)
    return cursor.rowcount == 1


def _forget_refused(conn: sqlite3.Connection) -> None:
    conn.execute(
        "DELETE FROM command WHERE id IN (SELECT id FROM command WHERE state = 'refused'"
        " ORDER BY received_ms DESC, rowid DESC LIMIT -1 OFFSET ?)",
        (REFUSED_KEPT,),
    )


def set_state(
    conn: sqlite3.Connection,
    command_id: str,
    state: CommandState,
    stamp: Stamp,
    reason: str = "",
    outcome: Mapping[str, object] | None = None,
) -> None:
    """Move a command forward: admitted, running, then done or cut short. StoreError for any other move."""
    found = get(conn, command_id)
    if found is None:
        raise StoreError(f"command {command_id} is not stored")
    if state not in _FORWARD.get(found.state, frozenset()):
        raise StoreError(f"command {command_id} is {found.state} and cannot become {state}")
    if state is CommandState.RUNNING:
        began_ms = stamp.wall_ms if stamp.trust is not ClockTrust.UNTRUSTED else 0
        conn.execute(
            "UPDATE command SET state = ?, began_ms = ?, began_mono_ms = ? WHERE id = ?",
            (state, began_ms, stamp.mono_ms, command_id),
        )
        return
    text = json.dumps(outcome, separators=(",", ":")) if outcome is not None else ""
    conn.execute(
        "UPDATE command SET state = ?, ended_ms = ?, reason = ?, outcome = ? WHERE id = ?",
        (state, stamp.wall_ms, reason, text, command_id),
    )


def get(conn: sqlite3.Connection, command_id: str) -> Order | None:
    row = conn.execute(f"SELECT {COLUMNS} FROM command WHERE id = ?", (command_id,)).fetchone()
    return order_of(row) if row else None


def open_commands(conn: sqlite3.Connection) -> list[Order]:
    """Admitted and running ones, earliest first. After a start, a running one was interrupted."""
    query = f"SELECT {COLUMNS} FROM command WHERE state IN ('admitted', 'running') ORDER BY not_before_ms, id"
    return [order_of(row) for row in conn.execute(query)]


def recent(conn: sqlite3.Connection, limit: int = 20) -> list[Order]:
    """The newest commands of any state, newest first, for people."""
    query = f"SELECT {COLUMNS} FROM command ORDER BY rowid DESC LIMIT ?"
    return [order_of(row) for row in conn.execute(query, (limit,))]


def spend(conn: sqlite3.Connection, device: str, day: int, writes: int = 1) -> int:
    """Count EEPROM writes of a day (days since 1970); returns that day's total. Commit before writing."""
    conn.execute(
        "INSERT INTO budget VALUES (?, ?, ?)"
        " ON CONFLICT (device, day) DO UPDATE SET writes = writes + excluded.writes",
        (device, day, writes),
    )
    conn.execute("DELETE FROM budget WHERE device = ? AND day < ?", (device, day - BUDGET_DAYS_KEPT))
    return spent(conn, device, day)


def spent(conn: sqlite3.Connection, device: str, day: int) -> int:
    query = "SELECT writes FROM budget WHERE device = ? AND day = ?"
    row = conn.execute(query, (device, day)).fetchone()
    return int(row[0]) if row else 0


def order_of(row: tuple[str, int, str, int, int, str, str, int, str, str, int, int, int, int, str]) -> Order:
    """The Order in a row of COLUMNS."""
    parameters = json.loads(row[5])
    command = Command(
        row[0], Source(row[1]), ServiceKind(row[2]), row[3], row[4], parameters, row[6], bool(row[7])
    )
    return Order(command, CommandState(row[8]), *row[9:])
