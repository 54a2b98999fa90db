"""The reactive half of a device's task: the same lease, timer, read-back and fallback as for power, in var.

It is a SetpointWriter over the device's reactive setpoint, so that the invariants (4, 7, 8, 14) are kept by
the same lines; only what a var is differs. It writes nothing, the fallback included, until reactive power
was first asked for: what a device is set to do by itself stays as it is. It refuses devices that do not end
a reactive power by themselves, and to judge how much: that is reactive_limit.py's.
"""

import asyncio
from dataclasses import replace

from gateway.clock import Clock
from gateway.driver import ReactiveActuator
from gateway.errors import LinkError
from gateway.lease import ReactiveHold
from gateway.model import CommandClass, ReactiveSpec, ReadBack, SetpointSpec
from gateway.setpoint import SetpointWriter
from gateway.site import Device

REFRESH_PARTS = 3


class _Setpoint:
    """The reactive power of a device as a gateway.driver.Actuator: var in the place of W."""

    def __init__(self, device: Device, actuator: ReactiveActuator) -> None:
        self._device = device
        self._actuator = actuator

    @property
    def setpoint(self) -> SetpointSpec:
        spec = self._known()
        return SetpointSpec(
            CommandClass.SELF_EXPIRING,
            spec.var_max,
            spec.var_max,
            spec.step_var,
            timeout_s=spec.timeout_s,
            refresh_s=spec.timeout_s // REFRESH_PARTS,
            settle_s=spec.settle_s,
        )

    def quantise(self, power_w: int) -> int:
        return power_w  # reactive_limit has done it

    async def arm(self, timeout_s: int) -> int:
        return await self._actuator.arm_reactive(timeout_s)

    async def write_power(self, power_w: int) -> None:
        await self._actuator.write_reactive(power_w)

    async def read_back(self) -> ReadBack:
        held = await self._actuator.read_reactive()
        return ReadBack(held.var, held.active, held.timer_s)

    async def release(self) -> None:
        await self._actuator.release_reactive()

    def _known(self) -> ReactiveSpec:
        spec = self._actuator.reactive
        if spec is None:
            raise LinkError(f"{self._device.name} takes no reactive power (any more)")
        return spec


class ReactiveWriter:
    """A gateway.lease.ReactiveHand. `serve` runs while the device is connected."""

    def __init__(self, device: Device, actuator: ReactiveActuator, clock: Clock) -> None:
        self._device = device
        self._actuator = actuator
        own = replace(device, name=f"the reactive power of {device.name}", timer_s=0)
        self._writer = SetpointWriter(own, _Setpoint(device, actuator), clock, "var")
        self._asked = asyncio.Event()
        self._online = self._reached = False

    @property
    def hold(self) -> ReactiveHold:
        held = self._writer.hold
        spec = self._actuator.reactive if self._reached else None
        return ReactiveHold(
            self._device.name, held.phase, self._online, self._reached, spec, held.power_w, held.fault
        )

    def desire_reactive(self, var: int, until_ms: int) -> None:
        if self._online and self._actuator.reactive is not None:
            self._writer.desire(var, until_ms)
            self._asked.set()

    def release(self) -> None:
        self._writer.release()

    def clear(self) -> None:
        self._writer.clear()

    async def fallback(self, timeout_s: float) -> bool:
        return not self._asked.is_set() or await self._writer.fallback(timeout_s)

    def lost(self) -> None:
        self._online = False
        self._writer.lost()

    async def serve(self) -> None:
        """Until cancelled, or closed; at once over for a device without. LinkError as of a SetpointWriter."""
        self._reached = True
        if self._actuator.reactive is None:
            return
        self._online = True
        await self._asked.wait()
        await self._writer.serve()
