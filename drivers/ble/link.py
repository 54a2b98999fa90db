"""The connection to one Bluetooth device: requests out in pieces, notifications in, in order.

Owns the client of bleak, what was notified and not yet taken, and the two characteristics. It never
retries, and refuses three things: to keep more than BUFFER_MAX bytes that nobody takes, to wait for a
device or a Bluetooth daemon without an end (also while closing), and to say anything after the device went.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from drivers.ble.adapter import Adapter
from drivers.ble.radio import trouble, within
from drivers.ble.table import Gatt, Write
from drivers.ble.url import BleUrl
from gateway.clock import Clock
from gateway.errors import ConfigError, LinkError

if TYPE_CHECKING:
    from bleak import BleakClient
    from bleak.backends.characteristic import BleakGATTCharacteristic
    from bleak.backends.device import BLEDevice

CONNECT_S = 25.0  # with the discovery of services, which old modules take 10 s for
NOTIFY_S = 5.0
WRITE_S = 3.0
CLOSE_S = 5.0
BUFFER_MAX = 8192  # bytes: the longest set of frames, several times
PIECE_MIN, PIECE_MAX = 20, 244  # bytes of a write: what every connection takes, and the most one packet does

_NOTIFIES = frozenset({"notify", "indicate"})
_TAKES = frozenset({"write", "write-without-response"})

T = TypeVar("T")


@dataclass(slots=True)
class Counters:
    """What happened on a link since it was made; for metrics and the status page."""

    connected: int = 0
    lost: int = 0  # times the device went by itself
    received: int = 0  # notifications
    sent: int = 0  # writes
    overflowed: int = 0  # notifications dropped because nobody took them
    stuck: int = 0  # connections that did not close properly


class BleLink:
    """A gateway.driver.Link of one device."""

    def __init__(self, where: BleUrl, adapter: Adapter, clock: Clock) -> None:
        self.url = where.url
        self.address = where.address
        self.counters = Counters()
        self._adapter, self._clock = adapter, clock
        self._owner = ""
        self._client: BleakClient | None = None
        self._lost = False  # by itself; the client is still to be closed
        self._to: BleakGATTCharacteristic | None = None
        self._response = False
        self._heard: deque[tuple[bytes, int]] = deque()
        self._size = 0  # bytes in it
        self._waiter: asyncio.Future[None] | None = None

    def claim(self, owner: str) -> None:
        """A Bluetooth connection belongs to one device. ConfigError for a second."""
        if self._owner not in ("", owner):
            raise ConfigError(f"{self.url} is the link of {self._owner}; {owner} needs an address of its own")
        self._owner = owner

    async def reach(
        self, services: frozenset[str], connect: "Callable[[BLEDevice], Awaitable[T]]", limit_s: float
    ) -> T:
        """Find the device and connect to it, with the adapter to itself."""
        async with (
            self._adapter.reached(self.address, services) as device,
            within(limit_s, f"{self.url}: no connection"),
        ):
            with trouble(self.url):
                return await connect(device)

    async def open(self, gatt: Gatt, *, other_way: bool = False) -> None:
        """Connect and listen. `other_way`: write with a response where it would be without, and the reverse,
        as far as the device can; some say the wrong thing about themselves."""
        try:
            client = await self._connected(frozenset({gatt.service}))
            with trouble(self.url):  # it may have gone again: then there are no services to look through
                notify, self._to = self._characteristics(client, gatt)
            self._response = _with_response(self._to, gatt.write, other_way)
            async with within(NOTIFY_S, f"{self.url}: notifications did not begin"):
                with trouble(self.url):
                    await client.start_notify(notify, lambda _from, data: self._take(client, data))
        except BaseException:
            await self.close()
            raise
        self.counters.connected += 1

    async def characteristics(self) -> "list[BleakGATTCharacteristic]":
        """Connect and say what there is to talk to, whatever it is."""
        client = await self._connected(frozenset())
        with trouble(self.url):
            return [one for service in client.services for one in service.characteristics]

    async def send(self, data: bytes) -> None:
        """Write a request, in pieces of what the connection carries at once."""
        client, to = self._client, self._to
        if client is None or to is None:
            raise LinkError(f"{self.url}: not connected")
        self._check()
        size = max(PIECE_MIN, min(to.max_write_without_response_size, PIECE_MAX))
        for start in range(0, len(data), size):
            async with within(WRITE_S, f"{self.url}: a write was not taken"):
                with trouble(self.url):
                    await client.write_gatt_char(to, data[start : start + size], response=self._response)
            self.counters.sent += 1

    async def receive(self) -> tuple[bytes, int]:
        """The next notification and when it came, waited for without a limit: that is the caller's.
        LinkError when the device went."""
        self._check()
        while not self._heard:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
            self._check()
        data, at_ms = self._heard.popleft()
        self._size -= len(data)
        return data, at_ms

    @property
    def pending(self) -> bool:
        return bool(self._heard)

    def forget(self) -> list[tuple[bytes, int]]:
        """Drop what was notified so far, and return it: it is not the answer to what is asked next."""
        dropped = list(self._heard)
        self._heard.clear()
        self._size = 0
        return dropped

    async def close(self) -> None:
        """Disconnect. Never raises and never hangs: what does not close is counted and left."""
        client, self._client, self._to = self._client, None, None
        self.forget()
        self._wake()
        if client is None:
            return
        try:
            async with within(CLOSE_S, f"{self.url}: did not close"):
                with trouble(self.url):
                    await client.disconnect()
        except LinkError:
            self.counters.stuck += 1

    async def _connected(self, services: frozenset[str]) -> "BleakClient":
        await self.close()

        async def connect(device: "BLEDevice") -> "BleakClient":
            client = self._adapter.radio.client(device, lambda: self._gone(client))
            self._client, self._lost = client, False
            await client.connect()
            return client

        return await self.reach(services, connect, CONNECT_S)

    def _check(self) -> None:
        if self._lost or self._client is None:
            raise LinkError(f"{self.url}: the connection ended")

    def _gone(self, client: "BleakClient") -> None:
        """bleak's word that a connection ended, by itself or by us; an old one's does not matter."""
        if client is self._client:
            self._lost = True
            self.counters.lost += 1
            self._wake()

    def _take(self, client: "BleakClient", data: bytearray) -> None:
        """A notification. One that did not close properly may go on being told: of no use to the next."""
        if client is not self._client:
            return
        self.counters.received += 1
        self._heard.append((bytes(data), self._clock.mono_ms()))
        self._size += len(data)
        while self._size > BUFFER_MAX:  # the newest is what counts
            self._size -= len(self._heard.popleft()[0])
            self.counters.overflowed += 1
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _characteristics(
        self, client: "BleakClient", gatt: Gatt
    ) -> "tuple[BleakGATTCharacteristic, BleakGATTCharacteristic]":
        """The one that notifies and the one to write to. Some modules have two of one name, of which each can
        one thing."""
        notify = to = None
        for service in client.services:
            for one in service.characteristics if service.uuid == gatt.service else ():
                if one.uuid == gatt.notify and notify is None and _NOTIFIES & set(one.properties):
                    notify = one
                if one.uuid == gatt.to and to is None and _TAKES & set(one.properties):
                    to = one
        if notify is None or to is None:
            lacking = gatt.notify if notify is None else gatt.to
            raise LinkError(f"{self.url}: has no characteristic {lacking[4:8]} as this profile needs it")
        return notify, to


def _with_response(to: "BleakGATTCharacteristic", write: Write, other_way: bool) -> bool:
    """By the profile's wish and by what the characteristic says it can."""
    can = _TAKES & set(to.properties)
    if len(can) == 1 and not other_way:
        return can == {"write"}
    wished = write is not Write.NO_RESPONSE if write is not Write.AUTO else "write" in can
    return wished != other_way
