"""What the contracts are kept told of the site: capacity, status of devices, alerts, as each system wants it.

It compares what the platform would say now with what the contracts were told last and queues the difference,
each subject at its own pace. It owns no data and decides nothing about content; it refuses to fill the queue
that records need.
"""

import asyncio
from collections.abc import Awaitable, Callable

from gateway.chain.platforms import Platform
from gateway.chain.platforms.calls import Facts, Report
from gateway.clock import Clock
from gateway.store import Store, intents, told
from gateway.store.intents import NewIntent

POLL_S = 20.0
RETRY_S = 3600  # after a refusal: an operator may have to grant a role first
ROOM = intents.OPEN_MAX // 2  # of the queue is left to records and what follows them


class Reporter:
    """`run` until cancelled. `facts` says what is known of the site now; None while that is too little."""

    def __init__(
        self,
        store: Store,
        platform: Platform,
        clock: Clock,
        facts: Callable[[], Awaitable[Facts | None]],
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._platform = platform
        self._clock = clock
        self._facts = facts
        self._wake = wake
        self._at_ms: dict[str, int] = {}  # monotonic: when a subject was told last
        self.trouble = ""  # the oldest thing that no contract took, for people

    async def run(self) -> None:
        while True:
            await self.tick()
            await asyncio.sleep(POLL_S)

    async def tick(self) -> None:
        """Queue what is news and due."""
        facts = await self._facts()
        if facts is None:
            return
        self.trouble = ""
        for report in self._platform.reports(facts):
            await self._consider(report)

    async def _consider(self, report: Report) -> None:
        known = await self._store.call(told.get, report.subject)
        refused = known is not None and known.state in ("reverted", "refused")
        if refused:
            self.trouble = self.trouble or f"{report.subject}: the contract does not take it"
        if known and (known.state in ("queued", "sent") or (known.value == report.value and not refused)):
            return
        now_ms, pause_s = self._clock.mono_ms(), RETRY_S if refused else report.every_s
        last_ms = self._at_ms.get(report.subject)
        if last_ms is not None and now_ms - last_ms < pause_s * 1000:
            return
        number = known.number + 1 if known else 1
        call = NewIntent(
            told.key(report.subject, number),
            report.call.contract,
            report.call.data,
            report.call.gas,
            ordered=False,
        )
        if await self._store.call(intents.count_open) >= ROOM:
            return
        wall_ms = self._clock.now().wall_ms
        if await self._store.call(told.tell, report.subject, report.value, call, wall_ms):
            self._at_ms[report.subject] = now_ms
            self._wake()
