"""Finds a device again that went to another address, by its serial number, where site.yaml agrees to it.

One search at a time, one connection at a time, with pauses: a network of the site is never scanned the way a
person does it. Who answers is asked for the serial number and for nothing else; nothing is ever written. The
one that says it has its link moved there, in memory; where it was found is stored as a hint, which is only
tried. It refuses to look while a fault or a stop is latched, and to disturb a device that is well.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from gateway.addresses import literal
from gateway.clock import Clock
from gateway.control import Control
from gateway.device import DeviceTask
from gateway.driver import Link, Movable, Named
from gateway.errors import LinkError
from gateway.search import Search
from gateway.site import Device
from gateway.store import Store, cursors
from gateway.wiring import Wiring

LOOK_S = 2.0
KNOCK_S = 1.0
PAUSE_S = 0.5  # between two addresses
ASK_S = 15.0  # to be told a serial number, with whatever pause its link wants after connecting
PREFIX = "found/"  # of the store's names


@dataclass(frozen=True, slots=True)
class Sought:
    """A device that may be looked for, and the state of its search."""

    device: Device
    task: DeviceTask
    link: Movable
    search: Search


class Refind:
    """`tasks` by device; `random` gives [0, 1)."""

    def __init__(
        self,
        tasks: Mapping[str, DeviceTask],
        wiring: Wiring,
        clock: Clock,
        random: Callable[[], float],
        store: Store,
        control: Control,
    ) -> None:
        self._tasks, self._wiring, self._clock = tasks, wiring, clock
        self._store, self._control = store, control
        self._sought = [self._make(task, random) for task in tasks.values() if task.device.find]

    @property
    def parts(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What to keep running, by name: nothing where a stranger would not be known as one."""
        return {"search": self.run} if any(task.device.serial for task in self._tasks.values()) else {}

    def _make(self, task: DeviceTask, random: Callable[[], float]) -> Sought:
        link = self._wiring.link(task.device.name)
        assert isinstance(link, Movable)  # the configuration was checked
        home = self._wiring.mover(task.device.link).target(task.device.link)[0]
        return Sought(task.device, task, link, Search(home, task.device.find, random))

    async def run(self) -> None:
        """Until cancelled."""
        for one in self._sought:
            hint = await self._store.call(partial(cursors.get_text, name=PREFIX + one.device.name))
            one.search.remember(hint)
        while True:
            await asyncio.sleep(LOOK_S)
            await self._let_go()
            for one in self._sought:
                await self._look(one)

    async def _let_go(self) -> None:
        """Many devices take one connection: that to a stranger may be what keeps a search, or its own master,
        from it."""
        for name, task in self._tasks.items():
            link = self._wiring.link(name)
            alone = not any(near.health.online for near in self._sharing(link))
            if task.health.stranger and alone and isinstance(link, Movable):
                await link.hang_up()

    async def _look(self, one: Sought) -> None:
        now_ms, health = self._clock.mono_ms(), one.task.health
        if health.online:
            one.search.back()
        elif self._may(one) and one.search.due(now_ms, now_ms - health.since_ms, stranger=health.stranger):
            await self._round(one)

    def _may(self, one: Sought) -> bool:
        """Whether this is the moment: control has no other trouble, and nobody else lives on its link."""
        status = self._control.status
        well = any(task.health.online for task in self._sharing(one.link))
        return not (status.fault or status.stop or well)

    def _sharing(self, link: Link) -> list[DeviceTask]:
        """Whose link it is."""
        return [task for name, task in self._tasks.items() if self._wiring.link(name) is link]

    async def _round(self, one: Sought) -> None:
        mover = self._wiring.mover(one.device.link)
        for host in one.search.whom(mover.target(one.task.device.link)[0], self._taken(one)):
            if not self._may(one):
                return  # it came back, or there is something else to worry about: looked at again soon
            url = mover.elsewhere(one.device.link, host)
            if host not in self._taken(one) and await self._is(one, url):
                await self._move(one, host, url)
                return
            await asyncio.sleep(PAUSE_S)
        one.search.missed(self._clock.mono_ms())

    def _taken(self, one: Sought) -> frozenset[str]:
        """Where other devices of the site are, and well."""
        near = self._sharing(one.link)
        return frozenset(
            host
            for name, task in self._tasks.items()
            if task.health.online and task not in near
            for host in self._hosts(name, task)
        )

    def _hosts(self, name: str, task: DeviceTask) -> set[str]:
        link = self._wiring.link(name)
        peer = link.peer if isinstance(link, Movable) else ""
        return {peer, urlsplit(task.device.link).hostname or ""}

    async def _is(self, one: Sought, url: str) -> bool:
        """Whether the device answers there. An address that takes no connection is not asked; what a name
        leads to, the link finds out."""
        host, port = self._wiring.mover(url).target(url)
        if literal(host) and not await knock(host, port):
            return False
        try:
            async with asyncio.timeout(ASK_S), self._wiring.apart(one.device, url) as driver:
                return isinstance(driver, Named) and await driver.serial_number() == one.device.serial
        except (LinkError, TimeoutError):
            return False

    async def _move(self, one: Sought, host: str, url: str) -> None:
        """What was believed of the old place ends here; each device on the link says anew who it is."""
        await one.link.move(url)
        for task in self._sharing(one.link):
            task.moved(url)
        one.search.found(self._clock.mono_ms(), host)
        name, hint = PREFIX + one.device.name, one.search.hint
        await self._store.call(partial(cursors.put, name=name, number=0, text=hint))


async def knock(host: str, port: int) -> bool:
    """Whether somebody takes a connection there; it is closed at once."""
    try:
        async with asyncio.timeout(KNOCK_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True
