"""A device whose profile says how it is commanded: the sequences in their order, and what reads back.

It owns no decision: quantised powers come in, writes go out, and what the device holds is read from the
device. A step that fails ends the sequence with that LinkError. It never remembers a setpoint, never retries
and never writes on its own account. How something is written and read is the protocol's.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Generic

from drivers.command import F, S, Setpoint, holds, silent, spec
from gateway.driver import Driver
from gateway.errors import LinkError
from gateway.model import Points, ReadBack, Sample, SetpointSpec
from gateway.site import Device
from gateway.tape import Refreshing

NAMEPLATE_MS = 10_000  # between two looks for a nameplate that the device did not tell: it may only be asleep


class Commanded(ABC, Generic[S, F]):
    """gateway.driver.Driver and Actuator: a driver that reads, plus the profile's setpoint."""

    place: ClassVar[str]  # what a value of this protocol lies in

    def __init__(self, device: Device, model: Setpoint[S, F], reads: Driver, step_w: int) -> None:
        self._device, self._model, self._reads, self._step_w = device, model, reads, step_w
        self._armed_s = (
            model.timeout_s
        )  # what the sequence puts into the device's timer, not what was measured
        self._limits, self._held = model.stated, model.read_back
        self._timer = (model.arm.timer,) if model.arm else ()
        self._said: dict[str, int] = {}  # nameplate, as far as the device told it
        self._nameplate_due_ms = 0
        self.setpoint: SetpointSpec = spec(device, model, step_w, self._said)

    @property
    def points(self) -> Points:
        return self._reads.points

    @property
    def pushed(self) -> bool:
        return self._reads.pushed

    async def connect(self) -> Mapping[str, str]:
        """As the reading driver, and learn the nameplate where the device says it. Unknown counts as 0."""
        found = await self._reads.connect()
        self._said = {}
        await self._learn()
        return found

    async def read(self) -> Sample:
        """As the reading driver, and look again now and then for a nameplate that is not known yet: that of a
        battery asleep reads 0 or nothing."""
        sample = await self._reads.read()
        known = all(self._said.get(field.name) for field in self._limits)
        if not known and sample.stamp.mono_ms >= self._nameplate_due_ms:
            self._nameplate_due_ms = sample.stamp.mono_ms + NAMEPLATE_MS
            await self._learn()
        return sample

    def refresh(self) -> None:
        if isinstance(self._reads, Refreshing):
            self._reads.refresh()

    async def close(self) -> None:
        await self._reads.close()

    async def arm(self, timeout_s: int) -> int:
        """Set the device's timer, where it has one, and return what it then says (s)."""
        if self._model.arm is None:
            return 0
        self._check()
        self._armed_s = timeout_s
        await self._run(self._model.arm.write, 0, timeout_s)
        return await self._timer_s()

    async def write_power(self, power_w: int) -> None:
        """The write sequence. ValueError for a power that `quantise` would change."""
        if power_w != self.quantise(power_w):
            raise ValueError(f"{power_w} W is not a power this device can hold")
        self._check()
        await self._run(self._model.write, power_w, self._armed_s)

    async def read_back(self) -> ReadBack:
        """What the device holds. LinkError when it does not tell: then nothing may be assumed."""
        values = await self._values(self._held)
        self._check()
        if name := silent(self._model, values):
            raise LinkError(f"{self._device.name}: the device does not give back its {name} {self.place}")
        timer_s = await self._timer_s()
        back = holds(self._model, values, timer_s)
        if back is None:
            raise LinkError(f"{self._device.name}: the device does not give back its setpoint")
        return back

    async def release(self) -> None:
        """The revert sequence: the device's own control takes over."""
        await self._run(self._model.release, 0, 0)

    async def _learn(self) -> None:
        """The nameplate as the device says it now; what it says nothing of stays as it was said before."""
        values = await self._values(self._limits)
        self._said |= {name: max(0, value) for name, value in values.items() if value is not None}
        self._told()
        self.setpoint = spec(self._device, self._model, self._step_w, self._said)

    def _told(self) -> None:
        """What it said of its nameplate is news to the sequences too: by default, of nobody."""

    async def _timer_s(self) -> int:
        return (await self._values(self._timer)).get("timer") or 0

    @abstractmethod
    def quantise(self, power_w: int) -> int:
        """See gateway.driver.Actuator."""

    @abstractmethod
    async def _values(self, fields: tuple[F, ...]) -> dict[str, int | None]:
        """By name; None where the device has no believable value. It is asked for the fields of the nameplate
        (`stated`), of `read_back`, or for the timer."""

    @abstractmethod
    async def _run(self, steps: tuple[S, ...], power_w: int, timeout_s: int) -> None:
        """One sequence, in its order."""

    def _check(self) -> None:
        """LinkError where the link tells that the device may have forgotten all."""
