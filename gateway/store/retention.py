"""Keeps the database within its size and age. Only samples are ever deleted, and never the newest.

A sample is settled when the record that covers it has come as far as this site's records can, and when
every follower has taken it. By age only settled samples go. By size settled ones go first, oldest first;
when there are none left, unsettled ones go, and what was lost is written down as a gap to be attested.
Freed pages are used again, so the file stays within its bound; it does not shrink.

Age is counted by a calendar that was lived through: one that leaps ahead deletes nothing before it has stood
for a day, for it may be wrong, and what is deleted does not come back.

The bound also yields when something else fills the disk: better to drop the oldest readings, with a gap,
than to stop at the first commit that does not fit.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.clock import Clock
from gateway.errors import StoreError
from gateway.model import ClockTrust, Stamp
from gateway.site import StoreSettings
from gateway.store import Store, cursors, gaps, records
from gateway.store.records import RecordState

PASS_S = 10.0  # a site writes some tens of kB in this time: the bound is kept closely enough
SLICE_ROWS = 500  # one transaction; short enough that a command's insert does not wait for it
SLICES_MAX = 200  # one pass: 100,000 rows; the rest in the next
DISK_RESERVE_BYTES = 32 * 2**20  # left free for the write-ahead log and for other programs
AGE_STEP_MS = 60_000  # what became too old in this time goes at once: a deletion is a commit, which wears
KEEP_ROWS = 1000  # newest samples that stay however small the bound: the followers' working set

CURSOR = "lived"  # the date that age is counted from
SAVE_MS = 3_600_000  # how often it is stored: a row each hour
LEAP_MS = 2 * SAVE_MS  # further ahead than this, the calendar has leapt
BELIEVED_MS = 86_400_000  # for so long, before it is believed

_NEVER = 2**62


@dataclass(frozen=True, slots=True)
class Policy:
    """What settles a sample. `reached`: the state of its record (None: the site makes no records);
    `followers`: names of the cursors that must have passed it.
    """

    reached: RecordState | None = None
    followers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a slice did: samples deleted, and how many of them were not settled."""

    deleted: int
    unsettled: int


def free_bytes(path: Path) -> int:
    """What the file system of `path` has left for us. StoreError when the database is no longer there."""
    try:
        found = os.statvfs(path)
    except OSError as error:
        raise StoreError(f"{path} was taken away while it was in use: {error.strerror}") from error
    return found.f_bavail * found.f_frsize


