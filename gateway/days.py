"""The figures of the last days and the alerts that stand, kept ready for whoever asks: status, pages,
contracts.

It asks the store only whether another interval was sealed, and then reads no more than the day that is not
over. It refuses to compute on the event loop: the first look reads months.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gateway.analytics import period
from gateway.analytics.alerts import WINDOW, alerts
from gateway.analytics.figures import Alert, Performance
from gateway.analytics.health import Health, health
from gateway.analytics.tally import Tally
from gateway.store import Store, performance

MONTH = 30  # days
SLICE_MS = 10 * period.DAY_MS  # read at once: a thousand rows; commands are not held up by more


@dataclass(frozen=True, slots=True)
class Looked:
    """`days` in order of time, the last one not yet over; the last MONTH of them as one; `alerts` the
    gravest first."""

    days: Sequence[Performance] = ()
    alerts: Sequence[Alert] = ()
    month: Performance | None = None
    health: Health | None = None


class Days:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._sealed_ms = 0
        self._tallies: list[Tally] = []  # a day each
        self._looked = Looked()
        self._looking = asyncio.Lock()

    async def look(self) -> Looked:
        """What is known now. Figures are made anew only when another interval was sealed."""
        async with self._looking:
            sealed_ms = await self._store.call(performance.newest_ms)
            if sealed_ms != self._sealed_ms:
                await self._read(sealed_ms)
                self._looked = await asyncio.to_thread(_look, tuple(self._tallies))
                self._sealed_ms = sealed_ms
        return self._looked

    async def _read(self, sealed_ms: int) -> None:
        oldest_ms = (sealed_ms // period.DAY_MS - WINDOW) * period.DAY_MS
        newest_ms = self._tallies[-1].start_ms if self._tallies else 0
        at_ms = max(oldest_ms, newest_ms // period.DAY_MS * period.DAY_MS)
        kept = [t for t in self._tallies if oldest_ms <= t.start_ms < at_ms]
        while at_ms < sealed_ms:
            found = await self._store.call(performance.between, at_ms, at_ms + SLICE_MS)
            kept += await asyncio.to_thread(_by_day, found)
            at_ms += SLICE_MS
        self._tallies = kept

    async def status(self) -> dict[str, Any]:
        """For the status: the figures of the newest day and of the last month, how the health went, and the
        alerts. What is not known is null."""
        looked = await self.look()
        return {
            "day": asdict(looked.days[-1]) if looked.days else None,
            "month": asdict(looked.month) if looked.month else None,
            "health": asdict(looked.health) if looked.health else None,
            "alerts": [asdict(alert) for alert in looked.alerts],
        }


def _look(tallies: Sequence[Tally]) -> Looked:
    days = period.each(tallies)
    after_ms = days[-1].start_ms - MONTH * period.DAY_MS if days else 0
    measured = [day.capacity_wh for day in days if day.start_ms <= after_ms and day.capacity_wh]
    lately = [tally for tally in tallies if tally.start_ms > after_ms]
    month = period.whole(lately, measured[-1] if measured else None)
    return Looked(days, alerts(days), month, health(days))


def _by_day(some: Sequence[Tally]) -> list[Tally]:
    return list(period.by_day(some))
