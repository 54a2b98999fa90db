"""Devices of a site on their links: one link object a URL, one driver a device.

Used by the daemon and by the verbs that talk to a device once. Opens nothing: links connect when used.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, replace
from functools import partial
from types import TracebackType
from typing import Any

from gateway.clock import Clock
from gateway.driver import Counted, Driver, Dropping, Link, Moving, Plugin
from gateway.errors import ConfigError
from gateway.site import Device
from gateway.standing import Guarding, Standing
from gateway.tape import Recordable, Tap, TapClock, Unrecordable


class Wiring:
    """Links shared by URL. `async with` closes whatever was opened. `taps`, by device, tell what passes on
    its wire; a link that cannot be recorded has none. `standings`, by device, say whom its link leads to."""

    def __init__(self, plugins: dict[str, Plugin], clock: Clock) -> None:
        self._plugins = plugins
        self._clock = clock
        self.taps: dict[str, Tap] = {}
        self.standings: dict[str, Standing] = {}
        self._links: dict[str, Link] = {}
        self._drivers: dict[str, tuple[str, Driver]] = {}  # by device: the URL of its link, and its driver
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Wiring":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def driver(self, device: Device) -> Driver:
        """The driver of `device`, on the link that its neighbours on the same wire use too."""
        link: Any = self._links.get(device.link) or self._open(device.link)
        clock, opener = self._clock, self._opener(device.link)
        standing = self.standings[device.name] = Standing()
        if isinstance(link, Counted):
            standing.connects = partial(_connects, link)
        if device.serial and isinstance(opener, Guarding):
            link = opener.guarded(link, standing)
        if isinstance(opener, Recordable):
            tap = self.taps[device.name] = Tap(clock)
            link, clock = opener.tapped(link, tap), TapClock(clock, tap)
        driver = self._plugins[device.kind].driver(device, device.profile, link, clock)
        if isinstance(driver, Unrecordable):
            self.taps.pop(device.name, None)
        self._drivers[device.name] = device.link, driver
        self._stack.push_async_callback(driver.close)  # runs before the link's own close
        return driver

    def untapped(self, device: Device) -> str:
        """Why a device that was made has no tap."""
        driver = self.made(device.name)
        if isinstance(driver, Unrecordable):
            return f"{device.name}: {driver.unrecordable}"
        return f"{device.name}: what passes on a {device.kind} link cannot be recorded yet"

    def link(self, name: str) -> Link:
        """The link of a device, made before."""
        return self._links[self._drivers[name][0]]

    def mover(self, url: str) -> Moving:
        """Who knows where a link leads and can lead it elsewhere. ConfigError when nobody does."""
        opener = self._opener(url)
        if not isinstance(opener, Moving):
            raise ConfigError(f"{url!r} leads to no host")
        return opener

    @asynccontextmanager
    async def apart(self, device: Device, url: str) -> AsyncIterator[Driver]:
        """A driver of the same device at `url`, on a link of its own that ends with it. It cannot command."""
        link = self._opener(url).open_link(url, self._clock)
        there = replace(device, link=url, control=False)
        try:
            yield self._plugins[device.kind].driver(there, device.profile, link, self._clock)
        finally:
            await link.close()

    def made(self, name: str) -> Driver:
        """The driver of a device, made before."""
        return self._drivers[name][1]

    def drivers(self, devices: Iterable[Device]) -> dict[str, Driver]:
        return {device.name: self.driver(device) for device in devices}

    def counters(self) -> dict[str, Mapping[str, int]]:
        """What links and drivers counted, by device; a link that several share is told with the first."""
        found: dict[str, Mapping[str, int]] = {}
        told: set[str] = set()
        for name, (url, driver) in self._drivers.items():
            dropped = {"dropped": driver.dropped} if isinstance(driver, Dropping) else {}
            link = self._links[url]
            found[name] = (
                asdict(link.counters) if isinstance(link, Counted) and url not in told else {}
            ) | dropped
            told.add(url)
        return found

    def _opener(self, url: str) -> Plugin:
        scheme = url.partition("://")[0]
        for plugin in self._plugins.values():
            if scheme in plugin.link_schemes:
                return plugin
        raise ConfigError(f"no installed driver can open {url!r}")

    def _open(self, url: str) -> Link:
        link = self._links[url] = self._opener(url).open_link(url, self._clock)
        self._stack.push_async_callback(link.close)
        return link


def _connects(link: Counted) -> int:
    connects: int = getattr(link.counters, "connects", 0)
    return connects
