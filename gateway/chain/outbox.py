"""Signed records on their way to the contracts: each becomes one intent, in order, and is then followed.

It owns no data: records say what is signed, intents what was sent, so it can stop anywhere. Where a relayer
brings the records, it watches that they arrive, and sends them when that takes too long. A record is marked
confirmed in the same transaction that queues what follows it (validate, then settle). It refuses to run
ahead: only so many calls are open, the rest waits in the records' own table.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.analytics import period
from gateway.analytics.figures import Performance
from gateway.chain.patience import Patience
from gateway.chain.platforms import Platform
from gateway.chain.platforms.calls import NotEncodable
from gateway.clock import Clock
from gateway.errors import ChainError
from gateway.evidence.records import recover
from gateway.model import Record
from gateway.store import Store, intents, performance, records
from gateway.store.intents import NewIntent
from gateway.store.records import Entry, RecordState

AHEAD = 32  # records with an open intent; four windows of the manager
SEQUENCE_MAX = 2**62  # far beyond any record's, and the next ones still fit the store
LAST_AGE_MS = 600_000  # how often the contract is asked whether somebody else submitted our records


class Views(Protocol):
    """Contracts as several operators agree that they answer."""

    async def view(self, to: str, data: bytes, depth: int = 1) -> bytes: ...


class Outbox:
    """`run` until cancelled; ChainError when the contract cannot be asked (run it again later).

    `wake` is called when something was queued, so that the manager need not wait for its poll. `patience_ms`:
    how long a relayer may take to bring a record; 0: the site sends its own.
    """

    def __init__(
        self,
        store: Store,
        quorum: Views,
        platform: Platform,
        address: str,
        clock: Clock,
        wake: Callable[[], None],
        *,
        confirmations: int,
        patience_ms: int = 0,
        poll_ms: int = 4000,
    ) -> None:
        self._store = store
        self._quorum = quorum
        self._platform = platform
        self._address = address
        self._clock = clock
        self._wake = wake
        self._confirmations = confirmations
        self._poll_s = poll_ms / 1000
        self._last, self._last_at_ms = 0, -LAST_AGE_MS
        self._patience = Patience(store, clock, patience_ms)
        self._relayed = patience_ms > 0
        self._own = True  # the site sends its records, or its patience is over
        self.stuck = ""  # why the oldest record cannot go, for people

    async def run(self) -> None:
        while True:
            await self.tick()
            await asyncio.sleep(self._poll_s)

    async def tick(self) -> None:
        """Queue what is signed, settle what is confirmed."""
        self.stuck, passed = "", 0
        entries = await self._store.call(records.unconfirmed, AHEAD)
        self._own = await self._patience.over(waiting=bool(entries))
        if self._own and self._relayed:
            self.stuck = self._patience.words
        while entries:
            entry = entries.pop(0)
            sequence = entry.record.sequence
            try:
                if not await self._advance(entry, passed or sequence):
                    break
                passed = 0
            except NotEncodable as error:
                # It stays here, for export and proof. Nothing after it fits the contract's chain until a gap
                # record passes it over.
                self.stuck, passed = f"record {sequence} stays here: {error}", passed or sequence
                entries = await self._store.call(records.from_next_gap, sequence, AHEAD)

    async def _advance(self, entry: Entry, first: int) -> bool:
        """One record one step on, which passes over those from `first` on. False: those after it wait."""
        record = entry.record
        key = f"record/{record.digest.hex()}"
        intent = await self._store.call(intents.get, key)
        call = self._platform.record_call(record) if intent is None else None
        if intent is not None and intent.state == "confirmed":
            return await self._confirm(entry, first)
        if intent is not None and intent.state == "sent":
            return True
        # What a relayer may have brought in the last minutes is not sent as well.
        fresh = self._own and self._relayed if intent is None else intent.state != "queued"
        if record.sequence <= await self._accepted(fresh=fresh):
            if intent is not None and intent.state == "queued":
                withdrawn = await self._store.call(intents.withdraw, intent.id)
                if not withdrawn:
                    return True  # the manager has just given it a nonce: it is followed to its end
            return await self._brought(entry, first)
        if call is not None and not self._own:
            return True  # a relayer may bring it
        if call is not None:
            return await self._queue(record.sequence, NewIntent(key, call.contract, call.data, call.gas))
        if intent is not None and intent.state in ("reverted", "refused"):
            await self._store.call(intents.again, intent.id)
            self._wake()
        return True

    async def _queue(self, sequence: int, call: NewIntent) -> bool:
        if not await self._store.call(intents.add, call, self._clock.now().wall_ms):
            self.stuck = f"record {sequence} waits: {intents.OPEN_MAX} calls are open"
            return False
        self._wake()
        return True

    async def _brought(self, entry: Entry, first: int) -> bool:
        """The contract has it from somebody else."""
        await self._patience.brought()
        return await self._confirm(entry, first)

    async def _confirm(self, entry: Entry, first: int) -> bool:
        command = self._platform.command_id(entry.record)
        reference = await self._store.call(intents.reference, command) if command else ""
        figures = await self._store.call(_figures, entry.record)
        following, after = [], ""
        for name, call in self._platform.follow_ups(entry.record, reference, figures):
            following.append(NewIntent(name, call.contract, call.data, call.gas, ordered=False, after=after))
            after = name if command else ""  # what follows a delivery is paid for it, step by step
        wall_ms = self._clock.now().wall_ms
        done = await self._store.call(_settle, first, entry.record.sequence, following, wall_ms)
        if following:
            self._wake()
        return done

    async def _accepted(self, *, fresh: bool) -> int:
        """The last sequence the contract took, deep enough to stay; asked now and then, or when needed."""
        now_ms = self._clock.mono_ms()
        if fresh or now_ms - self._last_at_ms >= LAST_AGE_MS:
            addresses = await speakers(self._store, self._address)
            self._last = await last_sequence(self._quorum, self._platform, addresses, self._confirmations)
            self._last_at_ms = now_ms
        return self._last


def _figures(conn: sqlite3.Connection, record: Record) -> Performance | None:
    """Those of an interval's time; None for other records, or when they are no longer kept so finely."""
    if record.kind != "interval":
        return None
    start_ms = int(json.loads(record.body)["start_ms"])
    found = performance.between(conn, start_ms, start_ms + 1)
    return period.figures(found[0]) if found else None


