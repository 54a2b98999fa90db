"""One running rig: plant, device, wires and control put together, started and stopped.

Owns the order of start and stop, and the clock (the event loop's own, so a virtual-time loop works too).
"""

import asyncio
from asyncio import TaskGroup
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from rig.bms import PERIOD_MS, Bms
from rig.control import Control, ControlSocket
from rig.devices import make
from rig.server import CONNECTIONS_MAX, Pty, RtuServer, Served, TcpServer
from rig.slcan import Adapter

TICK_MS = 200  # how often the site is stepped when nobody asks


@dataclass(frozen=True, slots=True)
class Options:
    """What to run. `tcp` None: no listener, 0: any free port. `baud` 0: no pacing on the pty."""

    device: str = "sunspec"
    tcp: int | None = 0
    pty: bool = False
    baud: int = 0
    slcan: bool = False
    listen_s: int = 0
    connections: int = CONNECTIONS_MAX
    control: Path | None = None
    seed: int = 1
    speed: float = 1.0
    soc_bp: int = 5_000
    start_minute: int = 12 * 60


def loop_ms() -> int:
    """The event loop's clock in milliseconds."""
    return int(asyncio.get_running_loop().time() * 1000)


class Rig:
    """`async with Rig(options) as rig:` runs it. Ports and paths are in `where()`."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.bank = make(
            options.device,
            seed=options.seed,
            soc=options.soc_bp / 10_000,
            start_minute=options.start_minute,
            speed=options.speed,
        )
        self.plant = self.bank.plant
        self.served = Served(self.bank, loop_ms, random=self.plant.random)
        self.bms = Bms(self.plant, listen_s=options.listen_s)
        if options.slcan:
            self.bms.bind()
        self.stopping = asyncio.Event()
        self.control = Control(self.served, self.bms, self.stopping.set)
        self._tcp: TcpServer | None = None
        self._rtu: RtuServer | None = None
        self._can: Pty | None = None
        self._socket: ControlSocket | None = None
        self._adapter = Adapter(lambda identifier, _: self.bms.hear(identifier, loop_ms()))
        self._group = TaskGroup()
        self._tasks: list[asyncio.Task[None]] = []

    def where(self) -> dict[str, Any]:
        """How to reach it: what was asked for, and nothing else."""
        found: dict[str, Any] = {"device": self.options.device, "units": sorted(self.bank.units)}
        if self._tcp is not None:
            found["tcp"] = self._tcp.port
        if self._rtu is not None:
            found["pty"] = self._rtu.path
        if self._can is not None:
            found["slcan"] = self._can.path
        if self.options.control is not None:
            found["control"] = str(self.options.control)
        return found

    async def __aenter__(self) -> "Rig":
        await self._group.__aenter__()
        options = self.options
        self.plant.advance(loop_ms())
        if options.tcp is not None:
            self._tcp = TcpServer(self.served, port=options.tcp, connections_max=options.connections)
            await self._tcp.start()
        if options.pty:
            self._rtu = RtuServer(self.served, baud=options.baud)
            self._rtu.start()
            self._tasks.append(self._group.create_task(self._rtu.run()))
        if options.slcan:
            self._can = Pty(asyncio.get_running_loop(), self._from_host)
            self._tasks.append(self._group.create_task(self._speak()))
        if options.control is not None:
            self._socket = ControlSocket(self.control, options.control)
            await self._socket.start()
        self._tasks.append(self._group.create_task(self._tick()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        for wire in (self._tcp, self._socket):
            if wire is not None:
                await wire.stop()
        if isinstance(error, asyncio.CancelledError):
            await self._group.__aexit__(kind, error, trace)
        else:  # the body's own error leaves as it is, not in a group
            await self._group.__aexit__(None, None, None)
        if self._rtu is not None:
            self._rtu.stop()
        if self._can is not None:
            self._can.close()

    def _from_host(self, data: bytes) -> None:
        if self._can is not None and (answer := self._adapter.feed(data)):
            self._can.write(answer)

    async def _speak(self) -> None:
        while True:
            for identifier, data in self.bms.frames(loop_ms()):
                if self._can is not None and (text := self._adapter.frame(identifier, data)):
                    self._can.write(text)
            await asyncio.sleep(PERIOD_MS / 1000)

    async def _tick(self) -> None:
        while True:
            self.plant.advance(loop_ms())
            await asyncio.sleep(TICK_MS / 1000)
