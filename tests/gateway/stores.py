"""What the store's tests share: a clock set by hand, samples by number, a store opened and closed."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

from gateway.model import ClockTrust, Point, Record, Sample, Stamp
from gateway.site import StoreSettings
from gateway.store import OpenReport, Store, schema

WALL_MS = 1_764_000_000_000
POINTS = (Point("bms", "battery_soc_bp"), Point("bms", "cell_mv", evidence=False))


class HandClock:
    """Stands still until it is set."""

    def __init__(self, mono_ms: int = 0, trust: ClockTrust = ClockTrust.TRUSTED) -> None:
        self.mono, self.trust, self.offset = mono_ms, trust, WALL_MS

    def mono_ms(self) -> int:
        return self.mono

    def now(self) -> Stamp:
        return Stamp(self.mono, self.mono + self.offset, self.trust)


def sample(number: int, trust: ClockTrust = ClockTrust.TRUSTED, offset_ms: int = WALL_MS) -> Sample:
    """The sample of millisecond `number`, on a clock that is `offset_ms` ahead of the monotonic one."""
    return Sample(
        "bms", Stamp(number, number + offset_ms, trust), POINTS, (number, -(2**40) - number), b"\0\1"
    )


def record(sequence: int, previous: bytes = bytes(32), kind: str = "interval") -> Record:
    return Record(sequence, previous, digest(sequence), kind, f'{{"n":{sequence}}}')


def digest(sequence: int) -> bytes:
    return sequence.to_bytes(32, "big")


class Memory(sqlite3.Connection):
    """Closes itself when it is forgotten: nothing of it is to be kept in order."""

    def __del__(self) -> None:
        self.close()


def bare() -> sqlite3.Connection:
    """An empty database, on no disk."""
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False, factory=Memory)


def memory() -> sqlite3.Connection:
    """All tables, on no disk."""
    conn = bare()
    schema.create(conn)
    return conn


@contextlib.asynccontextmanager
async def opened(path: Path, clock: HandClock | None = None) -> AsyncIterator[tuple[Store, OpenReport]]:
    store = Store(StoreSettings(path), clock or HandClock())
    try:
        report = await store.open()
        yield store, report
    finally:
        await store.close()