def _settle(
    conn: sqlite3.Connection, first: int, sequence: int, following: list[NewIntent], wall_ms: int
) -> bool:
    if intents.count_open(conn) + len(following) > intents.OPEN_MAX:
        return False
    records.set_state(conn, sequence, RecordState.CONFIRMED)
    records.pass_over(conn, first, sequence)
    for call in following:
        intents.add(conn, call, wall_ms)
    return True


async def speakers(store: Store, address: str) -> tuple[str, ...]:
    """This key, and those that handed over to it: the contract has taken the site's records from any."""
    handed = await store.call(records.rotations)
    return (address, *(recover(record.digest, record.signature) for record in handed))


async def last_sequence(quorum: Views, platform: Platform, addresses: Sequence[str], depth: int = 1) -> int:
    """The last sequence that the contract accepted from this key or those that handed over to it, `depth`
    blocks deep; 0 for none. They have one count."""
    return max([await _last_of(quorum, platform, address, depth) for address in addresses])


async def _last_of(quorum: Views, platform: Platform, address: str, depth: int) -> int:
    call = platform.last_sequence_call(address)
    word = await quorum.view(call.contract, call.data, depth)
    if len(word) != 32:
        raise ChainError(f"the contract {call.contract} answered lastSequence with {len(word)} bytes, not 32")
    sequence = int.from_bytes(word, "big")
    if sequence > SEQUENCE_MAX:
        raise ChainError(f"the contract {call.contract} answered lastSequence with {sequence}: no record's")
    return sequence
