"""A register-map device that takes setpoints: the profile's sequences, in their order, and what reads back.

It owns no decision: quantised powers come in, register writes go out, and what the device holds is read
from the device. A step that fails ends the sequence with that LinkError. It never remembers a setpoint,
never retries and never writes on its own account.
"""

from collections.abc import Mapping, Sequence

from drivers.modbus.codec import Field
from drivers.modbus.reader import Reader
from drivers.modbus.sequence import Write, quantise, same, step_w, writes
from drivers.modbus.table import Setpoint, Step, Table
from gateway.driver import Driver, RegisterLink
from gateway.errors import LinkError
from gateway.model import Points, Quality, ReadBack, Sample, SetpointSpec
from gateway.site import Device
from gateway.tape import Refreshing

NAMEPLATE_MS = 10_000  # between two looks for a nameplate that the device did not tell: it may only be asleep


class Commanded:
    """gateway.driver.Driver and Actuator: a driver that polls, plus the profile's setpoint."""

    pushed = False

    def __init__(
        self, device: Device, profile: Table, model: Setpoint, link: RegisterLink, polls: Driver
    ) -> None:
        self._device, self._model, self._link, self._polls = device, model, link, polls
        self._timeout_s = device.timeout_ms / 1000
        self._armed_s = (
            model.timeout_s
        )  # what the sequence puts into the device's timer, not what was measured
        self.setpoint = spec(device, model)
        stated = (model.charge_max, model.discharge_max)
        self._limits = _reader(device, profile, [f for f in stated if isinstance(f, Field)])
        self._held = _reader(device, profile, _read_back_fields(model))
        self._timer = _reader(device, profile, [model.arm.timer] if model.arm else [])
        self._said: dict[str, int] = {}  # nameplate, as far as the device told it
        self._nameplate_due_ms = 0

    @property
    def points(self) -> Points:
        return self._polls.points

    async def connect(self) -> Mapping[str, str]:
        """As the polling driver, and learn the nameplate where a register says it. Unknown counts as 0."""
        found = await self._polls.connect()
        self._said = {}
        await self._learn()
        return found

    async def read(self) -> Sample:
        """As the polling driver, and look again now and then for a nameplate that is not known yet: that of a
        battery asleep reads 0 or nothing."""
        sample = await self._polls.read()
        known = all(self._said.get(field.name) for field in self._limits.fields)
        if not known and sample.stamp.mono_ms >= self._nameplate_due_ms:
            self._nameplate_due_ms = sample.stamp.mono_ms + NAMEPLATE_MS
            await self._learn()
        return sample

    def refresh(self) -> None:
        if isinstance(self._polls, Refreshing):
            self._polls.refresh()

    async def close(self) -> None:
        await self._polls.close()

    def quantise(self, power_w: int) -> int:
        """See gateway.driver.Actuator."""
        return quantise(self._model.write, power_w)

    async def arm(self, timeout_s: int) -> int:
        """Set the device's timer, where it has one, and return what it then says (s)."""
        if self._model.arm is None:
            return 0
        self._armed_s = timeout_s
        await self._run(self._model.arm.write, 0, timeout_s)
        return await self._timer_s()

    async def write_power(self, power_w: int) -> None:
        """The write sequence. ValueError for a power that `quantise` would change."""
        if power_w != self.quantise(power_w):
            raise ValueError(f"{power_w} W is not a power this device can hold")
        await self._run(self._model.write, power_w, self._armed_s)

    async def read_back(self) -> ReadBack:
        """What the device holds. LinkError when it does not tell: then nothing may be assumed."""
        model = self._model
        values = await self._values(self._held)
        needed = (model.mode.name, *(r.field.name for r in model.require))
        if missing := [name for name in needed if values[name] is None]:
            raise LinkError(f"{self._device.name}: the device does not give back its {missing[0]} register")
        timer_s = await self._timer_s()
        obeys = all(values[r.field.name] == r.equals for r in model.require)
        for held in model.held:
            if obeys and values[model.mode.name] == held.mode:
                power_w = values[held.power.name] if held.power else 0
                if power_w is None:
                    raise LinkError(f"{self._device.name}: the device does not give back its setpoint")
                return ReadBack(power_w, True, timer_s)
        return ReadBack(0, False, timer_s)

    async def release(self) -> None:
        """The revert sequence: the device's own control takes over."""
        await self._run(self._model.release, 0, 0)

    async def _learn(self) -> None:
        """The nameplate as the device says it now; what it says nothing of stays as it was said before."""
        values = await self._values(self._limits)
        self._said |= {name: max(0, value) for name, value in values.items() if value is not None}
        self.setpoint = spec(self._device, self._model, self._said)

    async def _timer_s(self) -> int:
        return (await self._values(self._timer)).get("timer") or 0

    async def _values(self, reader: Reader) -> dict[str, int | None]:
        """By name; None where the device has no believable value."""
        values, qualities = await reader.read(self._link, self._timeout_s)
        good = (v if q == Quality.GOOD else None for v, q in zip(values, qualities, strict=True))
        return dict(zip((f.name for f in reader.fields), good, strict=True))

    async def _run(self, steps: Sequence[Step], power_w: int, timeout_s: int) -> None:
        for write in writes(steps, power_w, timeout_s, self._device.unit):
            if not (write.if_changed and await self._already(write)):
                await self._link.write(
                    write.unit, write.address, write.registers, timeout_s=self._timeout_s, single=write.single
                )

    async def _already(self, write: Write) -> bool:
        count = len(write.registers)
        data = await self._link.read(write.unit, "holding", write.address, count, timeout_s=self._timeout_s)
        return same(write, data)


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


def describe(device: Device, profile: Table) -> tuple[SetpointSpec | None, tuple[str, ...]]:
    """The setpoint and what a person should know, without the device."""
    notes = [f"{profile.vendor} {profile.model}: {profile.proof}"]
    if profile.enable:
        notes.append(f"before: {profile.enable}")
    model = profile.setpoint
    if model is None or not device.control:
        return None, tuple(notes)
    if isinstance(model.charge_max, Field) or isinstance(model.discharge_max, Field):
        notes.append("the nameplate power is read from the device")
    if not model.timeout_s:
        notes.append("the device keeps a setpoint for ever: this gateway is the only dead-man")
    return spec(device, model), tuple(notes)


def _read_back_fields(model: Setpoint) -> list[Field]:
    powers = [held.power for held in model.held if held.power]
    return [model.mode, *(required.field for required in model.require), *powers]


def _reader(device: Device, profile: Table, fields: Sequence[Field]) -> Reader:
    return Reader(device.unit, fields, profile.forbidden, profile.hole_max)
