"""An OPC UA device that takes setpoints: the profile's sequences, in their order, and what reads back.

It owns no decision: quantised powers come in, writes to nodes go out, and what the device holds is read
from the device. A step that fails ends the sequence with that LinkError. It never remembers a setpoint,
never retries and never writes on its own account. In a new session the fallback comes first: the device may
have restarted unseen.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from drivers.opcua import codec
from drivers.opcua.codec import Field
from drivers.opcua.driver import OpcUaDriver
from drivers.opcua.sequence import quantise, step_w, writes
from drivers.opcua.table import Setpoint, Step
from gateway.errors import LinkError
from gateway.model import Points, Quality, ReadBack, Sample, SetpointSpec
from gateway.site import Device

if TYPE_CHECKING:
    from drivers.opcua.link import OpcUaLink

NAMEPLATE_MS = 10_000  # between two looks for a nameplate that the device did not tell: it may only be asleep


class Commanded:
    """gateway.driver.Driver and Actuator: a driver that reads, plus the profile's setpoint."""

    def __init__(self, device: Device, model: Setpoint, link: "OpcUaLink", reads: OpcUaDriver) -> None:
        self._device, self._model, self._link, self._reads = device, model, link, reads
        self._timeout_s = device.timeout_ms / 1000
        self._armed_s = model.timeout_s  # what the sequence puts into the device's timer
        self.setpoint = spec(device, model)
        stated = (model.charge_max, model.discharge_max)
        self._limits = [field for field in stated if isinstance(field, Field)]
        self._held = _read_back_fields(model)
        self._said: dict[str, int] = {}  # nameplate, as far as the device told it
        self._nameplate_due_ms = 0
        self._count = 0  # of the heartbeat
        self._session = 0  # the last in which it was handed back to itself, or connected

    @property
    def points(self) -> Points:
        return self._reads.points

    @property
    def pushed(self) -> bool:
        return self._reads.pushed

    @property
    def dropped(self) -> int:
        return self._reads.dropped

    async def connect(self) -> Mapping[str, str]:
        """As the reading driver, and learn the nameplate where a node says it. Unknown counts as 0."""
        found = await self._reads.connect()
        self._said = {}
        await self._learn()
        self._session = self._link.counters.sessions
        return found

    async def read(self) -> Sample:
        """As the reading driver, and look again now and then for a nameplate that is not known yet."""
        sample = await self._reads.read()
        known = all(self._said.get(field.name) for field in self._limits)
        if not known and sample.stamp.mono_ms >= self._nameplate_due_ms:
            self._nameplate_due_ms = sample.stamp.mono_ms + NAMEPLATE_MS
            await self._learn()
        return sample

    def refresh(self) -> None:
        self._reads.refresh()

    async def close(self) -> None:
        await self._reads.close()

    def quantise(self, power_w: int) -> int:
        """See gateway.driver.Actuator."""
        return quantise(self._model.write, power_w)

    async def arm(self, timeout_s: int) -> int:
        """Set the device's timer, where it has one, and return what it then says (s)."""
        if self._model.arm is None:
            return 0
        self._check_session()
        self._armed_s = timeout_s
        await self._run(self._model.arm.write, 0, timeout_s)
        return await self._timer_s()

    async def write_power(self, power_w: int) -> None:
        """The write sequence. ValueError for a power that `quantise` would change."""
        if power_w != self.quantise(power_w):
            raise ValueError(f"{power_w} W is not a power this device can hold")
        self._check_session()
        self._count += 1
        await self._run(self._model.write, power_w, self._armed_s)

    async def read_back(self) -> ReadBack:
        """What the device holds. LinkError when it does not tell: then nothing may be assumed."""
        model = self._model
        values = await self._values(self._held)
        self._check_session()
        needed = [model.mode.name] if model.mode else []
        needed += [required.field.name for required in model.require]
        if missing := [name for name in needed if values[name] is None]:
            raise LinkError(f"{self._device.name}: the device does not give back its {missing[0]} node")
        timer_s = await self._timer_s()
        mode = values[model.mode.name] if model.mode else None
        obeys = all(values[required.field.name] == required.equals for required in model.require)
        for held in model.held:
            if obeys and mode == held.mode:
                power_w = values[held.power.name] if held.power else 0
                if power_w is None:
                    raise LinkError(f"{self._device.name}: the device does not give back its setpoint")
                return ReadBack(power_w, True, timer_s)
        return ReadBack(0, False, timer_s)

    async def release(self) -> None:
        """The revert sequence: the device's own control takes over."""
        await self._run(self._model.release, 0, 0, opens=True)
        self._session = self._link.counters.sessions

    def _check_session(self) -> None:
        if self._link.counters.sessions != self._session:
            raise LinkError(f"{self._device.name}: connected anew, what it holds is not known")

    async def _learn(self) -> None:
        """The nameplate as the device says it now; what it says nothing of stays as it was said before."""
        values = await self._values(self._limits)
        self._said |= {name: max(0, value) for name, value in values.items() if value is not None}
        self.setpoint = spec(self._device, self._model, self._said)

    async def _timer_s(self) -> int:
        arm = self._model.arm
        return (await self._values([arm.timer]))["timer"] or 0 if arm else 0

    async def _values(self, fields: Sequence[Field]) -> dict[str, int | None]:
        """By name; None where the device has no believable value."""
        if not fields:
            return {}
        heard = await self._link.read([field.node for field in fields], timeout_s=self._timeout_s)
        return {field.name: _good(field, said) for field, said in zip(fields, heard, strict=True)}

    async def _run(self, steps: Sequence[Step], power_w: int, timeout_s: int, *, opens: bool = False) -> None:
        for write in writes(steps, power_w, timeout_s, self._count):
            await self._link.write(
                write.node, write.type, write.value, timeout_s=self._timeout_s, opens=opens
            )


def _good(field: Field, said: codec.Heard) -> int | None:
    try:
        value, quality = codec.decode(field, said)
    except TypeError:
        return None
    return value if quality == Quality.GOOD else None


def spec(device: Device, model: Setpoint, limits: Mapping[str, int] | None = None) -> SetpointSpec:
    """The setpoint as far as it is known; a nameplate that only the device knows is 0 until connected."""
    limits = limits or {}
    timeout_s = (device.timer_s or model.timeout_s) if model.timeout_s else 0
    return SetpointSpec(
        model.command_class,
        limits.get("charge_max", 0) if isinstance(model.charge_max, Field) else model.charge_max,
        limits.get("discharge_max", 0) if isinstance(model.discharge_max, Field) else model.discharge_max,
        step_w(model.write),
        timeout_s,
        min(model.refresh_s, max(1, timeout_s // 3)) if timeout_s else model.refresh_s,
        model.settle_s,
        model.writes_per_day,
        model.ends_s,
    )


def _read_back_fields(model: Setpoint) -> list[Field]:
    powers = [held.power for held in model.held if held.power]
    return [*([model.mode] if model.mode else []), *(one.field for one in model.require), *powers]
