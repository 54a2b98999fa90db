"""What the gateway has told others, folded from the notes of its lives; and what of it a disk still holds.

`Promises.hear` takes one note. `broken` opens a disk by the daemon's own way (in this process, from a
folder) and names the first promise that it does not keep; empty when it keeps all of them.
"""

import copy
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from gateway.errors import StoreError
from gateway.model import CommandState
from gateway.store import Store, commands, cursors, gaps, intents, meta, records, retention, samples
from gateway.store.records import RecordState
from tests.powercut import workload
from tests.powercut.workload import KEY, PASSPHRASE, POINTS, SENDER

_ORDER = [CommandState.ADMITTED, CommandState.RUNNING]  # then ended, either way


@dataclass(slots=True)
class Promises:
    """Of the store that is in place: boot to spent. For ever: signed to acted."""

    opened: bool = False
    boot: int = 0
    id: str = ""
    spoiled: bool = False  # this harness damaged the database: it may be put away
    asides: int = 0
    stored: int = 0
    values: dict[int, int] = field(default_factory=dict)
    sealed: dict[int, str] = field(default_factory=dict)
    signatures: dict[int, str] = field(default_factory=dict)
    confirmed: set[int] = field(default_factory=set)
    commands: dict[str, int] = field(default_factory=dict)
    queued: set[str] = field(default_factory=set)
    nonces: dict[int, str] = field(default_factory=dict)
    cursors: dict[str, int] = field(default_factory=dict)
    spent: int = 0
    key: str = ""
    passphrase: str = ""
    signed: dict[int, str] = field(default_factory=dict)
    published: dict[int, str] = field(default_factory=dict)
    acted: set[str] = field(default_factory=set)
    contract: int = 0
    mined: int = 0
    failed: str = ""
    wrong: str = ""

    def copy(self) -> "Promises":
        return copy.deepcopy(self)

    def hear(self, note: dict[str, Any]) -> None:
        """One note. `wrong` is set when it breaks a promise by itself."""
        match note:
            case {"opened": boot, "id": number, "aside": aside}:
                self._opened(boot, number, aside)
            case {"stored": seq, "values": values, "cursors": moved}:
                self.values |= {seq - len(values) + 1 + n: v for n, v in enumerate(values)}
                self.stored, self.cursors = max(self.stored, seq), self.cursors | moved
            case {"sealed": sequence, "digest": digest}:
                self.sealed[sequence] = digest
            case {"signed": sequence, "digest": digest}:
                if self.signed.setdefault(sequence, digest) != digest:
                    self.wrong = f"sequence {sequence} was signed twice, with two digests"
            case {"signature": sequence, "text": signature}:
                self.signatures[sequence] = signature
            case {"confirmed": sequence}:
                self.confirmed.add(sequence)
            case {"contract": sequence}:
                self.contract = max(self.contract, sequence)
            case {"command": number, "state": state}:
                self.commands[number] = _rank(state)
            case {"acted": number}:
                if number in self.acted:
                    self.wrong = f"command {number[-4:]} was begun twice"
                self.acted.add(number)
            case {"queued": key}:
                self.queued.add(key)
            case {"nonce": nonce, "key": key}:
                self.nonces[nonce] = key
            case {"published": nonce, "key": key}:
                if self.published.setdefault(nonce, key) != key:
                    self.wrong = f"nonce {nonce} was given twice"
            case {"mined": nonce}:
                self.mined = max(self.mined, nonce + 1)
            case {"spent": total}:
                self.spent = max(self.spent, total)
            case {"key": key, "passphrase": passphrase}:
                self.key, self.passphrase = key, passphrase
            case {"failed": text}:
                self.failed = text
            case {"acknowledged after a failure": _} | {"bug": _}:
                self.wrong = next(iter(note)) + ": " + str(note.get("bug", ""))

    def _opened(self, boot: int, number: str, aside: bool) -> None:
        """A new store in the place of a damaged one owes nothing that the old one did."""
        if aside and self.spoiled:
            old, new = self.copy(), Promises()
            # Not what was published: a lost database may have left a call in a pool, and the chain takes one
            # of a number, whichever comes.
            for name in ("key", "passphrase", "signed", "acted", "contract", "mined"):
                setattr(new, name, getattr(old, name))
            new.asides = old.asides + 1
            for name in self.__dataclass_fields__:
                setattr(self, name, getattr(new, name))
        elif self.opened and number != self.id:
            self.wrong = "another database is in the place of the one that was there"
        self.opened, self.boot, self.id, self.spoiled = True, boot, number, False

    def world(self, wall_ms: int, fresh: int) -> workload.World:
        return workload.World(wall_ms, self.contract, self.mined, fresh)


def _rank(state: str) -> int:
    return _ORDER.index(CommandState(state)) if state in _ORDER else len(_ORDER)


async def broken(folder: Path, promised: Promises, clock: Any) -> str:
    if found := _key_broken(folder, promised):
        return found
    store = Store(workload.settings(folder), clock, threaded=False, entropy=Random(promised.boot).randbytes)
    try:
        report = await store.open()
        if report.set_aside is not None or (promised.opened and store.id != promised.id):
            return await _lost(store, folder, promised, report.reason)
        return await store.call(_content_broken, store, promised)
    except StoreError as error:
        return f"the store does not open: {error}"
    finally:
        store._release()  # as a process that is killed: closing in order would cost a checkpoint


