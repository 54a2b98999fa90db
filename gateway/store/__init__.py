"""The store: one SQLite database, one writer, nothing acknowledged before it is synced.

`Store.call` runs a function of a connection as one transaction on the writer's thread. It refuses to go
on after a failure of the disk: after a failed sync the kernel may call the pages clean, so a second try
proves nothing. The daemon ends, systemd starts it, and the database is verified before it is used again.

What is stored is in the table modules beside this file: plain functions of a connection.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, ParamSpec, TypeVar

from gateway.clock import Clock
from gateway.errors import StoreError
from gateway.site import StoreSettings
from gateway.store import faults, files, gaps, meta, records
from gateway.store.files import OpenReport
from gateway.store.samples import PointSets

__all__ = ["OpenReport", "Store"]

P = ParamSpec("P")
T = TypeVar("T")

CALL_S_MAX = 60.0  # a worn card stalls for seconds; one that stalls longer is gone
CLOSE_S_MAX = 5.0  # after a failure nothing is written any more
OPEN_S_MAX = 600.0  # a full check of a full database on a slow card
ID_BYTES = 4


class Store:
    """The database of a site. `boot`, `id` and `sets` are known after `open`.

    `threaded=False` runs everything inline, for tests in virtual time. `entropy` gives the bytes of a new
    database's id, which makes message ids unique though sequences begin again after a loss.
    """

    def __init__(
        self,
        settings: StoreSettings,
        clock: Clock,
        *,
        threaded: bool = True,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.path = settings.path
        self.boot = 0
        self.id = ""
        self.sets = PointSets()
        self._clock = clock
        self._entropy = entropy
        self._pool = ThreadPoolExecutor(1, "store") if threaded else None
        self._conn: sqlite3.Connection | None = None
        self._lock: int | None = None
        self._failure = ""

    async def open(self) -> OpenReport:
        """Create, migrate or verify the database, and count this start. StoreError says what to do."""
        return await self._in_thread(self._open, OPEN_S_MAX)

    async def call(
        self, fn: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `fn(conn, ...)` as one transaction; when this returns, it is on the disk.

        A StoreError that `fn` raises undoes the transaction and no more. An error of SQLite or the disk
        becomes a StoreError, and so does every later call. A cancelled caller leaves only when the
        transaction has ended, one way or the other.
        """
        return await self._in_thread(lambda: self._transact(lambda conn: fn(conn, *args, **kwargs)))

    async def close(self) -> None:
        """Close in order, if nothing failed. May be called always, also twice."""
        longest_s = CLOSE_S_MAX if self._failure else None
        try:
            await self._in_thread(self._close, longest_s, check=False)
        finally:
            if self._pool is not None:
                self._pool.shutdown(wait=False)

    async def _in_thread(
        self, work: Callable[[], T], longest_s: float | None = None, *, check: bool = True
    ) -> T:
        longest_s = longest_s or CALL_S_MAX
        if check and self._failure:
            raise StoreError(self._failure)
        if self._pool is None:
            return work()
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        try:
            done, _ = await asyncio.wait((future,), timeout=longest_s)
        except asyncio.CancelledError:
            await asyncio.wait((future,), timeout=longest_s)
            if future.done():
                future.exception()  # seen: the caller is being cancelled and hears nothing more
            raise
        if not done:
            raise self._fail(f"the disk under {self.path} has not answered for {longest_s:.0f} s")
        return future.result()

    def _fail(self, message: str) -> StoreError:
        self._failure = self._failure or message
        return StoreError(message)

    def _transact(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        conn = self._conn
        if self._failure or conn is None:
            raise StoreError(self._failure or "the store is not open")
        try:
            conn.execute("BEGIN IMMEDIATE")
            try:
                result = fn(conn)
            except BaseException:
                if conn.in_transaction:
                    conn.execute("ROLLBACK")
                raise
            conn.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise self._fail(faults.explain(self.path, error)) from error
        return result

    def _open(self) -> OpenReport:
        if self._conn is not None:
            raise StoreError("the store is open already")
        try:
            self._lock = files.lock(self.path)
            self._conn, found = files.find(self.path)
            return self._transact(lambda conn: self._begin(conn, found))
        except (sqlite3.Error, OSError) as error:
            self._release()
            raise self._fail(faults.explain(self.path, error)) from error
        except StoreError:
            self._release()
            raise

    def _begin(self, conn: sqlite3.Connection, found: files.Found) -> OpenReport:
        now = self._clock.now()
        self.id = meta.get(conn, "id")
        if not self.id:
            self.id = self._entropy(ID_BYTES).hex()
            meta.put(conn, "id", self.id)
        self.boot = meta.begin_boot(conn, now)
        if found.set_aside is not None:
            gaps.add(conn, gaps.EVERYTHING, 0, now.wall_ms, 0, gaps.SET_ASIDE)
            records.note_before(conn, found.last_known)
        return OpenReport(self.boot, found.created, found.migrated, found.set_aside, found.reason)

    def _close(self) -> None:
        try:
            if self._conn is not None and not self._failure:
                self._transact(meta.closed)
        finally:
            self._release()

    def _release(self) -> None:
        conn, self._conn = self._conn, None
        try:
            if conn is not None:
                conn.close()
        finally:
            descriptor, self._lock = self._lock, None
            if descriptor is not None:
                os.close(descriptor)
