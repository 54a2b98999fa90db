"""What the daemon does with its disk, done by the daemon's own code in virtual time: the part that is cut.

Keys, store, recorder, attestor and retention are the real ones and run side by side; this file only plays
what is around them (devices, people, a contract, a chain). `Noted` says what was acknowledged: a note goes
into the recorder's trace after `Store.call` returned, which is when the rest of the daemon may act on it.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from gateway.attest import Attestor
from gateway.cli import keymaking
from gateway.errors import ConfigError, StoreError
from gateway.evidence.signer import KeySigner, open_keystore
from gateway.evidence.typed import NO_CHAIN
from gateway.ledger import nothing
from gateway.model import (
    Command,
    CommandState,
    Point,
    Record,
    Sample,
    ServiceKind,
    Source,
    Verdict,
)
from gateway.orders import outcome_json
from gateway.site import AttestSettings, Device, Site, SiteLimits, StoreSettings
from gateway.store import Store, commands, cursors, files, intents, records, retention
from gateway.store.recorder import Recorder
from gateway.store.records import RecordState
from gateway.store.retention import Policy, Retention
from tests.sim.loop import VirtualClock, run

NAME = "store.db"
KEY, PASSPHRASE = "key.json", "passphrase"
DEVICE = "inverter.publish"  # an EEPROM write is counted before it is made
FOLLOWER = "mqtt"
SENDER = "0x" + "5e" * 20
EVERY_S = 10
POLICY = Policy(RecordState.CONFIRMED, (FOLLOWER,))
POINTS = (Point("bms", "battery_soc_bp"), Point("bms", "battery_power_w"))
AFTER_FAILURE = 3  # calls tried after the disk failed: none may be acknowledged
SMALL: dict[Any, dict[str, int]] = {  # so that a short life meets what else takes days
    files: {"CHECKPOINT_PAGES": 25, "WAL_BYTES_MAX": 20_000},
    retention: {"AGE_STEP_MS": 1000, "KEEP_ROWS": 12, "SLICE_ROWS": 7},
}

Note = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class World:
    """What others know when a life begins: the calendar, the contract's last record, the chain's count of
    transactions, and the next number nobody has used yet."""

    wall_ms: int
    contract: int
    transactions: int
    fresh: int


def small() -> None:
    for module, values in SMALL.items():
        for name, value in values.items():
            setattr(module, name, value)


def settings(folder: Path) -> StoreSettings:
    return StoreSettings(folder / NAME, keep_s=25, size_bytes=10**9, commit_ms=1000)


def site(folder: Path) -> Site:
    device = Device("bms", "x", "can", "battery", "vbus://a", None)
    limits = SiteLimits(5000, 5000, 10_000, 10_000, 1000)
    return Site("s1", limits, (device,), settings(folder), AttestSettings(EVERY_S))


class Noted(Store):
    """The store; what it acknowledged is noted, by the function that was called."""

    def __init__(self, *args: Any, note: Note, **options: Any) -> None:
        super().__init__(*args, **options)
        self._note = note
        self.numbers: dict[bytes, int] = {}  # digest -> sequence, of what may be signed

    async def call(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        result = await super().call(fn, *args, **kwargs)
        if found := self._acknowledged(fn, args, result):
            self._note(found)
        return result

    def _acknowledged(self, fn: Any, args: tuple[Any, ...], result: Any) -> dict[str, Any] | None:
        if isinstance(result, Record):
            self.numbers[result.digest] = result.sequence
        match getattr(fn, "__name__", ""), result:
            case "_write", int(seq):
                return {"stored": seq, "values": [s.values[0] for s in args[0]], "cursors": args[1]}
            case "append", Record():
                return {"sealed": result.sequence, "digest": result.digest.hex()}
            case "unsigned", _:
                self.numbers |= {r.digest: r.sequence for r in result}
            case "sign", _:
                return {"signature": args[0], "text": args[1].hex()}
            case "set_state", _ if fn is records.set_state:
                return {"confirmed": args[0]}
            case "insert", True:
                return {"command": args[0].id, "state": "admitted"}
            case "set_state", _:
                return {"command": args[0], "state": str(args[1])}
            case "add", True:
                return {"queued": args[0].key}
            case "claim", intents.Intent():
                return {"nonce": result.nonce, "key": result.key}
            case "spend", _:
                return {"spent": result}
        return None


class NotedSigner:
    """The signer; that a signature exists is noted, for from here on it may be seen."""

    def __init__(self, signer: KeySigner, store: Noted, note: Note) -> None:
        self._signer, self._store, self._note = signer, store, note
        self.address, self.public_key = signer.address, signer.public_key

    def sign(self, digest: bytes) -> bytes:
        signature = self._signer.sign(digest)
        self._note({"signed": self._store.numbers.get(digest, 0), "digest": digest.hex()})
        return signature


def key(folder: Path, note: Note) -> KeySigner:
    """As at the first start: made if there is none, then opened."""
    path, passphrase = folder / KEY, folder / PASSPHRASE
    if not path.exists():
        keymaking.make_keystore(path, passphrase, rounds=2)
        note({"key": path.read_text(), "passphrase": passphrase.read_text()})
    return open_keystore(path, passphrase)


class Life:
    """One start of the daemon's storage part, until it ends in order, is killed, or its disk fails."""

    def __init__(self, folder: Path, world: World, random: Random, note: Note) -> None:
        self._folder, self._world, self._random, self._note = folder, world, random, note
        self._fresh = world.fresh
        self._nonce = world.transactions

    async def live(self, clock: VirtualClock, seconds: int) -> None:
        clock.wall_offset_ms = self._world.wall_ms
        self._clock = clock
        signer = key(self._folder, self._note)
        self.store = store = Noted(
            settings(self._folder), clock, threaded=False, entropy=self._random.randbytes, note=self._note
        )
        report = await store.open()
        self._note({"opened": report.boot, "id": store.id, "aside": bool(report.set_aside)})
        recorder = Recorder(store, settings(self._folder).commit_ms)
        await recorder.start()
        attestor = Attestor(
            site(self._folder), store, clock, NotedSigner(signer, store, self._note), NO_CHAIN
        )
        await attestor.skip_past(self._world.contract)
        keeper = Retention(store, settings(self._folder), clock, POLICY, free=lambda path: 10**12)
        async with asyncio.TaskGroup() as group:
            parts = [group.create_task(part.run()) for part in (recorder, attestor, keeper)]
            await self._around(recorder, seconds)
            for part in parts:
                part.cancel()
        await store.close()
        self._note({"closed": True})

    async def after_failure(self) -> None:
        """The disk has failed: whatever is asked now is refused."""
        for _ in range(AFTER_FAILURE):
            with suppress(StoreError):
                await self.store.call(cursors.put, "after", 1)
                self._note({"acknowledged after a failure": True})

    # -- what is around ---------------------------------------------------------------------------

    async def _around(self, recorder: Recorder, seconds: int) -> None:
        await self._recover()
        for _ in range(seconds):
            for _ in range(self._random.randint(0, 3)):
                recorder.put(self._sample())
            for deed in (self._order, self._run_orders, self._send, self._contract, self._eeprom):
                if self._random.random() < 0.3:
                    await deed()
            if self._random.random() < 0.5:
                recorder.advance(FOLLOWER, recorder.seq)
            await asyncio.sleep(1)

    def _next(self) -> int:
        self._fresh += 1
        return self._fresh

    def _sample(self) -> Sample:
        return Sample("bms", self._clock.now(), POINTS, (self._next(), 700), bytes(2))

    async def _recover(self) -> None:
        """As control does: what ran when the last process ended is over."""
        for order in await self.store.call(commands.open_commands):
            if order.state is CommandState.RUNNING:
                await self._end(order.command.id, CommandState.CUT_SHORT)

    async def _order(self) -> None:
        start_ms = self._clock.now().wall_ms
        number = f"{self._next():064x}"
        order = Command(
            number, Source.CHAIN, ServiceKind.FIXED_POWER, start_ms, start_ms + 9000, {"power_w": 5}
        )
        await self.store.call(commands.insert, order, Verdict(True), start_ms)

    async def _run_orders(self) -> None:
        for order in await self.store.call(commands.open_commands):
            if order.state is CommandState.ADMITTED:
                await self.store.call(
                    commands.set_state, order.command.id, CommandState.RUNNING, self._clock.now()
                )
                self._note({"acted": order.command.id})
            else:
                await self._end(order.command.id, CommandState.DONE)

    async def _end(self, number: str, state: CommandState) -> None:
        now = self._clock.now()
        told = replace(nothing(number, now.wall_ms - 1000, now.wall_ms), outcome=state)
        await self.store.call(commands.set_state, number, state, now, "", outcome_json(told))

    async def _send(self) -> None:
        call = intents.NewIntent(f"call/{self._next()}", "0x" + "c0" * 20, b"data", 50_000)
        await self.store.call(intents.add, call, self._clock.now().wall_ms)
        for intent in await self.store.call(intents.queued, 2):
            nonce = max(await self.store.call(intents.next_nonce, SENDER), self._nonce)
            first = intents.Outgoing(f"0x{nonce:064x}", b"raw", 10, 1)
            stamp = self._clock.now().wall_ms
            args = (intent.id, SENDER, nonce, first, 50_000, stamp)
            if await self.store.call(intents.claim, *args):
                self._note({"published": nonce, "key": intent.key})
                await self.store.call(intents.published, first.hash)
        for intent, _ in (await self.store.call(intents.sent, SENDER))[:1]:
            await self.store.call(intents.finish, intent.id, "confirmed", 1, 1, "0x1")
            self._nonce = max(self._nonce, intent.nonce + 1)
            self._note({"mined": intent.nonce})

    async def _contract(self) -> None:
        for entry in await self.store.call(records.unconfirmed, 3):
            self._note({"contract": entry.record.sequence})
            await self.store.call(records.set_state, entry.record.sequence, RecordState.CONFIRMED)

    async def _eeprom(self) -> None:
        await self.store.call(commands.spend, DEVICE, 20_000)


def live(folder: Path, world: World, random: Random, note: Note, seconds: int) -> None:
    """One life. A failing disk ends it with a note; anything that is no error of the disk comes out."""
    life = Life(folder, world, random, note)

    async def main(clock: VirtualClock) -> None:
        try:
            await life.live(clock, seconds)
        except* (StoreError, ConfigError) as failed:
            note({"failed": str(failed.exceptions[0])})
            if hasattr(life, "store"):
                await life.after_failure()

    run(main)


def text(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def verdict(conn: sqlite3.Connection) -> str:
    """SQLite's own judgement of the whole file."""
    return str(conn.execute("PRAGMA integrity_check(1)").fetchone()[0])
