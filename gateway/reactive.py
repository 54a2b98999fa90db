"""The reactive half of a device's task: a lease in var, beside that of power.

It refuses devices that do not end a reactive power by themselves, and to judge how much: that is
reactive_limit.py's.
"""

from gateway.beside import REFRESH_PARTS, BesideWriter
from gateway.beside_model import ReactiveSpec
from gateway.clock import Clock
from gateway.driver import ReactiveActuator
from gateway.errors import LinkError
from gateway.lease import ReactiveHold
from gateway.model import CommandClass, ReadBack, SetpointSpec
from gateway.site import Device


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


class ReactiveWriter(BesideWriter):
    """A gateway.lease.ReactiveHand."""

    def __init__(self, device: Device, actuator: ReactiveActuator, clock: Clock) -> None:
        setpoint = _Setpoint(device, actuator)
        super().__init__(
            device, setpoint, clock, "reactive power", "var", lambda: actuator.reactive is not None
        )
        self._actuator = actuator

    @property
    def hold(self) -> ReactiveHold:
        held = self._writer.hold
        spec = self._actuator.reactive if self._reached else None
        return ReactiveHold(
            self._device.name, held.phase, self._online, self._reached, spec, held.power_w, held.fault
        )

    def desire_reactive(self, var: int, until_ms: int) -> None:
        self._desire(var, until_ms)
