"""A SunSpec device that takes battery power: a SunSpec driver and one Way, 704 or 124, to command it.

Owns when the device's registers are read for a write and in what order they are written. It refuses to
command a device that states no rating or offers no way, and believes only what it reads back.
"""

import asyncio
from collections.abc import Mapping

from drivers.sunspec.binding import understood
from drivers.sunspec.driver import SunSpec
from drivers.sunspec.scan import Moved
from drivers.sunspec.setpoint import Raw, Way, Writes, choose
from drivers.sunspec.settings import Settings
from gateway.errors import LinkError
from gateway.model import CommandClass, Points, ReadBack, Sample, SetpointSpec
from gateway.site import Device

COMMAND_MODELS = (704, 124)
# Some devices show what was written only when their map is next made up, once a second or two. A timer judged
# sooner would be armed the other way, after which such a device rests at 0 W instead of taking over again.
TIMER_READS, TIMER_PAUSE_S = 5, 0.5
REFRESH_PARTS = 3  # a setpoint is renewed at a third of the time after which it would end


def spec(profile: Settings, device: Device) -> SetpointSpec:
    """What is known of the setpoint before the device is reached: a timer as wanted, ratings as stated."""
    timeout_s = device.timer_s or profile.timeout_s
    return SetpointSpec(
        CommandClass.SELF_EXPIRING,
        profile.charge_max_w,
        profile.discharge_max_w,
        timeout_s=timeout_s,
        refresh_s=timeout_s // REFRESH_PARTS,
    )


class Commanded:
    """gateway.driver.Driver and Actuator. Positive power discharges."""

    def __init__(self, reader: SunSpec, profile: Settings, device: Device) -> None:
        self._reader = reader
        self._profile = profile
        self._device = device
        self._way: Way | None = None
        self._raw: Raw = {}
        self._spec = spec(profile, device)
        self._timeout_s = self._spec.timeout_s

    @property
    def points(self) -> Points:
        return self._reader.points

    @property
    def pushed(self) -> bool:
        return self._reader.pushed

    @property
    def setpoint(self) -> SetpointSpec:
        return self._spec

    async def connect(self) -> Mapping[str, str]:
        self._way = None  # what was known of the registers ends here, whatever this attempt finds
        identity = await self._reader.connect()
        models = understood(self._reader.found, COMMAND_MODELS)
        if self._reader.own_pv and self._profile.setpoint == "auto":
            models.pop(704, None)  # it sets the AC power, which there is PV and battery together
        for way in choose(self._profile.setpoint, models, charge_grid=self._profile.charge_grid):
            raw = await self._fetch(way)
            if way.usable(raw):
                self._way, self._raw, self._spec = way, raw, self._made(way, raw)
                return identity
        have = ", ".join(str(found.model) for found in self._reader.found)
        raise LinkError(
            f"{self._device.name} cannot be commanded: models {have} hold no usable 124, nor a 704 on an "
            "inverter without PV; write `control: false`, or switch remote control on in the device"
        )

    async def read(self) -> Sample:
        if self._way is None or not self._reader.connected:
            await self.connect()
        return await self._reader.read()

    async def close(self) -> None:
        await self._reader.close()

    def quantise(self, power_w: int) -> int:
        within = max(-self._spec.charge_max_w, min(power_w, self._spec.discharge_max_w))
        return self._way.quantise(self._raw, within) if self._way else 0

    async def arm(self, timeout_s: int) -> int:
        """The battery is held at 0 W under a timer of `timeout_s`; returns what the timer reads (0: none)."""
        self._timeout_s = timeout_s
        for way in self._known().variants(self._raw):
            self._way = way
            await self._write(way.arm(self._raw, timeout_s))
            if timer_s := await self._started(way):
                return timer_s
        return 0

    async def _started(self, way: Way) -> int:
        """What the timer reads as soon as it runs; 0 when it does not."""
        for again in range(TIMER_READS if way.has_timer(self._raw) else 1):
            if again:
                await asyncio.sleep(TIMER_PAUSE_S)
            if timer_s := (await self.read_back()).timer_s:
                return timer_s
        return 0

    async def write_power(self, power_w: int) -> None:
        await self._write(self._known().power(self._raw, power_w, self._timeout_s))

    async def read_back(self) -> ReadBack:
        way = self._known()
        raw = await self._fetch(way)
        if not way.usable(raw):  # then what was known before still says how to hand the battery back
            model = way.present.found.model
            raise LinkError(f"{self._device.name}: model {model} no longer states what a setpoint needs")
        self._raw = raw
        return way.held(raw)

    async def release(self) -> None:
        await self._write(self._known().release(self._raw))

    def _known(self) -> Way:
        if self._way is None or not self._reader.connected:  # never write where a model once was
            raise LinkError(f"{self._device.name} has not been reached, or not since its models moved")
        return self._way

    async def _fetch(self, way: Way) -> Raw:
        try:
            return way.parse(await self._reader.registers(way.present.found.address, way.registers))
        except Moved:
            await self._reader.close()
            raise

    async def _write(self, writes: Writes) -> None:
        for offset, registers in writes:
            await self._reader.write(self._known().present.found.address + offset, registers)

    def _made(self, way: Way, raw: Raw) -> SetpointSpec:
        charge_w, discharge_w = (
            self._most(name, own, wanted, way.most_w(raw))
            for name, own, wanted in zip(
                ("charge", "discharge"),
                self._reader.nameplate_w,
                (self._profile.charge_max_w, self._profile.discharge_max_w),
                strict=True,
            )
        )
        timed = way.has_timer(raw)
        timeout_s = self._timeout_s if timed else 0
        return SetpointSpec(
            CommandClass.SELF_EXPIRING if timed else CommandClass.LATCHING,
            charge_w,
            discharge_w,
            step_w=way.step_w(raw),
            timeout_s=timeout_s,
            refresh_s=timeout_s // REFRESH_PARTS,
        )

    def _most(self, name: str, own_w: int, wanted_w: int, way_w: int) -> int:
        """The lowest of what device, profile and registers allow; LinkError if nobody states a rating."""
        if not own_w and not wanted_w:
            raise LinkError(
                f"{self._device.name} states no {name} rating: write {name}_max_w in a profile of your own"
            )
        return min(w for w in (own_w or wanted_w, wanted_w or own_w, way_w))
