"""What the daemon knows of one device's points, for people who watch: value, quality, age. It only tells."""

from collections.abc import Mapping
from typing import Any

from gateway.state import SiteState


class Points:
    """`answer` is the local socket's: {device}. A device that was never reached has none."""

    def __init__(self, state: SiteState) -> None:
        self._state = state

    async def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        readings = self._state.view().readings(str(request["device"]))
        return {"points": {p.name: [m.value, m.quality.name, m.age_ms] for p, m in readings}}
