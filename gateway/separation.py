"""A device's connection to the grid as a lease: apart from it while control renews, connected otherwise.

It refuses devices that do not connect again by themselves, and never connects what somebody else has parted:
a grid operator or an installer may have done so to work on the line. What this process has parted is its own
until the device's timer must have ended it.
"""

from gateway.beside import REFRESH_PARTS, BesideWriter
from gateway.beside_model import IslandSpec
from gateway.clock import Clock
from gateway.driver import IslandActuator
from gateway.errors import DeviceRefused, LinkError
from gateway.lease import IslandHold
from gateway.model import CommandClass, ReadBack, SetpointSpec
from gateway.site import Device

APART = 1
OURS_PARTS = 2  # of the timer: by then it has surely ended what was ours


class _Connection:
    """Being apart from the grid as a gateway.driver.Actuator: 1 in the place of W, and nothing else."""

    def __init__(self, device: Device, actuator: IslandActuator, clock: Clock) -> None:
        self._device = device
        self._actuator = actuator
        self._clock = clock
        self._ours_ms = 0  # until then it is ours, if it is apart

    @property
    def setpoint(self) -> SetpointSpec:
        spec = self._known()
        return SetpointSpec(
            CommandClass.SELF_EXPIRING,
            APART,
            APART,
            step_w=0,
            timeout_s=spec.timeout_s,
            refresh_s=spec.timeout_s // REFRESH_PARTS,
            settle_s=spec.settle_s,
        )

    def quantise(self, power_w: int) -> int:
        return power_w

    async def arm(self, timeout_s: int) -> int:
        if (await self._actuator.read_island()).apart and not self._ours():
            raise DeviceRefused("somebody else has parted it from the grid", 0)
        return await self._actuator.arm_island(timeout_s)

    async def write_power(self, power_w: int) -> None:
        del power_w
        self._ours_ms = self._clock.mono_ms() + OURS_PARTS * self._known().timeout_s * 1000
        await self._actuator.part()

    async def read_back(self) -> ReadBack:
        held = await self._actuator.read_island()
        apart = held.apart and self._ours()
        return ReadBack(int(apart), apart, held.timer_s)

    async def release(self) -> None:
        if (await self.read_back()).active:
            await self._actuator.rejoin()

    def _ours(self) -> bool:
        return self._clock.mono_ms() < self._ours_ms

    def _known(self) -> IslandSpec:
        spec = self._actuator.island
        if spec is None:
            raise LinkError(f"{self._device.name} cannot be parted from the grid (any more)")
        return spec


class SeparationWriter(BesideWriter):
    """A gateway.lease.IslandHand."""

    def __init__(self, device: Device, actuator: IslandActuator, clock: Clock) -> None:
        connection = _Connection(device, actuator, clock)
        super().__init__(
            device, connection, clock, "grid connection", "(1: apart)", lambda: actuator.island is not None
        )
        self._actuator = actuator

    @property
    def hold(self) -> IslandHold:
        held = self._writer.hold
        able = self._reached and self._actuator.island is not None
        apart = held.power_w == APART
        return IslandHold(self._device.name, held.phase, self._online, self._reached, able, apart, held.fault)

    def part(self, until_ms: int) -> None:
        self._desire(APART, until_ms)
