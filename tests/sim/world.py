"""One mocked site in virtual time: state, device tasks, control, store in memory.

    play(script)      # async def script(world): ...

What it proves is control and the device task, not a driver: those are tested on the rig.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gateway.control import Control
from gateway.device import DeviceTask
from gateway.islanding import Islands
from gateway.model import Command, CommandState, Delivery, ServiceKind, SetpointSpec, Source
from gateway.services import complete
from gateway.site import Site
from gateway.state import SiteState
from gateway.store import commands
from gateway.support import Support
from tests.sim import loop
from tests.sim.loop import VirtualClock
from tests.sim.mocks import BMS, SPEC, MemoryStore, MockDevice, MockInverter, MockMeter, site


class World:
    """`start` and `stop` are a daemon's start and its SIGTERM; `crash` is kill -9."""

    def __init__(
        self,
        clock: VirtualClock,
        *,
        at: Site | None = None,
        spec: SetpointSpec = SPEC,
        house_w: int = 1000,
        inverter: type[MockInverter] = MockInverter,
    ) -> None:
        self.clock = clock
        self.site = at or site()
        self.inverter = inverter(clock, spec)
        self.bms = MockDevice("bms", clock, BMS)
        self.meter = MockMeter(clock, self.inverter, house_w)
        self.store = MemoryStore()
        self.deliveries: list[Delivery] = []
        self.fed: list[tuple[int, bool]] = []
        self._number = 0
        self._group: asyncio.TaskGroup | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.build()

    def build(self) -> None:
        self.state = SiteState(self.site, self.clock)
        mocks = {"inverter": self.inverter, "bms": self.bms, "meter": self.meter}
        self.devices = {
            d.name: DeviceTask(
                d,
                mocks[d.name],
                self.clock,
                lambda: 0.5,
                on_points=self.state.declare,
                on_sample=self.state.put,
            )
            for d in self.site.devices
        }
        hands = [task.hand for task in self.devices.values() if task.hand is not None]
        self.control = Control(
            self.site,
            self.state,
            self.clock,
            hands,
            self.store,
            support=Support({name: task.reactive for name, task in self.devices.items() if task.reactive}),
            islands=Islands(
                {n: task.connection for n, task in self.devices.items() if task.connection}
                if self.site.islanding
                else {}
            ),
            on_delivery=self.deliveries.append,
            on_cycle=lambda good: self.fed.append((self.clock.mono_ms(), good)),
        )

    def start(self) -> None:
        works = [*(task.run for task in self.devices.values()), self.control.run]
        self._tasks = [self._group.create_task(work()) for work in works]

    async def stop(self) -> bool:
        taken = await self.control.fallback()
        await self.crash()
        return taken

    async def crash(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def restart(self) -> None:
        await self.crash()
        self.build()
        self.start()

    def order(
        self,
        power_w: int = 0,
        seconds: float = 60,
        *,
        source: Source = Source.OPERATOR,
        kind: ServiceKind = ServiceKind.FIXED_POWER,
        after_s: float = 0,
        parameters: Mapping[str, int] | None = None,
    ) -> Command:
        self._number += 1
        wall_ms = self.clock.now().wall_ms + int(after_s * 1000)
        asked = {"power_w": power_w} if kind is ServiceKind.FIXED_POWER else dict(parameters or {})
        given = complete(kind, asked)
        command_id = f"{self.clock.mono_ms():032x}{self._number:032x}"
        return Command(command_id, source, kind, wall_ms, wall_ms + int(seconds * 1000), given)

    async def give(self, power_w: int = 0, seconds: float = 60, **more: Any) -> Command:
        """Submit an order that must be admitted."""
        command = self.order(power_w, seconds, **more)
        verdict = await self.control.submit(command)
        assert verdict.admitted, verdict.reason
        return command

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def stored(self, command: Command) -> commands.Order | None:
        return commands.get(self.store.conn, command.id)

    def state_of(self, command: Command) -> CommandState:
        return self.stored(command).state

    @property
    def status(self) -> Any:
        return self.control.status

    async def run(self, script: Callable[["World"], Awaitable[None]]) -> None:
        async with asyncio.TaskGroup() as self._group:
            self.start()
            try:
                await script(self)
            finally:
                await self.crash()


def play(script: Callable[[World], Awaitable[None]], *, started_s: float = 3, **how: Any) -> World:
    """A site that has been up for `started_s`, then the script. Returns the world for its traces."""

    async def main(clock: VirtualClock) -> World:
        world = World(clock, **how)

        async def settled(w: World) -> None:
            await asyncio.sleep(started_s)
            await script(w)

        try:
            await world.run(settled)
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        return world

    return loop.run(main)
