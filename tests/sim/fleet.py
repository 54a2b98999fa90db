"""Two batteries at one mocked site in virtual time, and the sum of what they were told at every write.

play(script)      # async def script(site: Fleet): ...
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gateway.control import Control
from gateway.device import DeviceTask
from gateway.model import Command, Delivery, Quantity, ServiceKind, SetpointSpec, Source
from gateway.services import complete
from gateway.site import Device, SiteLimits
from gateway.state import SiteState
from tests.sim import loop
from tests.sim.loop import VirtualClock
from tests.sim.mocks import BMS, SPEC, MemoryStore, MockDevice, MockInverter, site

LIMITS = SiteLimits(12_000, 12_000, 30_000, 30_000, 4_000)
A, B = "inverter", "second"


class Meter(MockDevice):
    """A mock of the grid meter: the house less both batteries."""

    def __init__(self, clock: VirtualClock, inverters: list[MockInverter], house_w: int) -> None:
        super().__init__("meter", clock, {Quantity.GRID_POWER: 0})
        self.inverters, self.house_w = inverters, house_w

    def measure(self) -> tuple[int, ...]:
        return (self.house_w - sum(inverter.power_now_w() for inverter in self.inverters),)


class Fleet:
    """`inverters` and `bms` by name of the inverter. `sums` is the site's power, as told, after every write:
    (ms, W); an inverter whose own timer has ended counts as told nothing."""

    def __init__(
        self,
        clock: VirtualClock,
        spec: SetpointSpec = SPEC,
        limits: SiteLimits = LIMITS,
        soc_bp: tuple[int, int] = (5000, 5000),
        contact: bool = False,
    ) -> None:
        self.clock = clock
        self.inverters = {A: MockInverter(clock, spec), B: MockInverter(clock, spec)}
        self.inverters[B].name = B
        self.bms = {A: MockDevice("bms", clock, BMS), B: MockDevice("bms2", clock, BMS)}
        for bms, soc in zip(self.bms.values(), soc_bp, strict=True):
            bms.values |= {Quantity.BATTERY_CAPACITY: 20_000, Quantity.BATTERY_SOC: soc}
            bms.quality[Quantity.BATTERY_CAPACITY] = bms.quality[Quantity.BATTERY_SOC]
        self.meter = Meter(clock, list(self.inverters.values()), 1000)
        self.devices = {d.name: d for d in (*self.inverters.values(), *self.bms.values(), self.meter)}
        self.pins = MockDevice("pins", clock, {Quantity.EMERGENCY_STOP: 0})
        if contact:
            self.devices["pins"] = self.pins
        roles = {A: "inverter", B: "inverter", "bms": "battery", "bms2": "battery", "meter": "meter"}
        roles |= {"pins": "relay"} if contact else {}
        self.site = site(
            limits,
            devices=tuple(
                Device(
                    n,
                    "mock",
                    "mock",
                    role,
                    f"mock://{n}",
                    None,
                    contact=n == "pins",
                    of={"bms": A, "bms2": B}.get(n, ""),
                )
                for n, role in roles.items()
            ),
            batteries=(frozenset({A, "bms"}), frozenset({B, "bms2"})),
        )
        self.store = MemoryStore()
        self.deliveries: list[Delivery] = []
        self.sums: list[tuple[int, int]] = []
        self._number = 0
        for inverter in self.inverters.values():
            inverter.refuses = self._noted(inverter)
        self.state = SiteState(self.site, clock)
        self.tasks = {
            d.name: DeviceTask(
                d, self.devices[d.name], clock, lambda: 0.5,
                on_points=self.state.declare, on_sample=self.state.put,
            )
            for d in self.site.devices
        }  # fmt: skip
        hands = [task.hand for task in self.tasks.values() if task.hand is not None]
        self.control = Control(
            self.site, self.state, clock, hands, self.store, on_delivery=self.deliveries.append
        )

    def _noted(self, told: MockInverter) -> Callable[[int], bool]:
        def note(power_w: int) -> bool:
            others = sum(i.register_w for i in self.inverters.values() if i is not told and self._holds(i))
            self.sums.append((self.clock.mono_ms(), power_w + others))
            return False

        return note

    def _holds(self, inverter: MockInverter) -> bool:
        inverter.power_now_w()  # lets its own timer end
        return inverter.active

    async def give(self, power_w: int = 0, seconds: float = 60, **more: Any) -> Command:
        command = self.order(power_w, seconds, **more)
        verdict = await self.control.submit(command)
        assert verdict.admitted, verdict.reason
        return command

    def order(
        self,
        power_w: int,
        seconds: float,
        *,
        source: Source = Source.OPERATOR,
        kind: ServiceKind = ServiceKind.FIXED_POWER,
        shared: bool = False,
        origin: str = "",
        parameters: Mapping[str, int] | None = None,
    ) -> Command:
        self._number += 1
        now = self.clock.now().wall_ms
        given = complete(kind, parameters if parameters is not None else {"power_w": power_w})
        end = now + int(seconds * 1000)
        return Command(f"{self._number:064x}", source, kind, now, end, given, origin, shared)

    def told(self) -> dict[str, int]:
        """What each inverter holds now."""
        return {n: i.register_w if self._holds(i) else 0 for n, i in self.inverters.items()}

    def cycles(self) -> list[tuple[int, int]]:
        """`sums` as they were at the end of each second: writes of one cycle come one after the other."""
        return list({at_ms // 1000: (at_ms, power_w) for at_ms, power_w in self.sums}.values())

    async def run(self, script: Callable[["Fleet"], Awaitable[None]]) -> None:
        async with asyncio.TaskGroup() as group:
            works = [*(task.run for task in self.tasks.values()), self.control.run]
            tasks = [group.create_task(work()) for work in works]
            await asyncio.sleep(3)
            try:
                await script(self)
            finally:
                for task in tasks:
                    task.cancel()


def play(
    script: Callable[[Fleet], Awaitable[None]], *, before: Callable[[Fleet], None] | None = None, **how: Any
) -> Fleet:
    """A site that has been up for some seconds, then the script. `before` is done before anything starts."""

    async def main(clock: VirtualClock) -> Fleet:
        fleet = Fleet(clock, **how)
        if before:
            before(fleet)
        try:
            await fleet.run(script)
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        return fleet

    return loop.run(main)
