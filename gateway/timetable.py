"""The site's own schedule: slots of site.yaml, and of a plan by prices, become orders when they are near.

A slot's id is its own, so that it is ordered once, whatever restarts; one that has begun already is ordered
too, for what is left of it. It refuses to plan while the wall clock is not trusted, for a slot is a time of
day. What control answers is kept for people, and that is all: an order of the schedule goes the same road as
any other and is the first to give way.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import tzinfo

from gateway.clock import Clock
from gateway.model import ClockTrust, Command, Source, Verdict
from gateway.services.schedule import Recurring, Slot, upcoming
from gateway.site import Entry

HORIZON_MS = 15 * 60_000  # ordered so far ahead: room for a restart, and no long list of open orders
PERIOD_S = 60.0
KNOWN_MAX = 1000  # slots ordered since the start; those of days ago cannot come again

Submit = Callable[[Command], Awaitable[Verdict]]


class Timetable:
    """`run` submits the slots of `entries` as they come near. `refused` is the newest refusal, for people."""

    def __init__(
        self, site: str, entries: Sequence[Entry], zone: tzinfo, clock: Clock, submit: Submit
    ) -> None:
        self._site = site
        self._entries = entries
        self._zone = zone
        self._clock = clock
        self._submit = submit
        self._planned: Sequence[Slot] = ()
        self._ordered: dict[str, None] = {}
        self.refused = ""

    def plan(self, slots: Sequence[Slot]) -> None:
        """Slots of a plan, which go beside the entries; they replace those of the plan before."""
        self._planned = tuple(slots)

    async def run(self) -> None:
        """Until cancelled. StoreError when control can store nothing."""
        while True:
            if self._clock.now().trust is ClockTrust.TRUSTED:
                await self.order_due()
            await asyncio.sleep(PERIOD_S)

    async def order_due(self) -> None:
        """Every slot that begins within the horizon or has not ended, once."""
        now_ms = self._clock.now().wall_ms
        for entry in self._entries:
            line = Recurring(entry.at_min, entry.duration_s, entry.kind, entry.parameters, entry.days)
            back_ms = entry.duration_s * 1000
            for slot in upcoming(self._site, (line,), now_ms - back_ms, back_ms + HORIZON_MS, self._zone):
                if slot.end_ms > now_ms:
                    await self._order(slot, f"schedule {entry.name}", shared=entry.shared)
        for slot in self._planned:
            if slot.start_ms < now_ms + HORIZON_MS and slot.end_ms > now_ms:
                await self._order(slot, "prices", shared=False)

    async def _order(self, slot: Slot, origin: str, *, shared: bool) -> None:
        if slot.id in self._ordered:
            return
        command = Command(
            slot.id,
            Source.SCHEDULE,
            slot.kind,
            slot.start_ms,
            slot.end_ms,
            slot.parameters,
            origin,
            shared,
        )
        verdict = await self._submit(command)
        if not verdict.admitted:
            self.refused = f"{command.origin}: {verdict.reason}"
        self._ordered[slot.id] = None
        while len(self._ordered) > KNOWN_MAX:
            del self._ordered[next(iter(self._ordered))]
