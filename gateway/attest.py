"""Turns what is stored into signed records: one for each period, each delivery, each gap.

The only writer of the hash chain. A record's digest is durable before the signature is made, and one that
was left unsigned by a stop is signed first, unchanged. It refuses to seal anything while the wall clock is
not trusted, or samples whose date is not. It works from the store alone, so a
restart, or a week without power, changes nothing in what is sealed.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import replace

from gateway.analytics.fold import Fold, Plant
from gateway.clock import Clock
from gateway.errors import LinkError
from gateway.evidence import body as bodies
from gateway.evidence import merkle, records
from gateway.evidence import setup as setups
from gateway.evidence.aggregate import HOLD_MS, Aggregator
from gateway.evidence.body import Statement
from gateway.evidence.signer import Signer
from gateway.evidence.typed import (
    GENESIS,
    Body,
    Domain,
    Gap,
    GapCause,
    Revocation,
    RevocationReason,
    Rotation,
    Setup,
)
from gateway.model import (
    Cause,
    ClockTrust,
    CommandState,
    Delivery,
    IntervalFlag,
    Point,
    Record,
    Sample,
)
from gateway.site import Site, preference
from gateway.store import Store, gaps, performance, samples, unsealed
from gateway.store import records as links
from gateway.store.commands import Order

POLL_S = 0.5  # how soon an ended period or delivery is noticed
SETTLE_MS = 500  # after the group commit, before a span is closed: late samples of slow links
DATING_MS = 120_000  # from a trusted clock to the dates of earlier samples; only dead devices need longer
# Left out by `skip_past`: what was signed and had not yet reached the contract, or cannot be read any more.
# A hundred days of quarter hours; a uint32 has room for 400,000 such losses.
SKIP = 10_000
CALENDAR_S = 1_577_836_800  # 2020: a uint32 of seconds lasts until 2156
SLICE_MS = 30_000  # of samples read at once: bounds memory for sites with thousands of points
GAPS_AT_ONCE = 50
POWER_PART = 4  # no counter is believed that rises faster than this many times the site's largest limit
REST_PART = 50  # a battery with less than this part of its power rests

_INT64, _INT32, _UINT32 = (-(2**63), 2**63 - 1), (-(2**31), 2**31 - 1), (0, 2**32 - 1)
_ENDS = {
    "requested_wh": _INT64,
    "delivered_wh": _INT64,
    "power_min_w": _INT32,
    "power_max_w": _INT32,
    "power_mean_w": _INT32,
    "response_ms": _UINT32,
    "error_mean_w": _UINT32,
    "curtailed_ms": _UINT32,
}

ENDS = ("rotation", "revocation")  # kinds behind which their key signs nothing
HANDED_OVER = (
    "the site's key handed over to {}: the daemon begins anew with that one, as attest.next or attest.key"
)
REVOKED = "the site's key was revoked: bind another one, and give store.path another file"

Seal = Callable[[sqlite3.Connection, Record], None]


class Attestor:
    """Works on one store with one key, for the contract of `domain`. A signed record that does not `fits`
    the contract is followed by a gap record, which alone may pass over it there. `setup`: under what this
    start works, said once if it is news."""

    def __init__(
        self,
        site: Site,
        store: Store,
        clock: Clock,
        signer: Signer,
        domain: Domain,
        fits: Callable[[Record], bool] = lambda _: True,
        setup: Setup | None = None,
    ) -> None:
        self._site = site
        self._store = store
        self._clock = clock
        self._signer = signer
        self._domain = domain
        self._fits = fits
        self._roles = {d.name: d.role for d in site.devices}
        self._silence_ms = {d.name: max(HOLD_MS, 3 * d.poll_ms) for d in site.devices}
        limits = site.limits
        self._most_w = POWER_PART * max(limits.charge_w, limits.discharge_w, limits.import_w, limits.export_w)
        self._plant = plant(site, self._silence_ms)
        self._trusted_ms: int | None = None  # monotonic: since when the clock has been trusted
        self._skip_to = 0  # the sequence of the next record, a gap
        self._setup = setup
        self._appending = asyncio.Lock()  # a person ends the key while a period is sealed
        self._began_ms = clock.mono_ms()

    async def run(self) -> None:
        """Seal what falls due until cancelled."""
        await self._sign_left()
        await self.skip_past(await self._store.call(links.before))
        last = await self._store.call(links.last)
        if (
            last and not self._skip_to and not self._fits(last)
        ):  # stopped before its gap, or another contract's
            await self._pass_over(last)
        while True:
            if await self._dated():
                await self.seal_due()
            await asyncio.sleep(POLL_S)

    async def _sign_left(self) -> None:
        """What a stop left between its digest and its signature."""
        async with self._appending:
            for record in await self._store.call(links.unsigned):
                await self._sign(record)

    async def _dated(self) -> bool:
        """Whether the clock is trusted, and what was stored before it was has its dates."""
        now = self._clock.now()
        if now.trust is not ClockTrust.TRUSTED:
            self._trusted_ms = None
            return False
        if self._trusted_ms is None:
            self._trusted_ms = now.mono_ms
        if now.mono_ms - self._trusted_ms > DATING_MS:
            return True
        return not await self._store.call(unsealed.undated, self._store.boot)

    async def seal_due(self) -> None:
        """One round: gaps, deliveries and every period that is over."""
        if self._skip_to:
            await self._skip()
        if self._setup:
            await self._say_setup(self._setup)
        await self._seal_gaps()
        for order in await self._store.call(unsealed.deliveries):
            if self._settled(order.ended_ms):
                await self._seal_delivery(order)
        while await self._seal_next_period():
            pass  # after an outage of days there are hundreds

    async def skip_past(self, sequence: int) -> str:
        """Records up to `sequence` at least were signed. If the store does not hold them, what is sealed next
        is a gap, well behind them; and this says so to whoever has to know."""
        last = await self._store.call(links.last)
        known = last.sequence if last else 0
        if sequence <= known:
            return ""
        self._skip_to = max(self._skip_to, sequence + SKIP + 1)
        return (
            f"records up to {sequence} were signed, and the store ends with {known}: it is from an old"
            " backup, or another disk; what is missing becomes a signed gap"
        )

    async def follow_another(self) -> None:
        """Another key spoke for the site before. If the store holds nothing of it, its device is gone with
        what it had not handed in: the chain begins by saying so."""
        if await self._store.call(links.last) is None:
            self._skip_to = max(self._skip_to, 1)

    async def _skip(self) -> None:
        last = await self._store.call(links.last)
        cause, wall_ms = GapCause.RESTORED if last else GapCause.STORE_LOST, self._clock.now().wall_ms
        before = await self._store.call(links.before)
        if before and not last:
            # Nobody knows how far the lost one had come, nor the one lost before it: seconds pass faster than
            # records are signed, so a number by the calendar is ahead of all of them.
            self._skip_to = max(self._skip_to, wall_ms // 1000 - CALENDAR_S)
        await self._append(Gap(0, wall_ms, 0, cause), sequence=self._skip_to)
        self._skip_to = 0

    async def _say_setup(self, now: Setup) -> None:
        """It holds from the start on, however late the clock is trusted."""
        last = await self._store.call(links.last_entry, "setup")
        before = bodies.read("setup", last.record.body).body if last else None
        if not (isinstance(before, Setup) and setups.same(before, now)):
            stamp = self._clock.now()
            await self._append(replace(now, at_ms=stamp.wall_ms - (stamp.mono_ms - self._began_ms)))
        self._setup = None

    # -- the key's end ----------------------------------------------------------------------------

    async def rotate(self, next_key: str, asset: int, possession: bytes) -> Record:
        """End this key's part of the chain: `next_key` goes on. LinkError when it did not agree."""
        if next_key.lower() == self._signer.address.lower():
            raise LinkError(f"{next_key} is the site's key already")
        body = Rotation(self._now_ms(), next_key.lower(), asset, possession)
        said = Statement(self._domain, self._site.id, body)
        if problem := records.disagreed(said, self._signer.address):
            raise LinkError(f"{next_key} does not become the site's key: {problem}")
        await self._sign_left()
        return await self._append(body)

    async def revoke(self, reason: RevocationReason) -> Record:
        """End the chain: nothing more is signed by this key, and no other goes on."""
        await self._sign_left()
        return await self._append(Revocation(self._now_ms(), reason))

    def _now_ms(self) -> int:
        now = self._clock.now()
        if now.trust is not ClockTrust.TRUSTED:
            raise LinkError("the clock is not synchronised: nothing is signed until it is")
        return now.wall_ms

    # -- periods ----------------------------------------------------------------------------------

    async def _seal_next_period(self) -> bool:
        span = await self._next_period()
        if span is None:
            return False
        start_ms, end_ms = span
        fold = Aggregator(start_ms, end_ms, self._rank, self._silence_ms, self._site.batteries, self._most_w)
        figures = Fold(start_ms, end_ms, self._plant, await self._store.call(performance.last))

        def both(sample: Sample) -> None:
            fold.add(sample)
            figures.add(sample)

        leaves, first, last = await self._leaves(start_ms, end_ms, both)
        flags = int(IntervalFlag.READINGS_DROPPED) if await self._store.call(_dropped) else 0
        root = await asyncio.to_thread(merkle.root, leaves) if leaves else bytes(32)
        interval = fold.close(root, len(leaves), flags)
        tally = figures.close(interval)

        def stored(conn: sqlite3.Connection, _: Record) -> None:
            performance.put(conn, tally)

        await self._append(interval, first_seq=first, last_seq=last, also=stored)
        return True

    async def _next_period(self) -> tuple[int, int] | None:
        """The next period on the grid that has samples and is over, or None."""
        before = await self._store.call(links.last_entry, "interval")
        after_ms = json.loads(before.record.body)["end_ms"] if before else 0
        found = await self._store.call(unsealed.next_dated, after_ms)
        if found is None:
            return None
        every_ms = self._site.attest.every_s * 1000
        start_ms = max(after_ms, found // every_ms * every_ms)
        end_ms = (start_ms // every_ms + 1) * every_ms
        now_ms = self._clock.now().wall_ms
        return (start_ms, end_ms) if now_ms >= end_ms and self._settled(end_ms) else None

    def _settled(self, end_ms: int) -> bool:
        """Whether everything measured before `end_ms` is stored: a span that ended just now is not."""
        return not 0 <= self._clock.now().wall_ms - end_ms < self._site.store.commit_ms + SETTLE_MS

    async def _leaves(
        self, start_ms: int, end_ms: int, fold: Callable[[Sample], None] | None = None
    ) -> tuple[list[bytes], int, int]:
        """Leaf hashes of all evidence readings in the span, and the first and last sample they are from."""
        leaves: list[bytes] = []
        first = last = 0
        at_ms = start_ms - HOLD_MS if fold else start_ms  # a little before: where counters begin
        while at_ms < end_ms:
            until_ms = min(at_ms + SLICE_MS, end_ms) if at_ms >= start_ms else start_ms
            for seq, sample in await self._store.call(samples.between, at_ms, until_ms, self._store.sets):
                if sample.stamp.trust is ClockTrust.UNTRUSTED:
                    continue
                if fold:
                    fold(sample)
                if at_ms >= start_ms:
                    leaves += merkle.leaves(sample)
                    first, last = min(first or seq, seq), max(last, seq)
            at_ms = until_ms
        return leaves, first, last

    def _rank(self, point: Point) -> int:
        return preference(point.quantity, self._roles.get(point.device, ""))

    # -- deliveries and gaps ----------------------------------------------------------------------

    async def _seal_delivery(self, order: Order) -> None:
        delivery = delivery_of(order)
        leaves, first, last = await self._leaves(delivery.start_ms, delivery.end_ms)
        root = await asyncio.to_thread(merkle.root, leaves) if leaves else bytes(32)
        body = replace(delivery, merkle_root=root, count=len(leaves))

        def sealed(conn: sqlite3.Connection, record: Record) -> None:
            unsealed.seal(conn, order.command.id, record.sequence)

        await self._append(body, first_seq=first, last_seq=last, also=sealed)

    async def _seal_gaps(self) -> None:
        for gap in (await self._store.call(gaps.unattested))[:GAPS_AT_ONCE]:
            dropped = gap.cause == gaps.DROPPED  # any other cause is a database that was set aside
            cause = GapCause.READINGS_DROPPED if dropped else GapCause.STORE_LOST

            def attested(conn: sqlite3.Connection, record: Record, seen: gaps.Gap = gap) -> None:
                gaps.attest(conn, [seen], record.sequence)

            await self._append(Gap(gap.from_ms, gap.to_ms, gap.lost, cause), also=attested)

    # -- the chain --------------------------------------------------------------------------------

    async def _append(
        self,
        body: Body,
        *,
        sequence: int = 0,
        first_seq: int = 0,
        last_seq: int = 0,
        also: Seal | None = None,
    ) -> Record:
        """Seal `body` as the next link, durably, then sign it. `sequence`: jump ahead to it (gaps only)."""

        def append(conn: sqlite3.Connection) -> Record:
            before = links.last(conn)
            if before and before.kind in ENDS and (turn := records.turn(before)) != self._signer.address:
                raise LinkError(HANDED_OVER.format(turn) if turn else REVOKED)
            number, previous = (before.sequence + 1, before.digest) if before else (1, GENESIS)
            record = records.seal(self._domain, self._site.id, sequence or number, previous, body)
            links.append(conn, record, first_seq, last_seq)
            if also:
                also(conn, record)
            return record

        async with self._appending:
            record = await self._sign(await self._store.call(append))
        if record.kind != "gap" and not self._fits(record):
            await self._pass_over(record)
        return record

    async def _sign(self, record: Record) -> Record:
        signature = await asyncio.to_thread(self._signer.sign, record.digest)  # a token may take seconds
        await self._store.call(links.sign, record.sequence, signature)
        return replace(record, signature=signature)

    async def _pass_over(self, record: Record) -> None:
        body = json.loads(record.body)
        start_ms, end_ms = (body.get(name, body.get("at_ms")) for name in ("start_ms", "end_ms"))
        await self._append(Gap(start_ms, end_ms, 0, GapCause.NOT_ENCODABLE))


def plant(site: Site, silence_ms: Mapping[str, int]) -> Plant:
    """What the figures are made of: the devices that may speak for batteries, and which belong together."""
    inverters = frozenset(d.name for d in site.devices if d.role == "inverter")
    batteries = frozenset(d.name for d in site.devices if d.role == "battery")
    names = inverters | batteries
    several = frozenset().union(*site.batteries)
    return Plant(
        {name: silence_ms[name] for name in sorted(names)},
        tuple(group & names for group in site.batteries) or (names,),
        batteries | several & names or (inverters if len(inverters) == 1 else frozenset()),
        max(site.limits.charge_w, site.limits.discharge_w) // REST_PART,
    )


def _dropped(conn: sqlite3.Connection) -> bool:
    """Whether readings were dropped since the last interval; from the records, so a restart forgets none."""
    before = links.last_entry(conn, "interval")
    since = links.entries(conn, before.record.sequence if before else 0)
    causes = (json.loads(e.record.body)["cause"] for e in since if e.record.kind == "gap")
    return GapCause.READINGS_DROPPED in causes


def delivery_of(order: Order) -> Delivery:
    """The delivery that control stored as the command's outcome. Figures that are beyond the record's types
    (no battery's, but a device may say so; an order of more than 49 days) stand at their ends."""
    fields = json.loads(order.outcome)
    for name, (least, most) in _ENDS.items():
        fields[name] = min(max(fields[name], least), most)
    longest = _UINT32[1]
    fields["curtailments"] = tuple((Cause(text), min(ms, longest)) for text, ms in fields["curtailments"])
    fields["outcome"] = CommandState(fields["outcome"])
    return Delivery(**fields)
