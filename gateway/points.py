"""What the daemon knows of one device, for people: who it is, each point with quality and age, what is wrong.

It only tells."""

from collections.abc import Mapping
from typing import Any

from gateway.device import DeviceTask
from gateway.errors import ServiceRefused
from gateway.state import SiteState


class Points:
    """`answer` is the local socket's: {device}. A device that was never reached has no points."""

    def __init__(self, state: SiteState, devices: Mapping[str, DeviceTask]) -> None:
        self._state, self._devices = state, devices

    async def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        name = str(request["device"])
        if name not in self._devices:
            raise ServiceRefused(f"the daemon has no device {name!r}: it was started with another site.yaml")
        health, readings = self._devices[name].health, self._state.view().readings(name)
        return {
            "identity": dict(health.identity),
            "trouble": "" if health.online else health.last_error or "connecting",
            "points": {p.name: [m.value, m.quality.name, m.age_ms] for p, m in readings},
        }
