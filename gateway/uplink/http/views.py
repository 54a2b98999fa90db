"""What the status says, to whom: the whole of it, or what anybody on the network may see.

Without token or a place at the machine no setpoint, order, key, serial number or address is shown. What may
be shown is listed here; a field that is new elsewhere stays hidden until it is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gateway.clock import Clock

Status = dict[str, Any]

AGE_MS = 1000  # many who look at once are told the same
HIDDEN = "its details need the token"
_SHOWN: Mapping[str, frozenset[str]] = {
    "control": frozenset({"mode", "grid", "measured_w"}),
    "records": frozenset({"signed", "intervals", "sequence"}),
    "chain": frozenset({"queued", "block", "confirmed", "intervals_confirmed"}),
    "devices": frozenset({"online", "samples", "misses"}),
}


class Watched:
    """The status, asked for at most once a second however many look."""

    def __init__(self, status: Callable[[Mapping[str, Any]], Awaitable[Status]], clock: Clock) -> None:
        self._status = status
        self._clock = clock
        self._asking = asyncio.Lock()
        self._known: Status = {}
        self._at_ms = -AGE_MS

    async def get(self, *, full: bool) -> Status:
        async with self._asking:
            if self._clock.mono_ms() - self._at_ms >= AGE_MS:
                self._known = await self._status({})
                self._at_ms = self._clock.mono_ms()
        return {**self._known, "full": True} if full else public(self._known)


def public(status: Mapping[str, Any]) -> Status:
    """What of `status` anybody may see."""
    control, chain = status["control"], status["chain"]
    return {
        **{
            name: status[name]
            for name in ("site", "uptime_s", "clock", "site_figures", "store", "performance")
        },
        "control": {
            **_only("control", control),
            "fault": HIDDEN if control["fault"] else "",
            "doubts": [HIDDEN] if control["doubts"] else [],
        },
        "records": _only("records", status["records"]),
        "chain": _only("chain", chain) if chain else None,
        "devices": {name: _only("devices", device) for name, device in status["devices"].items()},
        "troubles": dict.fromkeys(status["troubles"], HIDDEN),
        "full": False,
    }


def _only(part: str, said: Mapping[str, Any]) -> Status:
    return {name: value for name, value in said.items() if name in _SHOWN[part]}
