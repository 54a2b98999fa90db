"""REST of the energy grid platform, for this site's own devices: history, energy, and the grid as it is.

Only what was committed is told, each value with its quality, in the unit that its name ends in. It refuses to
fill in: a counter that was not read in the span gives null.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.clock import Clock
from gateway.model import Quality, Quantity, Sample
from gateway.site import Site
from gateway.state import SiteState, View
from gateway.store import Store, history
from gateway.uplink.http.spec import Answer, Ask, Refused

DAY_MS = 86_400_000
NEWEST = 256  # samples looked at for what the site is doing now
STATUS = (Quantity.GRID_POWER, Quantity.GRID_FREQUENCY, Quantity.GRID_VOLTAGE, Quantity.GRID_CONNECTED)
DEMAND = (Quantity.LOAD_POWER, Quantity.GRID_POWER)
SUPPLY = (Quantity.PV_POWER, Quantity.BATTERY_POWER, Quantity.GRID_POWER)
# Counters that speak for what a meter saw produced and consumed, the best first.
PRODUCED = (Quantity.PV_ENERGY.value, Quantity.GRID_EXPORTED.value)
CONSUMED = (Quantity.GRID_IMPORTED.value,)


class Meters:
    """Reads `store`; `site` says which devices there are."""

    def __init__(self, site: Site, store: Store, clock: Clock) -> None:
        self._site = site
        self._store = store
        self._clock = clock
        self._devices = frozenset(device.name for device in site.devices)

    async def history(self, ask: Ask) -> Answer:
        name, (from_ms, to_ms) = self._device(ask), self._span(ask)
        after = _place(ask.args["cursor"]) or (from_ms, -1)
        found = await self._store.call(history.page, name, after, to_ms, ask.args["limit"], self._store.sets)
        return Answer(
            {
                "meter": name,
                "from_ms": from_ms,
                "to_ms": to_ms,
                "readings": [reading(sample, full=ask.full) for sample in found.samples],
                "next": f"{found.after[0]}-{found.after[1]}" if found.after else None,
            }
        )

    async def production(self, ask: Ask) -> Answer:
        return await self._energy(ask, "production_wh", PRODUCED)

    async def consumption(self, ask: Ask) -> Answer:
        return await self._energy(ask, "consumption_wh", CONSUMED)

    async def _energy(self, ask: Ask, said: str, names: tuple[str, ...]) -> Answer:
        """How far the counter went in the span; null when it was not read twice, or went back."""
        name, span_ms = self._device(ask), self._span(ask)
        ends = await self._store.call(history.ends, name, names, span_ms, self._store.sets)
        counter = next((n for n in names if n in ends), None)
        first, last = ends[counter] if counter else (None, None)
        grew = last.value - first.value if first and last and last.value >= first.value else None
        return Answer(
            {
                "meter": name,
                "from_ms": span_ms[0],
                "to_ms": span_ms[1],
                said: grew,
                "counter": counter,
                "first_ms": first.at_ms if first else None,
                "last_ms": last.at_ms if last else None,
                "quality": (Quality.ABSENT if grew is None else Quality.GOOD).name,
            }
        )

    async def status(self, ask: Ask) -> Answer:
        return await self._now(STATUS)

    async def demand(self, ask: Ask) -> Answer:
        return await self._now(DEMAND)

    async def supply(self, ask: Ask) -> Answer:
        return await self._now(SUPPLY)

    async def _now(self, wanted: Sequence[Quantity]) -> Answer:
        stored = await self._store.call(history.newest, self._store.boot, NEWEST, self._store.sets)
        view, now = self._view(stored), self._clock.now()
        found = {quantity.value: view.get(quantity) for quantity in wanted}
        return Answer(
            {
                "at_ms": now.wall_ms,
                "clock": now.trust.name.lower(),
                **{n: m.value if m and m.quality is not Quality.ABSENT else None for n, m in found.items()},
                "quality": {n: (m.quality if m else Quality.ABSENT).name for n, m in found.items()},
                "age_ms": {
                    n: m.age_ms if m and m.quality is not Quality.ABSENT else None for n, m in found.items()
                },
            }
        )

    def _view(self, stored: Sequence[Sample]) -> View:
        """The site as its committed samples tell it, by the same rules as control's."""
        state = SiteState(self._site, self._clock)
        for device in self._site.devices:
            own = [sample for sample in stored if sample.device == device.name]
            points = tuple(dict.fromkeys(point for sample in own for point in sample.points))
            state.declare(device.name, points, device.poll_ms)
            for sample in own:
                state.put(sample)
        return state.view()

    def _device(self, ask: Ask) -> str:
        name = str(ask.args["id"])
        if name not in self._devices:
            raise Refused(404, f"there is no device of this name; here: {', '.join(sorted(self._devices))}")
        return name

    def _span(self, ask: Ask) -> tuple[int, int]:
        """The last day unless the request says otherwise."""
        to_ms = self._clock.now().wall_ms if ask.args["to_ms"] is None else ask.args["to_ms"]
        from_ms = max(0, to_ms - DAY_MS) if ask.args["from_ms"] is None else ask.args["from_ms"]
        if from_ms >= to_ms:
            raise Refused(422, "from_ms must be before to_ms")
        return from_ms, to_ms


def reading(sample: Sample, *, full: bool) -> Mapping[str, Any]:
    """One sample. Of what a device says beyond the common quantities some are setpoints: those are hidden."""
    shown = [
        (point.name, value, Quality(quality))
        for point, value, quality in zip(sample.points, sample.values, sample.qualities, strict=True)
        if full or point.quantity is not None
    ]
    return {
        "at_ms": sample.stamp.wall_ms,
        "clock": sample.stamp.trust.name.lower(),
        "values": {name: None if quality is Quality.ABSENT else value for name, value, quality in shown},
        "quality": {name: quality.name for name, _, quality in shown},
    }


def _place(cursor: str | None) -> history.Place | None:
    if cursor is None:
        return None
    wall, _, seq = cursor.partition("-")
    return int(wall), int(seq)
