"""A register-map device that takes setpoints: how its sequences are written, and what is read for them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from drivers import commanded
from drivers.command import Setpoint, notes, spec
from drivers.modbus.codec import Field
from drivers.modbus.rated import rated
from drivers.modbus.reader import Reader
from drivers.modbus.sequence import Write, lacks, quantise, same, step_w, writes
from drivers.modbus.table import Step, Table
from gateway.driver import RegisterLink
from gateway.errors import LinkError
from gateway.model import Quality, SetpointSpec
from gateway.site import Device

if TYPE_CHECKING:
    from drivers.modbus.driver import ModbusDriver


class Commanded(commanded.Commanded[Step, Field]):
    """What is read for the setpoint keeps the profile's forbidden ranges, as what is polled does."""

    place = "register"

    def __init__(
        self,
        device: Device,
        profile: Table,
        model: Setpoint[Step, Field],
        link: RegisterLink,
        polls: "ModbusDriver",
    ) -> None:
        super().__init__(device, model, polls, step_w(model.write))
        self._link, self._timeout_s, self._polls = link, device.timeout_ms / 1000, polls
        self._profile, self._parts = profile, model  # as written: in parts of the rating, where it has one
        self._readers = self._made()

    def _made(self) -> dict[tuple[Field, ...], Reader]:
        forbidden, hole_max = self._profile.forbidden, self._profile.hole_max
        asked = (self._limits, self._held, self._timer)
        return {fields: Reader(self._device.unit, fields, forbidden, hole_max) for fields in asked}

    @property
    def _rating_w(self) -> int:
        return self._said.get(self._parts.rating.name, 0) if self._parts.rating else 0

    async def serial_number(self) -> str:
        return await self._polls.serial_number()

    def quantise(self, power_w: int) -> int:
        unknown = self._parts.rating is not None and not self._rating_w
        return 0 if unknown else quantise(self._model.write, power_w)

    def _told(self) -> None:
        if self._rating_w:
            self._model = rated(self._parts, self._rating_w)
            self._step_w, self._held = step_w(self._model.write), self._model.read_back
            self._readers = self._made()

    async def _values(self, fields: tuple[Field, ...]) -> dict[str, int | None]:
        reader = self._readers[fields]
        values, qualities = await reader.read(self._link, self._timeout_s)
        good = (v if q == Quality.GOOD else None for v, q in zip(values, qualities, strict=True))
        return dict(zip((f.name for f in reader.fields), good, strict=True))

    async def _run(self, steps: tuple[Step, ...], power_w: int, timeout_s: int) -> None:
        for step in steps:
            if lacks(step, self._most):
                await self._learn()
                if lacks(step, self._most):
                    raise LinkError(
                        f"{self._device.name}: its nameplate, which is to be given back, is unknown"
                    )
            for write in writes((step,), power_w, timeout_s, self._device.unit, self._most):
                await self._write(write)

    @property
    def _most(self) -> Mapping[str, int]:
        return {"charge_max": self.setpoint.charge_max_w, "discharge_max": self.setpoint.discharge_max_w}

    async def _write(self, write: Write) -> None:
        if not (write.if_changed and await self._already(write)):
            await self._link.write(
                write.unit, write.address, write.registers, timeout_s=self._timeout_s, single=write.single
            )

    async def _already(self, write: Write) -> bool:
        count = len(write.registers)
        data = await self._link.read(write.unit, "holding", write.address, count, timeout_s=self._timeout_s)
        return same(write, data)


def describe(device: Device, profile: Table) -> tuple[SetpointSpec | None, tuple[str, ...]]:
    """The setpoint and what a person should know, without the device."""
    known = [f"{profile.vendor} {profile.model}: {profile.proof}"]
    if profile.enable:
        known.append(f"before: {profile.enable}")
    model = profile.setpoint
    if model is None or not device.control:
        return None, tuple(known)
    return spec(device, model, step_w(model.write), {}), (*known, *notes(model))
