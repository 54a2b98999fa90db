"""One Bluetooth adapter and whoever wants it: one scan at a time, and never a scan while somebody connects.

Owns the turn, and what the last scans saw. All links of one adapter share it: a scan that somebody else
began looks for everyone who waits, so that ten absent batteries cost one scan and not ten. It refuses to
let anybody wait for the turn for ever, and to connect to what was seen too long ago.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from drivers.ble.radio import Radio, within
from gateway.clock import Clock
from gateway.errors import LinkError

if TYPE_CHECKING:
    from bleak.backends.device import BLEDevice

SCAN_S = 12.0  # batteries advertise each 0.1 to 2 s, sleeping ones each 10 s
SCAN_EDGE_S = 5.0  # to begin and to end a scan
FRESH_MS = 20_000  # BlueZ forgets a device 30 s after the scan that saw it
TURN_S = 60.0  # a scan and the slowest connection, of each of two before us


class Adapter:
    """Used from one event loop."""

    def __init__(self, radio: Radio, clock: Clock) -> None:
        self.radio = radio
        self._clock = clock
        self._turn = asyncio.Lock()
        self._wanted: dict[str, int] = {}  # addresses sought now, and by how many
        self._seen: dict[str, tuple[BLEDevice, int]] = {}  # only of wanted addresses
        self._missed: dict[str, int] = {}  # when the last whole scan without it began

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Have the adapter: nobody scans and nobody connects meanwhile."""
        try:
            async with asyncio.timeout(TURN_S):
                await self._turn.acquire()
        except TimeoutError:
            raise LinkError(f"{self.radio.name}: others kept it busy for {TURN_S:g} s") from None
        try:
            yield
        finally:
            self._turn.release()

    @asynccontextmanager
    async def reached(self, address: str, services: frozenset[str]) -> AsyncIterator["BLEDevice"]:
        """The device, found, with the adapter to connect to it alone. LinkError when nobody hears it."""
        asked_ms = self._clock.mono_ms()
        self._wanted[address] = self._wanted.get(address, 0) + 1
        try:
            async with self.alone():
                yield await self._find(address, services, asked_ms)
        finally:
            self._wanted[address] -= 1
            if not self._wanted[address]:
                del self._wanted[address]
                self._missed.pop(address, None)
                self._seen.pop(address, None)  # connected now, or not to be trusted

    async def _find(self, address: str, services: frozenset[str], asked_ms: int) -> "BLEDevice":
        device, seen_ms = self._seen.get(address, (None, 0))
        if device is not None and self._clock.mono_ms() - seen_ms < FRESH_MS:
            return device
        self._seen.pop(address, None)
        if self._missed.get(address, asked_ms - 1) >= asked_ms:
            raise self._unseen(address)
        async with within(SCAN_S + SCAN_EDGE_S, f"{self.radio.name}: a scan did not end"):
            held = await self.radio.connected(address, services)
            if held is not None:
                return held
            await self._scan(address)
        if address not in self._seen:
            raise self._unseen(address)
        return self._seen[address][0]

    async def _scan(self, address: str) -> None:
        began_ms = self._clock.mono_ms()

        def notice(heard: str, device: "BLEDevice") -> bool:
            if heard in self._wanted:
                self._seen[heard] = device, self._clock.mono_ms()
            return heard == address

        if not await self.radio.scan(notice, SCAN_S):
            self._missed.update((other, began_ms) for other in self._wanted if other not in self._seen)

    def _unseen(self, address: str) -> LinkError:
        return LinkError(
            f"{address} was not heard by {self.radio.name} in {SCAN_S:g} s: out of reach, switched off, or "
            "connected to somebody else (a telephone with the maker's app)"
        )


# The one table of a process: an adapter has one owner. Weak, so it empties itself.
_ADAPTERS: WeakValueDictionary[str, Adapter] = WeakValueDictionary()


def shared(name: str, clock: Clock) -> Adapter:
    """The adapter of this name, made when nobody has it yet."""
    found = _ADAPTERS.get(name)
    if found is None:
        found = _ADAPTERS[name] = Adapter(Radio(name), clock)
    return found