def _key_broken(folder: Path, promised: Promises) -> str:
    """A key is there whole or not at all, and never without what opens it."""
    for name, needed in ((PASSPHRASE, promised.passphrase), (KEY, promised.key)):
        path = folder / name
        content = path.read_text("latin-1") if path.exists() else ""
        if needed and content != needed:
            return f"{name} is not what was acknowledged ({len(content)} bytes)"
        if path.exists() and not content.endswith("\n"):
            return f"{name} is half written ({len(content)} bytes)"
    if (folder / KEY).exists() and not (folder / PASSPHRASE).exists():
        return "the key is there without its passphrase"
    return ""


async def _lost(store: Store, folder: Path, promised: Promises, reason: str) -> str:
    """Another database is there: right only in the place of a damaged one that was kept and is told of."""
    if not promised.spoiled:
        return f"the database is gone: {reason or 'another one is there'}"
    if not any(folder.glob(f"{workload.NAME}.aside-*")):
        return "a damaged database was not kept"
    told = await store.call(lambda conn: conn.execute("SELECT cause FROM gap").fetchall())
    return "" if told == [(gaps.SET_ASIDE,)] else "no gap tells of the database set aside"


def _content_broken(conn: Any, store: Store, promised: Promises) -> str:
    if (found := workload.verdict(conn)) != "ok":
        return f"integrity_check: {found}"
    if promised.opened and (store.id != promised.id or store.boot <= promised.boot):
        return f"start {store.boot} of {store.id} follows start {promised.boot} of {promised.id}"
    if meta.get(conn, "closed") != "no":
        return "a start that goes on is called closed"
    checks = (_samples_broken, _records_broken, _commands_broken, _intents_broken)
    return next(filter(None, (check(conn, promised) for check in checks)), "")


def _samples_broken(conn: Any, promised: Promises) -> str:
    present = {
        seq: samples.unpack(body, len(POINTS))[0][0]
        for seq, body in conn.execute("SELECT seq, body FROM sample")
    }
    newest = max(present, default=0)
    if newest < promised.stored:
        return f"sample {promised.stored} was acknowledged, the last one here is {newest}"
    if wrong := [s for s, v in promised.values.items() if s <= promised.stored and present.get(s, v) != v]:
        return f"sample {wrong[0]} is another one now"
    settled = retention.settled_through(conn, workload.POLICY)
    missing = sum(1 for s in range(max(settled, 0) + 1, newest) if s not in present)
    (told,) = conn.execute(
        "SELECT coalesce(sum(lost), 0) FROM gap WHERE cause = ?", (gaps.DROPPED,)
    ).fetchone()
    if missing * len(POINTS) > told:
        return f"{missing} unsettled samples are missing, gaps tell of {told} readings"
    for name, number in promised.cursors.items():
        if cursors.get(conn, name) < number:
            return f"cursor {name} was at {number} and is at {cursors.get(conn, name)}"
    return ""


def _records_broken(conn: Any, promised: Promises) -> str:
    if wrong := records.verify_chain(conn):
        return wrong
    found = {e.record.sequence: e for e in records.entries(conn, limit=100_000)}
    for sequence, digest in promised.sealed.items():
        if sequence not in found or found[sequence].record.digest.hex() != digest:
            return f"record {sequence} was acknowledged and is not here"
    for sequence, digest in promised.signed.items():
        if sequence in found and found[sequence].record.digest.hex() != digest:
            return f"record {sequence} was signed with another digest"
        if sequence not in found and not promised.asides and sequence:
            return f"record {sequence} was signed and is not here: its number would be signed again"
    if promised.signed.get(0):
        return "a digest was signed that no record has"
    for sequence, signature in promised.signatures.items():
        if found[sequence].record.signature.hex() != signature:
            return f"the signature of record {sequence} is lost"
    for sequence in promised.confirmed:
        if found[sequence].state is not RecordState.CONFIRMED:
            return f"record {sequence} was confirmed and is {found[sequence].state}"
    told = [e.record.body for e in found.values() if e.record.kind == "delivery"]
    return "a delivery is told twice" if len(told) != len(set(told)) else ""


def _commands_broken(conn: Any, promised: Promises) -> str:
    for number, rank in promised.commands.items():
        order = commands.get(conn, number)
        if order is None:
            return f"command {number[-4:]} is lost"
        if _rank(order.state) < rank:
            return f"command {number[-4:]} is {order.state} again"
    if commands.spent(conn, workload.DEVICE, 20_000) < promised.spent:
        return "EEPROM writes are forgotten"
    return ""


def _intents_broken(conn: Any, promised: Promises) -> str:
    for key in promised.queued:
        if intents.get(conn, key) is None:
            return f"intent {key} is lost"
    following = intents.next_nonce(conn, SENDER)
    for nonce, key in promised.nonces.items():
        intent = intents.get(conn, key)
        if intent is None or intent.nonce != nonce or following <= nonce:
            return f"nonce {nonce} of {key} is lost: it would be given again"
    return ""
