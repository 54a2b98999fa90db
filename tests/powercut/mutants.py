"""The store broken on purpose, one way each: a harness that does not notice these proves nothing."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway import attest
from gateway.cli import keymaking
from gateway.evidence import records as evidence
from gateway.store import Store, files, intents, records
from gateway.store.records import GENESIS


def _synchronous_normal() -> None:
    def make_durable(conn: sqlite3.Connection) -> None:
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute("PRAGMA synchronous = NORMAL")

    files.make_durable = make_durable


def _mode_unchecked() -> None:
    """The switch to WAL failed, returned "delete", and nobody looked."""

    def make_durable(conn: sqlite3.Connection) -> None:
        conn.execute("PRAGMA journal_mode = DELETE")
        conn.execute("PRAGMA synchronous = FULL")

    files.make_durable = make_durable


def _key_unsynced() -> None:
    def write_new(path: Path, content: bytes) -> None:
        path.write_bytes(content)

    keymaking.write_new = write_new


def _key_in_place() -> None:
    """Synced, but under its name from the first byte on."""

    def write_new(path: Path, content: bytes) -> None:
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        files.sync_directory(path.parent)

    keymaking.write_new = write_new


def _signed_first() -> None:
    """The signature exists before its digest is durable."""
    real = attest.Attestor._append

    async def append(self: Any, body: Any, *, sequence: int = 0, **rest: Any) -> None:
        before = await self._store.call(records.last)
        number, previous = (before.sequence + 1, before.digest) if before else (1, GENESIS)
        made = evidence.seal(self._domain, self._site.id, sequence or number, previous, body)
        self._store.numbers[made.digest] = made.sequence
        self._signer.sign(made.digest)
        await real(self, body, sequence=sequence, **rest)

    attest.Attestor._append = append


def _nonce_published_first() -> None:
    """A transaction is shown to the chain before its nonce is durable: told by an early acknowledgement."""
    real = Store._transact

    def transact(self: Any, fn: Any) -> Any:
        def early(conn: sqlite3.Connection) -> Any:
            result = fn(conn)
            if isinstance(result, intents.Intent):
                self._note({"nonce": result.nonce, "key": result.key})
            return result

        return real(self, early)

    Store._transact = transact


def _aside_by_copy() -> None:
    """A database that cannot be used is deleted instead of being put away."""

    def set_aside(path: Path) -> Path:
        for suffix in ("-wal", "-shm", "-journal", ""):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        return path.with_name(f"{path.name}.aside-1")

    files.set_aside = set_aside


def _made_in_place() -> None:
    """A new database is made under its own name, and a stop halfway leaves half of it there."""
    from gateway.store import schema

    def make(path: Path) -> None:
        conn = sqlite3.connect(path, isolation_level=None)
        conn.execute(f"PRAGMA page_size = {files.PAGE_BYTES}")
        schema.create(conn)
        conn.close()

    files._make = make


MUTANTS: dict[str, Callable[[], None]] = {
    "": lambda: None,
    "synchronous-normal": _synchronous_normal,
    "mode-unchecked": _mode_unchecked,
    "key-unsynced": _key_unsynced,
    "key-in-place": _key_in_place,
    "signed-first": _signed_first,
    "nonce-first": _nonce_published_first,
    "aside-deleted": _aside_by_copy,
    "made-in-place": _made_in_place,
}


def apply(name: str) -> None:
    MUTANTS[name]()
