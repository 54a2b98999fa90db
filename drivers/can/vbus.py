"""A CAN bus inside the process, for tests and the simulated site.

All links of one name hear each other, in the order of sending; a link does not hear itself. The bus can
be unplugged and plugged in again. It refuses nothing a real bus would take, and has no bit rate.
"""

from weakref import WeakValueDictionary

from drivers.can.bus import Counters, Hub, Listener
from drivers.can.url import CanUrl
from gateway.clock import Clock
from gateway.driver import CanFrame
from gateway.errors import LinkError


class VirtualBus:
    """The wire. Links come and go; it lives as long as one of them does."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.plugged = True
        self.links: dict[VbusLink, None] = {}

    def unplug(self) -> None:
        """The wire is cut: everybody listening ends in LinkError, nobody can send."""
        self.plugged = False
        for link in self.links:
            link.hub.lose(f"virtual bus {self.name} is unplugged")

    def plug(self) -> None:
        self.plugged = True


# The one table of a process: "same name, same bus" is what makes it a bus. Weak, so it empties itself.
_BUSES: WeakValueDictionary[str, VirtualBus] = WeakValueDictionary()


def bus(name: str) -> VirtualBus:
    """The bus of this name, made when nobody has it yet. Keep the result as long as it is needed."""
    found = _BUSES.get(name)
    if found is None:
        found = _BUSES[name] = VirtualBus(name)
    return found


class VbusLink:
    """A FrameLink (gateway.driver) on a VirtualBus."""

    def __init__(self, where: CanUrl, clock: Clock) -> None:
        self.url = where.url
        self.hub = Hub(clock)
        self._bus = bus(where.place)
        self._bus.links[self] = None

    @property
    def counters(self) -> Counters:
        return self.hub.counters

    def listen(self, ids: frozenset[int]) -> Listener:
        return self.hub.listen(ids, self._open)

    async def send(self, frame: CanFrame) -> None:
        await self._open()
        self.hub.counters.sent += 1
        for link in tuple(self._bus.links):
            if link is not self:
                link.hub.deliver(frame)

    async def close(self) -> None:
        if self._bus.links.pop(self, self) is None:
            self.hub.lose(f"{self.url}: the link is closed")

    async def _open(self) -> None:
        if self not in self._bus.links:
            raise LinkError(f"{self.url}: the link is closed")
        if not self._bus.plugged:
            raise LinkError(f"virtual bus {self._bus.name} is unplugged")
