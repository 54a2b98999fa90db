"""What passes between a Bluetooth battery and its driver, on a tape: told as it passes, and played again.

What was written is {write}, a notification {heard}, told when the driver takes it with the time at which
it came, both in hex; {unheard} is one that nobody took before the next request. {silence}: the driver waited
long enough for the next. {link} tells up, lost, closed, and none where it could not be opened. It refuses to
make up an answer: what was not asked while it was recorded is a LinkError.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from drivers.ble.driver import GAP_MS
from drivers.ble.link import Counters
from drivers.ble.table import BleTable, Gatt
from drivers.bms.families import FAMILIES
from drivers.bms.family import NO_SECRETS
from drivers.bms.masking import Masker
from gateway.errors import ConfigError, LinkError
from gateway.tape import Event, Tap, Tape

if TYPE_CHECKING:
    from drivers.ble.link import BleLink

APART = frozenset({"write", "link", "refresh", "connect"})  # a frame does not go on beyond these


class TappedLink:
    """A Wire (drivers.ble.driver) around a BleLink, which tells what passes."""

    def __init__(self, link: "BleLink", tap: Tap) -> None:
        self.url, self.counters = link.url, link.counters
        self.claim, self.reach = link.claim, link.reach
        self._link, self._tap = link, tap

    async def open(self, gatt: Gatt, *, other_way: bool = False) -> None:
        try:
            await self._link.open(gatt, other_way=other_way)
        except LinkError as error:
            self._tell(link="none", failed=str(error))
            raise
        self._tell(link="up")

    async def send(self, data: bytes) -> None:
        try:
            await self._link.send(data)
        except LinkError as error:
            self._tell(write=data.hex(), failed=str(error))
            raise
        self._tell(write=data.hex())

    async def receive(self) -> tuple[bytes, int]:
        try:
            data, at_ms = await self._link.receive()
        except asyncio.CancelledError:  # by the limit of who waits
            self._tell(silence=True)
            raise
        except LinkError as error:
            self._tell(link="lost", failed=str(error))
            raise
        if self._tap.listening:
            self._tap.put(at_ms, {"heard": data.hex()})
        return data, at_ms

    def forget(self) -> None:
        passed = self._link.forget()
        if self._tap.listening:
            for data, at_ms in passed:
                self._tap.put(at_ms, {"unheard": data.hex()})

    async def close(self) -> None:
        self.forget()
        await self._link.close()
        self._tell(link="closed")

    def _tell(self, **event: Any) -> None:
        if self._tap.listening:
            self._tap.tell(**event)


class TapeLink:
    """A Wire that plays a tape."""

    url = "replay://ble"

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self.counters = Counters()

    def claim(self, _owner: str) -> None:
        """It is whose tape it is."""

    async def open(self, _gatt: Gatt, *, other_way: bool = False) -> None:
        event = self._tape.seek(lambda e: e.get("link") in ("up", "none"))
        if event is None:
            raise LinkError("not connected to while this was recorded")
        if event["link"] == "none":
            raise LinkError(f"no connection: {event.get('failed', 'not said why')}")

    async def send(self, data: bytes) -> None:
        wanted = data.hex()
        event = self._tape.seek(lambda e: e.get("write") == wanted)
        if event is None:
            raise LinkError(f"{wanted}: not asked while this was recorded")
        if "failed" in event:
            raise LinkError(f"{wanted}: {event['failed']}")

    async def receive(self) -> tuple[bytes, int]:
        """The next notification. TimeoutError where the driver had waited in vain: its limit passed."""
        while self._next_is("unheard"):
            self._tape.next()
        if self._next_is("heard"):
            event = self._tape.next()
            self.counters.received += 1
            return _hex(event["heard"]), int(event["ms"])
        if self._next_is("silence"):
            self._tape.next()
            raise TimeoutError
        event = self._tape.peek() or {}
        raise LinkError(str(event.get("failed", "no more was heard here while this was recorded")))

    def forget(self) -> None:
        """What nobody took is passed over with the next request."""

    async def close(self) -> None:
        """Nothing hangs on it."""

    def _next_is(self, kind: str) -> bool:
        event: Event | None = self._tape.peek()
        return event is not None and kind in event


def _hex(text: object) -> bytes:
    try:
        return bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        return b""


def masker(table: BleTable) -> Callable[[Event], Event]:
    """Frames by what their family calls secret. ConfigError where that is not known."""
    family = FAMILIES.get(table.family)
    if family is None or family.secrets is None:
        raise ConfigError(f"where {table.family} says its serial number is not known: no --mask")
    if family.secrets is NO_SECRETS:
        return lambda event: event
    stream, last_ms = Masker(family, family.secrets), 0

    def mask(event: Event) -> Event:
        nonlocal last_ms
        kind = next((kind for kind in ("heard", "unheard") if kind in event), "")
        if event.keys() & APART or (kind and event["ms"] - last_ms > GAP_MS):
            stream.reset()
        if not kind:
            return event
        last_ms = event["ms"]
        return {**event, kind: stream.mask(_hex(event[kind])).hex()}

    return mask
