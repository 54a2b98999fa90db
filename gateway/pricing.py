"""Price signals of the chain as the site's own load shifting: a signal becomes a plan, durable, in its place.

A price is no order: what is planned are slots of the schedule, which any order goes before. A newer signal
replaces the plan before it. It refuses signals where site.yaml does not say how much energy may be moved.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Sequence

from gateway.model import ServiceKind
from gateway.services.prices import Price, Shift, plan
from gateway.services.schedule import Slot
from gateway.site import Site
from gateway.store import Store, cursors

CURSOR = "prices"
Planned = Callable[[Sequence[Slot]], None]


class Pricing:
    """`take` plans for a signal, `restore` goes on with the plan of before a restart; `planned` is given it.

    `soc_bp` answers the state of charge, None while it is not known: then nothing is thought to be stored.
    """

    def __init__(self, site: Site, store: Store, soc_bp: Callable[[], int | None], planned: Planned) -> None:
        self._site = site
        self._store = store
        self._soc_bp = soc_bp
        self._planned = planned

    async def restore(self) -> None:
        text = await self._store.call(cursors.get_text, CURSOR)
        if text:
            self._planned(_read(text))

    async def take(self, start_ms: int, step_ms: int, prices: Sequence[int]) -> str:
        """What is wrong with the signal, for people; empty when the plan is made and stored."""
        if self._site.prices is None:
            return "prices are not followed: site.yaml has no `prices: {energy: …}`"
        slots = [
            Price(start_ms + n * step_ms, start_ms + (n + 1) * step_ms, price)
            for n, price in enumerate(prices)
        ]
        try:
            made = await asyncio.to_thread(plan, self._site.id, slots, self._shift())
        except ValueError as error:
            return str(error)
        await self._store.call(_keep, start_ms, _write(made))
        self._planned(made)
        return ""

    def _shift(self) -> Shift:
        settings, limits = self._site.prices, self._site.limits
        assert settings is not None
        soc_bp = self._soc_bp()
        usable_bp = max(1, limits.soc_max_bp - limits.soc_min_bp)
        stored_bp = 0 if soc_bp is None else min(max(soc_bp - limits.soc_min_bp, 0), usable_bp)
        return Shift(
            limits.charge_w,
            limits.discharge_w,
            settings.energy_wh,
            settings.energy_wh * stored_bp // usable_bp,
            settings.efficiency_bp,
            settings.wear,
        )


def _keep(conn: sqlite3.Connection, start_ms: int, text: str) -> None:
    cursors.put(conn, CURSOR, start_ms, text)


def _write(slots: Sequence[Slot]) -> str:
    return json.dumps([[s.id, s.start_ms, s.end_ms, s.parameters["power_w"]] for s in slots])


def _read(text: str) -> tuple[Slot, ...]:
    return tuple(
        Slot(name, start_ms, end_ms, ServiceKind.FIXED_POWER, {"power_w": power_w})
        for name, start_ms, end_ms, power_w in json.loads(text)
    )
