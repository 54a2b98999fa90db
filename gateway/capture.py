"""Captures of a running daemon: what passes on one device's wire, handed out in pages to who asked for it.

One at a time, and only while somebody fetches it: it is bounded in events, and ends by itself when nobody has
asked for a while. It begins with what passed when the device was connected, so that it can be played. It
refuses to hold up the wire, and to write files.
"""

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.clock import Clock
from gateway.driver import Driver
from gateway.errors import ServiceRefused
from gateway.site import Device
from gateway.tape import Event, Refreshing, Tap
from gateway.wiring import Wiring

EVENTS_MAX = 20_000  # that wait to be fetched: some 10 MB, minutes of the busiest bus
PAGE_BYTES = 40_000  # of an answer, below what a line of the socket may have
PATIENCE_MS = 10_000


@dataclass(slots=True)
class _Running:
    device: str
    tap: Tap
    asked_ms: int
    waiting: deque[Event] = field(default_factory=deque)
    why: str = ""  # it ended

    def take(self, event: Event) -> None:
        if event["ms"] - self.asked_ms > PATIENCE_MS:
            self.end("nobody fetched it")
        elif len(self.waiting) >= EVENTS_MAX:
            self.end("more than could be fetched")
        else:
            self.waiting.append(event)

    def end(self, why: str) -> None:
        self.why = self.why or why
        self.tap.sink = None


class Captures:
    """`answer` is the local socket's."""

    def __init__(self, clock: Clock, devices: Sequence[Device], wiring: Wiring) -> None:
        self._clock, self._wiring = clock, wiring
        self._devices = {device.name: device for device in devices}
        self._running: _Running | None = None

    async def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Steps: begin (of a device), more, end."""
        match request["step"]:
            case "begin":
                return self._begin(str(request["device"]))
            case "more":
                return self._more()
            case "end":
                self._current().end("asked")
                return self._more()
        raise ValueError(f"no step {request['step']!r}")

    def _begin(self, name: str) -> dict[str, Any]:
        tap, device = self._wiring.taps.get(name), self._devices.get(name)
        if device is None:
            raise ServiceRefused(f"the daemon runs without a device {name!r}: start it again?")
        if tap is None:
            raise ServiceRefused(self._wiring.untapped(device))
        now = self._clock.now()
        if self._running and not self._running.why and now.mono_ms - self._running.asked_ms < PATIENCE_MS:
            raise ServiceRefused(f"a capture of {self._running.device} runs already")
        if self._running:
            self._running.end("another began")
        running = self._running = _Running(name, tap, now.mono_ms)
        running.waiting.extend(tap.introduction)
        tap.sink = running.take
        _refresh(self._wiring.made(name), tap)
        return {
            "mono_ms": now.mono_ms,
            "wall_ms": now.wall_ms,
            "clock": now.trust.name,
            "profile_digest": device.profile_digest.hex(),
        }

    def _more(self) -> dict[str, Any]:
        running = self._current()
        running.asked_ms = self._clock.mono_ms()
        page: list[Event] = []
        size = 0
        while running.waiting:
            size += len(json.dumps(running.waiting[0]))
            if page and size > PAGE_BYTES:
                break
            page.append(running.waiting.popleft())
        return {"events": page, "left": len(running.waiting), "why": running.why}

    def _current(self) -> _Running:
        if self._running is None:
            raise ServiceRefused("no capture runs")
        return self._running


def _refresh(driver: Driver, tap: Tap) -> None:
    """Of a device whose polls differ: the next one has all, so that a replay knows where it stands."""
    if isinstance(driver, Refreshing):
        driver.refresh()
        tap.tell(refresh=True)