class Retention:
    def __init__(
        self,
        store: Store,
        settings: StoreSettings,
        clock: Clock,
        policy: Policy,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._policy = policy
        self._free = free
        self._lived_ms: int | None = None
        self._saved_ms = 0
        self._seen_ms = 0  # monotonic: the last pass
        self._leap: tuple[int, int] | None = (
            None  # since when (monotonic), and how far, the calendar is ahead
        )

    async def run(self) -> None:
        while True:
            await self.once()
            await asyncio.sleep(PASS_S)

    async def once(self) -> Sweep:
        """One pass, in slices that let other work through. Returns what was deleted."""
        deleted = unsettled = 0
        now = self._clock.now()
        trusted = now.trust is ClockTrust.TRUSTED
        if not trusted:
            self._leap = None
        oldest_ms = await self._date_ms(now) - self._settings.keep_s * 1000 if trusted else 0
        oldest_ms -= oldest_ms % AGE_STEP_MS
        for _ in range(SLICES_MAX):
            room = self._free(self._store.path) - DISK_RESERVE_BYTES
            bound = self._settings.size_bytes
            sweep = await self._store.call(sweep_slice, self._policy, bound, room, oldest_ms)
            deleted, unsettled = deleted + sweep.deleted, unsettled + sweep.unsettled
            if not sweep.deleted:
                break
        return Sweep(deleted, unsettled)

    async def _date_ms(self, now: Stamp) -> int:
        """The date that age is counted from: the clock's, unless it is ahead of what was lived through."""
        if self._lived_ms is None:
            self._saved_ms = await self._store.call(cursors.get, CURSOR)
            newest_ms = await self._store.call(_newest_ms) or now.wall_ms
            near = abs(now.wall_ms - newest_ms) <= LEAP_MS
            self._lived_ms = self._saved_ms or (now.wall_ms if near else newest_ms)
            self._seen_ms = now.mono_ms
        passed_ms, self._seen_ms = now.mono_ms - self._seen_ms, now.mono_ms
        lived_ms = self._lived_ms + passed_ms
        ahead_ms = now.wall_ms - lived_ms
        if ahead_ms <= LEAP_MS:  # it is made up for as slowly as time goes, or many steps would be a leap
            self._leap, lived_ms = None, min(now.wall_ms, lived_ms + passed_ms)
        elif self._leap is None or abs(ahead_ms - self._leap[1]) > LEAP_MS:
            self._leap = (now.mono_ms, ahead_ms)
        elif now.mono_ms - self._leap[0] >= BELIEVED_MS:
            self._leap, lived_ms = None, now.wall_ms
        self._lived_ms = lived_ms
        if abs(lived_ms - self._saved_ms) >= SAVE_MS:
            await self._store.call(cursors.put, CURSOR, lived_ms)
            self._saved_ms = lived_ms
        return lived_ms


def sweep_slice(
    conn: sqlite3.Connection, policy: Policy, bound: int, room: int, oldest_ms: int, rows: int = SLICE_ROWS
) -> Sweep:
    """Delete at most `rows` samples that must go: too old and settled, or too many for the bound.

    `bound` and `room` in bytes: what the database may be, and what the disk has left for it to grow.
    """
    settled = settled_through(conn, policy)
    newest = _newest_deletable(conn)
    if used_bytes(conn) > min(bound, file_bytes(conn) + room):
        oldest = conn.execute("SELECT coalesce(min(seq), 0) FROM sample").fetchone()[0]
        through = min(newest, oldest + rows - 1)
        return _delete(conn, min(through, settled) if oldest <= settled else through, settled)
    # By date, so that the index is used; a date that is not trusted says nothing of age.
    query = "SELECT seq FROM sample WHERE wall_ms < ? AND seq <= ? AND trust <> 0 ORDER BY wall_ms LIMIT ?"
    aged = conn.execute(query, (oldest_ms, min(newest, settled), rows)).fetchall()
    conn.executemany("DELETE FROM sample WHERE seq = ?", aged)
    return Sweep(len(aged), 0)


def _newest_ms(conn: sqlite3.Connection) -> int:
    """The date of the newest sample that has one; 0 when there is none."""
    row = conn.execute("SELECT wall_ms FROM sample WHERE trust <> 0 ORDER BY seq DESC LIMIT 1").fetchone()
    return int(row[0]) if row else 0


def _newest_deletable(conn: sqlite3.Connection) -> int:
    row = conn.execute("SELECT seq FROM sample ORDER BY seq DESC LIMIT 1 OFFSET ?", (KEEP_ROWS,)).fetchone()
    return int(row[0]) if row else 0


def settled_through(conn: sqlite3.Connection, policy: Policy) -> int:
    """The newest `seq` up to which every sample is settled."""
    positions = [_attested_through(conn, policy.reached)]
    for name in policy.followers:
        row = conn.execute("SELECT number FROM cursor WHERE name = ?", (name,)).fetchone()
        positions.append(int(row[0]) if row else 0)
    return min(positions)


def _attested_through(conn: sqlite3.Connection, reached: RecordState | None) -> int:
    if reached is None:
        return _NEVER
    short: Sequence[str] = (RecordState.PENDING, RecordState.SIGNED)
    if reached is not RecordState.CONFIRMED:
        short = (RecordState.PENDING,)
    marks = ", ".join("?" * len(short))
    query = (
        "SELECT min(first_seq) FROM record"
        f" WHERE state <> 'confirmed' AND state IN ({marks}) AND first_seq > 0"
    )
    (waiting,) = conn.execute(query, short).fetchone()
    if waiting is not None:
        return int(waiting) - 1
    newest = records.last_entry(conn, "interval")  # a delivery reaches into the period that is still open
    return newest.last_seq if newest else 0


def _delete(conn: sqlite3.Connection, through: int, settled: int) -> Sweep:
    """Delete all samples up to `through`; those after `settled` become gaps, a device each."""
    lost = conn.execute(
        "SELECT device, min(wall_ms), max(wall_ms), count(*), sum(json_array_length(points)) FROM sample"
        " JOIN point_set ON point_set.id = set_id WHERE seq > ? AND seq <= ? GROUP BY device",
        (settled, through),
    ).fetchall()
    for device, from_ms, to_ms, _, readings in lost:
        gaps.add(conn, device, from_ms, to_ms, readings, gaps.DROPPED)
    cursor = conn.execute("DELETE FROM sample WHERE seq <= ?", (through,))
    return Sweep(cursor.rowcount, sum(row[3] for row in lost))


def file_bytes(conn: sqlite3.Connection) -> int:
    """The database file as it is, used pages and free ones."""
    return int(conn.execute("PRAGMA page_count").fetchone()[0]) * _page_bytes(conn)


def used_bytes(conn: sqlite3.Connection) -> int:
    """What the tables occupy; free pages are used before the file grows."""
    free = int(conn.execute("PRAGMA freelist_count").fetchone()[0]) * _page_bytes(conn)
    return file_bytes(conn) - free


def _page_bytes(conn: sqlite3.Connection) -> int:
    return int(conn.execute("PRAGMA page_size").fetchone()[0])
