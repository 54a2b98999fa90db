"""What the site knows of itself now, gathered for contracts that want to be told: charge, capacity, devices,
alerts. It refuses to say anything that is not measured GOOD or sealed.
"""

from collections.abc import Mapping, Sequence

from gateway.analytics.figures import Performance
from gateway.chain.platforms.calls import DeviceFacts, Facts
from gateway.clock import Clock
from gateway.days import Days
from gateway.device import DeviceTask, Health
from gateway.model import ClockTrust, Limits, Quantity
from gateway.site import Device, Site
from gateway.state import SiteState

SILENT_MS = 60_000  # a device that reconnects is not yet gone


class Gatherer:
    """Call it: the facts of now, None while the clock is not trusted."""

    def __init__(
        self, site: Site, clock: Clock, state: SiteState, days: Days, devices: Mapping[str, DeviceTask]
    ) -> None:
        self._site = site
        self._clock = clock
        self._state = state
        self._days = days
        self._devices = devices

    async def __call__(self) -> Facts | None:
        now = self._clock.now()
        if now.trust is not ClockTrust.TRUSTED:
            return None
        looked = await self._days.look()
        view, limits = self._state.view(), self._site.limits
        return Facts(
            wall_ms=now.wall_ms,
            limits=Limits(limits.charge_w, limits.discharge_w),
            capacity_wh=_capacity_wh(looked.days),
            soc_bp=view.good(Quantity.BATTERY_SOC),
            soh_bp=view.good(Quantity.BATTERY_SOH),
            available_wh=view.good(Quantity.BATTERY_AVAILABLE),
            devices=[self._device(device, now.mono_ms) for device in self._site.devices],
            alerts=looked.alerts,
            day=looked.days[-1] if looked.days else None,
        )

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


def _capacity_wh(days: Sequence[Performance]) -> int | None:
    """As measured last; before that as the devices say."""
    measured = [day.capacity_wh for day in days if day.capacity_wh]
    rated = [day.rated_wh for day in days if day.rated_wh]
    known = measured or rated
    return known[-1] if known else None
