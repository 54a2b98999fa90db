"""Merkle proofs of single readings, from what is stored: gathered in slices, one tree at a time.

The newest tree is kept, so that a client's second question costs nothing. It refuses trees over more readings
than a small machine can hold and hash without anybody noticing, and a tree whose readings are not all there.
"""

import asyncio

from gateway.clock import Clock
from gateway.evidence import body as bodies
from gateway.evidence import merkle
from gateway.model import Delivery, Interval, Sample
from gateway.store import Store, samples
from gateway.store.records import Entry
from gateway.uplink.http.spec import Refused

SLICE = 200  # samples in one transaction
LEAVES_MAX = 60_000  # of a tree, 8 MB: 15 minutes of 66 readings a second
PAUSE_MS = 2000  # between two trees

Proven = tuple[int, int, list[bytes]]  # value, quality, proof


class Proofs:
    """`of` answers Refused (404) for what it cannot prove, (503) while another tree is made."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._making = asyncio.Lock()
        self._sequence = 0
        self._nodes: list[bytes] = []
        self._made_ms = -PAUSE_MS

    async def of(self, entry: Entry, point: str, at_ms: int) -> Proven:
        said = bodies.read(entry.record.kind, entry.record.body).body
        if not isinstance(said, Interval | Delivery) or not said.start_ms <= at_ms < said.end_ms:
            raise Refused(404, "this record does not speak of that moment")
        if said.count > LEAVES_MAX:
            raise Refused(404, f"the record is over more than {LEAVES_MAX} readings: use gridseal export")
        value, quality = await self._find(entry, point, at_ms)
        nodes = await self._tree(entry, (said.start_ms, said.end_ms), said.merkle_root)
        try:
            return value, quality, merkle.proof(nodes, merkle.leaf(point, at_ms, value, quality))
        except ValueError:
            raise Refused(404, "this reading is not under the record") from None

    async def _find(self, entry: Entry, point: str, at_ms: int) -> tuple[int, int]:
        for _, sample in await self._store.call(
            samples.covered, (entry.first_seq, entry.last_seq), (at_ms, at_ms + 1), SLICE, self._store.sets
        ):
            for known, value, quality in zip(sample.points, sample.values, sample.qualities, strict=True):
                if known.key == point and known.evidence:
                    return value, quality
        raise Refused(404, "this reading is not stored (any more)")

    async def _tree(self, entry: Entry, span_ms: tuple[int, int], root: bytes) -> list[bytes]:
        async with self._making:
            if self._sequence == entry.record.sequence and self._nodes[0] == root:
                return self._nodes
            if self._clock.mono_ms() - self._made_ms < PAUSE_MS:
                raise Refused(503, "another proof was made just now: try again in some seconds")
            self._nodes, self._sequence = [], 0
            leaves = await self._leaves(entry, span_ms)
            nodes = await asyncio.to_thread(merkle.tree, leaves) if leaves else [b""]
            self._made_ms = self._clock.mono_ms()
            if nodes[0] != root:
                raise Refused(404, "the readings under this record are not all stored any more")
            self._nodes, self._sequence = nodes, entry.record.sequence
            return nodes

    async def _leaves(self, entry: Entry, span_ms: tuple[int, int]) -> list[bytes]:
        leaves: list[bytes] = []
        after = entry.first_seq
        while len(leaves) <= LEAVES_MAX:
            found = await self._store.call(
                samples.covered, (after, entry.last_seq), span_ms, SLICE, self._store.sets
            )
            leaves += await asyncio.to_thread(_hashed, [sample for _, sample in found])
            if len(found) < SLICE:
                break
            after = found[-1][0] + 1
        return leaves


def _hashed(found: list[Sample]) -> list[bytes]:
    return [leaf for sample in found for leaf in merkle.leaves(sample)]
