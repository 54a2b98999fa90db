"""Mocks of devices for tests in virtual time: scripted, without a wire. The rig has the real ones.

A MockInverter keeps a register, a reversion timer and a battery that follows it; every write is kept with
its moment. Faults are attributes that a test sets. Nothing of this proves a driver.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.beside_model import IslandBack, IslandSpec, ReactiveBack, ReactiveSpec
from gateway.errors import DeviceRefused, LinkError, StoreError
from gateway.model import CommandClass, Point, Points, Quality, Quantity, ReadBack, Sample, SetpointSpec
from gateway.site import AttestSettings, Device, Site, SiteLimits, StoreSettings
from tests.gateway.stores import memory
from tests.sim.loop import VirtualClock

LIMITS = SiteLimits(10_000, 10_000, 17_000, 8_000, 2_000)
SPEC = SetpointSpec(CommandClass.SELF_EXPIRING, 10_000, 10_000, 10, timeout_s=30, refresh_s=10, settle_s=3)


def site(limits: SiteLimits = LIMITS, **changes: Any) -> Site:
    devices = tuple(
        Device(name, "mock", "mock", role, f"mock://{name}", None)
        for name, role in (("inverter", "inverter"), ("bms", "battery"), ("meter", "meter"))
    )
    base = Site("mocked", limits, devices, StoreSettings(Path("unused")), AttestSettings())
    return replace(base, **changes)


class MockDevice:
    """Answers polls with `values` after `delay_s`; raises `failure` if set. `pushed` ones wait a period."""

    def __init__(
        self, name: str, clock: VirtualClock, values: Mapping[Quantity | str, int], *, pushed: bool = False
    ) -> None:
        self.name = name
        self.clock = clock
        self.values = dict(values)
        self.quality = dict.fromkeys(values, Quality.GOOD)
        self.pushed = pushed
        self.delay_s = 0.02
        self.period_s = 1.0
        self.failure: Exception | None = None
        self.connect_failure: Exception | None = None
        self.log: list[tuple[int, str, int]] = []  # ms, what, figure
        self.polls: list[int] = []
        self.connects: list[int] = []
        self._points: Points = ()

    @property
    def points(self) -> Points:
        return self._points

    async def connect(self) -> Mapping[str, str]:
        await asyncio.sleep(self.delay_s)
        if self.connect_failure is not None:
            raise self.connect_failure
        self._points = tuple(Point(self.name, str(name)) for name in self.values)
        self.connects.append(self.clock.mono_ms())
        return {"model": "mock"}

    async def read(self) -> Sample:
        self.polls.append(self.clock.mono_ms())
        await asyncio.sleep(self.period_s if self.pushed else self.delay_s)
        if self.failure is not None:
            raise self.failure
        qualities = bytes(self.quality[name] for name in self.values)
        return Sample(self.name, self.clock.now(), self._points, self.measure(), qualities)

    def measure(self) -> tuple[int, ...]:
        return tuple(self.values.values())

    async def close(self) -> None:
        self.log.append((self.clock.mono_ms(), "close", 0))


class MockInverter(MockDevice):
    """Takes a battery power. Its own control (the fallback) lets `own_w` flow."""

    def __init__(self, clock: VirtualClock, spec: SetpointSpec = SPEC) -> None:
        values = {Quantity.BATTERY_POWER: 0, Quantity.GRID_FREQUENCY: 50_000}
        super().__init__("inverter", clock, values)
        self.setpoint = spec
        self.register_w = 0
        self.active = False
        self.armed_s = 0
        self.fed_ms = 0
        self.own_w = 0
        self.obeys = True  # the battery follows
        self.takes = True  # the register takes writes
        self.clips_w = 0  # it holds so much less than it was told
        self.tells = True  # its power, when it is asked what it holds
        self.arms = True
        self.release_takes = True
        self.refuses: Callable[[int], bool] = lambda _: False
        self.write_failure: Exception | None = None

    def power_now_w(self) -> int:
        self._revert()
        return self.register_w if self.active and self.obeys else self.own_w

    def measure(self) -> tuple[int, ...]:
        self.values[Quantity.BATTERY_POWER] = self.power_now_w()
        return super().measure()

    def quantise(self, power_w: int) -> int:
        return int(power_w / self.setpoint.step_w) * self.setpoint.step_w

    async def arm(self, timeout_s: int) -> int:
        await self._exchange("arm", timeout_s)
        self.armed_s = timeout_s if self.arms else 0
        self.fed_ms = self.clock.mono_ms()
        return self.armed_s

    async def write_power(self, power_w: int) -> None:
        await self._exchange("write", power_w)
        if self.refuses(power_w):
            raise DeviceRefused("illegal value", 3)
        if self.takes:
            self.register_w, self.active = (
                max(0, abs(power_w) - self.clips_w) * (1 if power_w > 0 else -1),
                True,
            )
        self.fed_ms = self.clock.mono_ms()

    async def read_back(self) -> ReadBack:
        await asyncio.sleep(self.delay_s)
        if self.write_failure is not None:
            raise self.write_failure
        self._revert()
        power_w = self.register_w if self.tells or not self.active else None
        return ReadBack(power_w, self.active, self.armed_s)

    async def release(self) -> None:
        await self._exchange("release", 0)
        if self.release_takes:
            self.register_w, self.active, self.armed_s = 0, False, 0

    async def _exchange(self, what: str, figure: int) -> None:
        self.log.append((self.clock.mono_ms(), what, figure))
        await asyncio.sleep(self.delay_s)
        if self.write_failure is not None:
            raise self.write_failure

    def _revert(self) -> None:
        if self.active and 0 < self.armed_s * 1000 <= self.clock.mono_ms() - self.fed_ms:
            self.register_w, self.active, self.armed_s = 0, False, 0

    @property
    def writes(self) -> list[tuple[int, int]]:
        """Powers written, as (ms, W)."""
        return [(ms, figure) for ms, what, figure in self.log if what == "write"]

    def done(self, *kinds: str) -> list[str]:
        return [what for _, what, _ in self.log if what in (kinds or ("arm", "write", "release"))]


VAR_SPEC = ReactiveSpec(6_000, 10_000, 30, step_var=10, settle_s=3)


class MockReactive(MockInverter):
    """It takes reactive power too; its active power is the battery's."""

    def __init__(self, clock: VirtualClock, spec: SetpointSpec = SPEC) -> None:
        super().__init__(clock, spec)
        for quantity, value in ((Quantity.INVERTER_POWER, 0), (Quantity.GRID_VOLTAGE, 230_000)):
            self.values[quantity], self.quality[quantity] = value, Quality.GOOD
        self.reactive: ReactiveSpec | None = VAR_SPEC
        self.var = 0
        self.var_active = False
        self.var_armed_s = 0
        self.var_fed_ms = 0
        self.var_arms = True
        self.var_takes = True

    def measure(self) -> tuple[int, ...]:
        self.values[Quantity.INVERTER_POWER] = self.power_now_w()
        return super().measure()

    def var_now(self) -> int:
        if self.var_active and 0 < self.var_armed_s * 1000 <= self.clock.mono_ms() - self.var_fed_ms:
            self.var, self.var_active = 0, False
        return self.var if self.var_active else 0

    async def arm_reactive(self, timeout_s: int) -> int:
        await self._exchange("arm var", timeout_s)
        self.var_armed_s = timeout_s if self.var_arms else 0
        self.var_fed_ms = self.clock.mono_ms()
        return self.var_armed_s

    async def write_reactive(self, var: int) -> None:
        await self._exchange("write var", var)
        if self.var_takes:
            self.var, self.var_active = var, True
        self.var_fed_ms = self.clock.mono_ms()

    async def read_reactive(self) -> ReactiveBack:
        await asyncio.sleep(self.delay_s)
        if self.write_failure is not None:
            raise self.write_failure
        self.var_now()
        return ReactiveBack(self.var, self.var_active, self.var_armed_s if self.var_active else 0)

    async def release_reactive(self) -> None:
        await self._exchange("release var", 0)
        self.var, self.var_active = 0, False


