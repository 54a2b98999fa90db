"""Counts over the whole store for people: what was signed, confirmed and carried out. Reads only."""

import sqlite3
from dataclasses import dataclass

from gateway.model import CommandState
from gateway.store import records
from gateway.store.records import RecordState


@dataclass(frozen=True, slots=True)
class Summary:
    """`gas_per_interval` is what the newest confirmed interval used; 0 when none is."""

    sequence: int
    signed: int
    intervals: int
    confirmed: int
    intervals_confirmed: int
    executed: int
    last_transaction: str
    gas_per_interval: int


_RECORDS = "SELECT kind, state, count(*) FROM record GROUP BY kind, state"
_TRANSACTION = """
SELECT mined_hash FROM intent WHERE state = 'confirmed' ORDER BY id DESC LIMIT 1"""
_GAS = """
SELECT intent.gas_used FROM record JOIN intent ON intent.key = 'record/' || lower(hex(record.digest))
WHERE record.kind = 'interval' AND record.state = :confirmed AND intent.state = 'confirmed'
ORDER BY record.sequence DESC LIMIT 1"""


def summary(conn: sqlite3.Connection) -> Summary:
    counts = conn.execute(_RECORDS).fetchall()
    last = records.last(conn)
    (executed,) = conn.execute(
        "SELECT count(*) FROM command WHERE state = ?", (CommandState.DONE,)
    ).fetchone()
    transaction = conn.execute(_TRANSACTION).fetchone()
    gas = conn.execute(_GAS, {"confirmed": RecordState.CONFIRMED}).fetchone()

    def total(*states: RecordState, kind: str = "") -> int:
        return sum(n for k, state, n in counts if state in states and kind in ("", k))

    signed = (RecordState.SIGNED, RecordState.CONFIRMED, RecordState.PASSED)
    return Summary(
        sequence=last.sequence if last else 0,
        signed=total(*signed),
        intervals=total(*signed, kind="interval"),
        confirmed=total(RecordState.CONFIRMED),
        intervals_confirmed=total(RecordState.CONFIRMED, kind="interval"),
        executed=executed,
        last_transaction=transaction[0] if transaction else "",
        gas_per_interval=gas[0] if gas else 0,
    )
