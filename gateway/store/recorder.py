"""The recorder: samples go in one by one and reach the disk in groups.

`put` is synchronous and cheap. The group period is the stated loss window at a power cut: what was put
since the last commit. It refuses to grow without bound while the disk is slow: then samples are counted
as lost and the gap is recorded with the next commit. A failed commit is a StoreError out of `run`.

Who follows the store (the MQTT uplink) waits with `changed` and reads with `after`; the newest samples are
handed on from memory, so a follower that keeps up costs no query. A follower's position is given to
`advance` and is committed with the next group, which costs no sync of its own.
"""

import asyncio
import sqlite3
from collections import deque

from gateway.model import ClockTrust, Sample, Stamp
from gateway.store import Store, cursors, gaps, samples

QUEUE_MAX = 5000  # samples: a minute and a half of the largest site we know while a card stalls
GROUP_MAX = 500  # samples in one commit: a transaction of some hundred kB at most
TAIL_MAX = 64  # newest samples kept in memory for followers


class Recorder:
    """Committed since the start: `stored` readings (values), in `samples`, in `commits`. `seq` is the newest
    committed sample."""

    def __init__(self, store: Store, commit_ms: int) -> None:
        self.stored = self.samples = self.commits = 0
        self.lost = 0
        self.seq = 0
        self._store = store
        self._commit_s = commit_ms / 1000
        self._queue: deque[Sample] = deque()
        self._overflow: dict[str, tuple[int, int, int]] = {}  # device -> from_ms, to_ms, readings
        self._cursors: dict[str, int] = {}
        self._tail: deque[tuple[int, Sample]] = deque(maxlen=TAIL_MAX)
        self._untrusted = False  # samples of this start wait for a date
        self._some = asyncio.Event()
        self._full = asyncio.Event()
        self._committed = asyncio.Event()
        self._writing = asyncio.Lock()

    @property
    def queued(self) -> int:
        """Samples that wait for their commit."""
        return len(self._queue)

    def put(self, sample: Sample) -> None:
        """Take a sample; it is stored at latest after the group period. Never blocks, never raises."""
        if len(self._queue) >= QUEUE_MAX:
            self._overflowed(sample)
            return
        self._queue.append(sample)
        self._some.set()
        if len(self._queue) >= GROUP_MAX:
            self._full.set()

    def advance(self, cursor: str, number: int) -> None:
        """Commit this position with the next group."""
        self._cursors[cursor] = number
        self._some.set()

    async def start(self) -> None:
        """Learn where the store stands. Once, after it was opened."""
        self.seq = await self._store.call(samples.last_seq)

    async def run(self) -> None:
        """Commit for ever; on cancellation what is queued is committed first."""
        try:
            while True:
                await self._some.wait()
                await self._group_period()
                await self.flush()
        except asyncio.CancelledError:
            await self.flush()
            raise

    async def flush(self) -> None:
        """Commit everything that is queued. StoreError when the disk fails."""
        async with self._writing:
            self._some.clear()
            self._full.clear()
            while self._queue or self._cursors or self._overflow:
                await self._commit()

    async def changed(self, seq: int) -> None:
        """Wait until a sample after `seq` is committed."""
        while self.seq <= seq:
            await self._committed.wait()

    async def after(self, seq: int, limit: int) -> list[tuple[int, Sample]]:
        """At most `limit` committed samples after `seq`, oldest first."""
        tail = self._tail
        if tail and tail[0][0] <= seq + 1:
            return [pair for pair in tail if pair[0] > seq][:limit]
        return await self._store.call(samples.after, seq, limit, self._store.sets)

    async def _group_period(self) -> None:
        try:
            async with asyncio.timeout(self._commit_s):
                await self._full.wait()
        except TimeoutError:
            pass

    async def _commit(self) -> None:
        group = [self._queue.popleft() for _ in range(min(GROUP_MAX, len(self._queue)))]
        positions, self._cursors = self._cursors, {}
        lost, self._overflow = self._overflow, {}
        anchor = self._anchor(group)
        self.seq = await self._store.call(self._write, group, positions, lost, anchor)
        self.stored += sum(len(s.values) for s in group)
        self.samples += len(group)
        self.commits += 1
        self._remember(group, dated=anchor is not None)
        committed, self._committed = self._committed, asyncio.Event()
        committed.set()

    def _remember(self, group: list[Sample], *, dated: bool) -> None:
        """Keep the newest for followers; without a hole, and only with the stamps the store has."""
        tail, first = self._tail, self.seq - len(group) + 1
        if dated or (tail and tail[-1][0] + 1 != first):
            tail.clear()
        if not dated:
            tail.extend((first + n, s) for n, s in enumerate(group))

    def _anchor(self, group: list[Sample]) -> Stamp | None:
        """The first trusted moment after untrusted ones: what they are dated from."""
        for sample in group:
            if sample.stamp.trust is ClockTrust.UNTRUSTED:
                self._untrusted = True
            elif self._untrusted and sample.stamp.trust is ClockTrust.TRUSTED:
                self._untrusted = False
                return sample.stamp
        return None

    def _write(
        self,
        conn: sqlite3.Connection,
        group: list[Sample],
        positions: dict[str, int],
        lost: dict[str, tuple[int, int, int]],
        anchor: Stamp | None,
    ) -> int:
        """On the writer's thread, one transaction."""
        store = self._store
        seq = samples.insert_many(conn, group, store.boot, store.sets) if group else self.seq
        if anchor is not None:
            samples.backdate(conn, store.boot, anchor.mono_ms, anchor.wall_ms)
        for cursor, number in positions.items():
            cursors.put(conn, cursor, number)
        for device, (from_ms, to_ms, count) in lost.items():
            gaps.add(conn, device, from_ms, to_ms, count, gaps.DROPPED)
        return seq

    def _overflowed(self, sample: Sample) -> None:
        self.lost += 1
        at_ms = sample.stamp.wall_ms
        from_ms, _, count = self._overflow.get(sample.device, (at_ms, at_ms, 0))
        self._overflow[sample.device] = (from_ms, at_ms, count + len(sample.values))
