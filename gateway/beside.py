"""A second setpoint of a device beside its power: the same lease, timer, read-back and fallback.

It is a SetpointWriter over another of the device's setpoints, so that the invariants (4, 7, 8, 14) are kept
by the same lines; only what a value means differs. It writes nothing, the fallback included, until it was
first asked for, or was by a process before: what a device is set to do by itself stays as it is. It refuses
to judge how much.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from gateway.clock import Clock
from gateway.driver import Actuator
from gateway.setpoint import SetpointWriter
from gateway.site import Device

REFRESH_PARTS = 3


class BesideWriter:
    """`what` it is and its `unit` are for words; `able` says whether the device, as it was reached, has it.
    `serve` runs while the device is connected."""

    def __init__(
        self, device: Device, actuator: Actuator, clock: Clock, what: str, unit: str, able: Callable[[], bool]
    ) -> None:
        self._device = device
        self._able = able
        own = replace(device, name=f"the {what} of {device.name}", timer_s=0)
        self._writer = SetpointWriter(own, actuator, clock, unit)
        self._asked = asyncio.Event()
        self._online = self._reached = False

    def release(self) -> None:
        self._writer.release()

    def clear(self) -> None:
        self._writer.clear()

    def take_up(self) -> None:
        """It may hold what a process before this one has told it."""
        self._asked.set()

    async def fallback(self, timeout_s: float) -> bool:
        return not self._asked.is_set() or await self._writer.fallback(timeout_s)

    def lost(self) -> None:
        self._online = False
        self._writer.lost()

    async def serve(self) -> None:
        """Until cancelled, or closed; at once over for a device without. LinkError as of a SetpointWriter."""
        self._reached = True
        if not self._able():
            return
        self._online = True
        await self._asked.wait()
        await self._writer.serve()

    def _desire(self, value: int, until_ms: int) -> None:
        if self._online and self._able():
            self._writer.desire(value, until_ms)
            self._asked.set()
