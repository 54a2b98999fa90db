"""A SunSpec device that takes battery power: a SunSpec driver and one Way, 704 or 124, to command it.

Owns when the device's registers are read for a write and in what order they are written. It refuses to
command a device that states no rating or offers no way, and believes only what it reads back.
"""

import asyncio
from collections.abc import Mapping

from drivers.sunspec.binding import Present, understood
from drivers.sunspec.driver import SunSpec
from drivers.sunspec.island import Conn123
from drivers.sunspec.reactive import LAST, Var704
from drivers.sunspec.scan import Moved
from drivers.sunspec.setpoint import Raw, Way, Writes, choose
from drivers.sunspec.settings import Settings
from gateway.beside_model import IslandBack, IslandSpec, ReactiveBack, ReactiveSpec
from gateway.errors import LinkError
from gateway.model import CommandClass, Points, ReadBack, Sample, SetpointSpec
from gateway.site import Device

COMMAND_MODELS = (704, 124)
CONN_MODEL, STATE_MODEL = 123, 701
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
    """gateway.driver.Driver, Actuator and, where the device has what it takes, ReactiveActuator and
    IslandActuator."""

    def __init__(self, reader: SunSpec, profile: Settings, device: Device) -> None:
        self._reader = reader
        self._profile = profile
        self._device = device
        self._way: Way | None = None
        self._raw: Raw = {}
        self._spec = spec(profile, device)
        self._timeout_s = self._spec.timeout_s
        self._var: Var704 | None = None
        self._var_raw: Raw = {}
        self._var_timeout_s = self._timeout_s
        self._reactive: ReactiveSpec | None = None
        self._conn: Conn123 | None = None
        self._conn_timeout_s = self._timeout_s

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
        await self._find_reactive(models.get(704))
        await self._find_conn()
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

    async def serial_number(self) -> str:
        return await self._reader.serial_number()

    async def read(self) -> Sample:
        if self._way is None or not self._reader.connected:
            await self.connect()
        return await self._reader.read()

    def refresh(self) -> None:
        self._reader.refresh()

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
            await self._write(way, way.arm(self._raw, timeout_s))
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
        way = self._known()
        await self._write(way, way.power(self._raw, power_w, self._timeout_s))

    async def read_back(self) -> ReadBack:
        way = self._known()
        raw = await self._fetch(way)
        if not way.usable(raw):  # then what was known before still says how to hand the battery back
            model = way.present.found.model
            raise LinkError(f"{self._device.name}: model {model} no longer states what a setpoint needs")
        self._raw = raw
        return way.held(raw)

    async def release(self) -> None:
        way = self._known()
        await self._write(way, way.release(self._raw))

    # -- reactive power ---------------------------------------------------------------------------

    @property
    def reactive(self) -> ReactiveSpec | None:
        return self._reactive

    async def arm_reactive(self, timeout_s: int) -> int:
        self._var_timeout_s = timeout_s
        for way in self._known_var().variants(self._var_raw):
            self._var = way
            await self._write(way, way.arm(self._var_raw, timeout_s))
            if timer_s := await self._var_started():
                return timer_s
        return 0

    async def _var_started(self) -> int:
        for again in range(TIMER_READS):
            if again:
                await asyncio.sleep(TIMER_PAUSE_S)
            if timer_s := (await self.read_reactive()).timer_s:
                return timer_s
        return 0

    async def write_reactive(self, var: int) -> None:
        way = self._known_var()
        await self._write(way, way.write(self._var_raw, var, self._var_timeout_s))

    async def read_reactive(self) -> ReactiveBack:
        way = self._known_var()
        raw = await self._fetch(way)
        if not way.usable(raw):
            raise LinkError(f"{self._device.name}: model 704 no longer states what reactive power needs")
        self._var_raw = raw
        return way.held(raw)

    async def release_reactive(self) -> None:
        way = self._known_var()
        await self._write(way, way.release(self._var_raw))

    async def _find_reactive(self, present: Present | None) -> None:
        """What 702 rates and 704 can hold; without both there is no reactive power to command."""
        self._var, self._reactive = None, None
        var_max, apparent_va = self._reader.nameplate_var
        if present is None or not var_max or LAST not in present.layout.by_name:
            return
        way = Var704(present, var_max)
        raw = await self._fetch(way)
        if way.usable(raw):
            self._var, self._var_raw = way, raw
            self._reactive = ReactiveSpec(
                way.most_var(raw), apparent_va, self._var_timeout_s, way.step_var(raw)
            )

    # -- the grid connection ------------------------------------------------------------------------

    @property
    def island(self) -> IslandSpec | None:
        return IslandSpec(self._conn_timeout_s) if self._conn else None

    async def arm_island(self, timeout_s: int) -> int:
        self._conn_timeout_s = timeout_s
        way = self._known_conn()
        await self._write(way, way.arm(timeout_s))
        return (await self.read_island()).timer_s

    async def part(self) -> None:
        way = self._known_conn()
        await self._write(way, way.part(self._conn_timeout_s))

    async def read_island(self) -> IslandBack:
        way = self._known_conn()
        raw = await self._fetch(way)
        if not way.usable(raw):
            raise LinkError(f"{self._device.name}: model 123 no longer states what its connection needs")
        return way.held(raw)

    async def rejoin(self) -> None:
        way = self._known_conn()
        await self._write(way, way.rejoin())

    async def _find_conn(self) -> None:
        """Where the profile says what it means, 123 has the timer, and 701 says whether it is connected."""
        self._conn = None
        models = understood(self._reader.found, (CONN_MODEL, STATE_MODEL))
        if self._profile.islanding == "none" or len(models) < len((CONN_MODEL, STATE_MODEL)):
            return
        way = Conn123(models[CONN_MODEL])
        if way.usable(await self._fetch(way)):
            self._conn = way

    def _known_conn(self) -> Conn123:
        if self._conn is None or not self._reader.connected:
            raise LinkError(f"{self._device.name} has not been reached, or not since its models moved")
        return self._conn

    def _known_var(self) -> Var704:
        if self._var is None or not self._reader.connected:
            raise LinkError(f"{self._device.name} has not been reached, or not since its models moved")
        return self._var

    def _known(self) -> Way:
        if self._way is None or not self._reader.connected:  # never write where a model once was
            raise LinkError(f"{self._device.name} has not been reached, or not since its models moved")
        return self._way

    async def _fetch(self, way: Way | Var704 | Conn123) -> Raw:
        try:
            return way.parse(await self._reader.registers(way.present.found.address, way.registers))
        except Moved:
            await self._reader.close()
            raise

    async def _write(self, way: Way | Var704 | Conn123, writes: Writes) -> None:
        for offset, registers in writes:
            if not self._reader.connected:  # the chain moved meanwhile: never write where a model once was
                raise LinkError(f"{self._device.name} has not been reached since its models moved")
            await self._reader.write(way.present.found.address + offset, registers)

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
