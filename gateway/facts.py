"""What the site knows of itself now, gathered for contracts that want to be told: charge, capacity, devices,
alerts. It refuses to say anything that is not measured GOOD or sealed.
"""

from collections.abc import Mapping, Sequence

from gateway.analytics import alerts, period
from gateway.analytics.figures import Alert, Performance
from gateway.chain.platforms.calls import DeviceFacts, Facts
from gateway.clock import Clock
from gateway.device import DeviceTask, Health
from gateway.model import ClockTrust, Limits, Quantity
from gateway.site import Device, Site
from gateway.state import SiteState
from gateway.store import Store, performance

LOOK_BACK_MS = alerts.RECENT * period.DAY_MS
SILENT_MS = 60_000  # a device that reconnects is not yet gone


class Gatherer:
    """Call it: the facts of now, None while the clock is not trusted. Figures are made anew only when another
    interval was sealed."""

    def __init__(
        self, site: Site, clock: Clock, state: SiteState, store: Store, devices: Mapping[str, DeviceTask]
    ) -> None:
        self._site = site
        self._clock = clock
        self._state = state
        self._store = store
        self._devices = devices
        self._sealed_ms = -1
        self._days: Sequence[Performance] = ()
        self._alerts: Sequence[Alert] = ()

    async def __call__(self) -> Facts | None:
        now = self._clock.now()
        if now.trust is not ClockTrust.TRUSTED:
            return None
        await self._look(now.wall_ms)
        view, limits = self._state.view(), self._site.limits
        return Facts(
            wall_ms=now.wall_ms,
            limits=Limits(limits.charge_w, limits.discharge_w),
            capacity_wh=self._capacity_wh(),
            soc_bp=view.good(Quantity.BATTERY_SOC),
            soh_bp=view.good(Quantity.BATTERY_SOH),
            available_wh=view.good(Quantity.BATTERY_AVAILABLE),
            devices=[self._device(device, now.mono_ms) for device in self._site.devices],
            alerts=self._alerts,
            day=self._days[-1] if self._days else None,
        )

    async def _look(self, wall_ms: int) -> None:
        sealed_ms = await self._store.call(performance.newest_ms)
        if sealed_ms == self._sealed_ms:
            return
        tallies = await self._store.call(performance.between, wall_ms - LOOK_BACK_MS, wall_ms)
        self._days = period.each(list(period.by_day(tallies)))
        self._alerts = alerts.alerts(self._days)
        self._sealed_ms = sealed_ms

    def _capacity_wh(self) -> int | None:
        """As measured last; before that as the devices say."""
        measured = [day.capacity_wh for day in self._days if day.capacity_wh]
        rated = [day.rated_wh for day in self._days if day.rated_wh]
        known = measured or rated
        return known[-1] if known else None

    def _device(self, device: Device, mono_ms: int) -> DeviceFacts:
        task = self._devices.get(device.name)
        health = task.health if task else Health(device.name)
        there = health.online or mono_ms - health.since_ms < SILENT_MS
        said = health.identity
        return DeviceFacts(
            device.name,
            device.role,
            said.get("vendor", ""),
            said.get("model", ""),
            said.get("serial", ""),
            "online" if there else "silent",
        )
