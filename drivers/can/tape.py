"""CAN frames on a tape: told as the driver takes them, and played to it in that order.

A frame is an event {can, data} with the id and the bytes in hex, and `extended` where its id has 29 bits;
one that we sent is {sent, data}. Nothing waits while a tape plays: where no frame came before the next
sample, the listener says at once that time has passed. It refuses to send.
"""

from collections.abc import Callable
from typing import Any, Self

from drivers.can.bus import CanLink, Counters
from drivers.can.codec import Table
from gateway.driver import CanFrame
from gateway.errors import FrameError, LinkError
from gateway.tape import Event, Tap, Tape

INSTEAD = ord("X")


class TappedListener:
    """A Listener (drivers.can.bus) that tells each frame when it is taken."""

    def __init__(self, inner: Any, tap: Tap) -> None:
        self._inner, self._tap = inner, tap

    @property
    def at_ms(self) -> int:
        at_ms: int = self._inner.at_ms
        return at_ms

    @property
    def pending(self) -> bool:
        return bool(self._inner.pending)

    def __aiter__(self) -> Self:
        return self

    async def open(self) -> None:
        await self._inner.open()

    async def __anext__(self) -> CanFrame:
        frame: CanFrame = await anext(self._inner)
        if self._tap.listening:
            self._tap.put(self._inner.at_ms, {"can": f"{frame.id:x}", **_said(frame)})
        return frame

    def close(self) -> None:
        self._inner.close()


class TappedLink:
    """A CanLink around another, which tells what one device's driver hears and sends."""

    def __init__(self, link: CanLink, tap: Tap) -> None:
        self.url = link.url
        self._link, self._tap = link, tap

    @property
    def counters(self) -> Counters:
        return self._link.counters

    def listen(self, ids: frozenset[int]) -> TappedListener:
        return TappedListener(self._link.listen(ids), self._tap)

    async def send(self, frame: CanFrame) -> None:
        await self._link.send(frame)
        if self._tap.listening:
            self._tap.tell(sent=f"{frame.id:x}", **_said(frame))

    async def close(self) -> None:
        await self._link.close()


def _said(frame: CanFrame) -> Event:
    return {"data": frame.data.hex()} | ({"extended": True} if frame.extended else {})


class TapeListener:
    """What a driver hears of a tape."""

    def __init__(self, tape: Tape, ids: frozenset[int], counters: Counters) -> None:
        self._tape, self._ids, self._counters = tape, ids, counters
        self.at_ms = 0

    @property
    def pending(self) -> bool:
        """A frame comes before the next sample: in the recording it was taken first."""
        event = self._tape.peek()
        while event is not None and "sent" in event:
            self._tape.next()
            event = self._tape.peek()
        return event is not None and "can" in event

    def __aiter__(self) -> Self:
        return self

    async def open(self) -> None:
        """It is."""

    async def __anext__(self) -> CanFrame:
        if self.pending:
            return self._take()
        event = self._tape.peek()
        if event is None or "connect" in event:
            raise LinkError("the capture ends here")
        self._tape.reach(max(event["ms"], self._tape.mono_ms + 1))  # to the sample; and past it, bit by bit
        raise TimeoutError

    def _take(self) -> CanFrame:
        event = self._tape.next()
        self.at_ms = event["ms"]
        self._counters.received += 1
        return frame_of(event)

    def close(self) -> None:
        """Nothing hangs on it."""


class TapeLink:
    """A CanLink that plays a tape."""

    url = "replay://can"

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self.counters = Counters()

    def listen(self, ids: frozenset[int]) -> TapeListener:
        return TapeListener(self._tape, ids, self.counters)

    async def send(self, frame: CanFrame) -> None:
        """There is nobody."""

    async def close(self) -> None:
        """Nothing hangs on it."""


def frame_of(event: Event) -> CanFrame:
    """The frame of an event. FrameError when it is none."""
    try:
        return CanFrame(int(event["can"], 16), bytes.fromhex(event["data"]), bool(event.get("extended")))
    except (TypeError, ValueError, KeyError):
        raise FrameError("the capture holds what is no frame") from None


def masker(table: Table) -> Callable[[Event], Event]:
    """Frames by the profile's own words: an X for each byte of a serial number."""

    def mask(event: Event) -> Event:
        if "can" not in event:
            return event
        frame = frame_of(event)
        spec = table.frames.get((frame.id, frame.extended))
        data = bytearray(frame.data)
        for text in spec.texts if spec else ():
            if text.key == "serial":
                for i in range(text.start, min(text.end, len(data))):
                    data[i] = INSTEAD if data[i] else 0
        return {**event, "data": data.hex()}

    return mask