VAR = ("arm var", "write var", "release var")


ISLAND_SPEC = IslandSpec(30, settle_s=3)


class MockIsland(MockInverter):
    """It can be parted from the grid, and then says so; its AC power is the battery's and `sun_w`."""

    def __init__(self, clock: VirtualClock, spec: SetpointSpec = SPEC) -> None:
        super().__init__(clock, spec)
        for quantity, value in ((Quantity.INVERTER_POWER, 0), (Quantity.GRID_CONNECTED, 1)):
            self.values[quantity], self.quality[quantity] = value, Quality.GOOD
        self.island: IslandSpec | None = ISLAND_SPEC
        self.apart = False
        self.apart_timer_s = 0
        self.apart_fed_ms = 0
        self.apart_takes = self.apart_arms = True
        self.grid = True
        self.sun_w = 0

    def measure(self) -> tuple[int, ...]:
        self.values[Quantity.INVERTER_POWER] = self.power_now_w() + self.sun_w
        self.values[Quantity.GRID_CONNECTED] = int(self.grid and not self.is_apart())
        return super().measure()

    def is_apart(self) -> bool:
        if self.apart and 0 < self.apart_timer_s * 1000 <= self.clock.mono_ms() - self.apart_fed_ms:
            self.apart = False
        return self.apart

    async def arm_island(self, timeout_s: int) -> int:
        await self._exchange("arm island", timeout_s)
        self.apart, self.apart_timer_s = False, timeout_s if self.apart_arms else 0
        return self.apart_timer_s

    async def part(self) -> None:
        await self._exchange("part", self.values[Quantity.INVERTER_POWER])
        self.apart, self.apart_fed_ms = self.apart_takes, self.clock.mono_ms()

    async def read_island(self) -> IslandBack:
        await asyncio.sleep(self.delay_s)
        if self.write_failure is not None:
            raise self.write_failure
        return IslandBack(self.is_apart(), self.apart_timer_s)

    async def rejoin(self) -> None:
        await self._exchange("rejoin", 0)
        self.apart, self.apart_timer_s = False, 0


CONNECTION = ("arm island", "part", "rejoin")


class MockMeter(MockDevice):
    """The grid's flow: what the house takes less what the battery gives."""

    def __init__(self, clock: VirtualClock, inverter: MockInverter, house_w: int = 1000) -> None:
        super().__init__("meter", clock, {Quantity.GRID_POWER: 0})
        self.inverter = inverter
        self.house_w = house_w

    def measure(self) -> tuple[int, ...]:
        return (self.house_w - self.inverter.power_now_w(),)


BMS = {
    Quantity.BATTERY_SOC: 5000,
    Quantity.BATTERY_VOLTAGE: 50_000,
    Quantity.BATTERY_TEMPERATURE: 2000,
    Quantity.CHARGE_LIMIT_CURRENT: 160_000,
    Quantity.DISCHARGE_LIMIT_CURRENT: 180_000,
}


class MemoryStore:
    """The store's functions on a database in memory: what is tested is control, not the disk.

    `failure` makes every call fail, `delay_s` makes each slow.
    """

    def __init__(self) -> None:
        self.conn = memory()
        self.failure = ""
        self.delay_s = 0.0

    async def call(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if self.failure:
            raise StoreError(self.failure)
        return fn(self.conn, *args, **kwargs)


def link_lost() -> LinkError:
    return LinkError("nobody answers")
