"""One battery with Bluetooth whose frames we know: asks, waits, and makes a sample of what came back.

Owns the session: the assembler of frames and which way to write. Everything happens inside `connect` and
`read`, so there is no task to lose. It refuses to hand out anything old: a sample is made only of frames
that came after it was asked for, and a device that says nothing, or only the beginning of something, is a
LinkError, not its last values.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from drivers.ble.link import Counters
from drivers.ble.table import BleTable, Gatt
from drivers.bms.family import Assembler, Family, Frame, Request, Values
from drivers.bms.values import complete, names
from gateway.clock import Clock
from gateway.errors import DeviceRefused, FrameError, LinkError
from gateway.model import Point, Points, Sample
from gateway.site import Device

ADDRESS = 0  # there is one device at the other end
REPLY_MS = 2_000  # a module that sleeps needs a second, one that is awake a tenth
ATTEMPTS = 2  # the first request after a pause is what wakes some of them
GAP_MS = 700  # within a frame: pieces come 10 to 100 ms apart
RENEW_MS = 60_000  # of a device that streams: its settings, which somebody may change in its app
OPTIONAL_MISSES_MAX = 2  # then it is not asked again until the next connection

T = TypeVar("T")


class Wire(Protocol):
    """What the driver needs of its connection: a drivers.ble.link.BleLink, or a tape of one."""

    @property
    def counters(self) -> Counters: ...

    def claim(self, owner: str) -> None: ...

    async def open(self, gatt: Gatt, *, other_way: bool = False) -> None: ...

    async def send(self, data: bytes) -> None: ...

    async def receive(self) -> tuple[bytes, int]: ...

    def forget(self) -> object: ...

    async def close(self) -> None: ...


class BleDriver:
    """A Driver (gateway.driver). Not commanded: a BMS takes no setpoints."""

    pushed = False

    def __init__(
        self, device: Device, table: BleTable, family: Family, gatt: Gatt, link: Wire, clock: Clock
    ) -> None:
        link.claim(device.name)
        self._device, self._table, self._family, self._gatt = device, table, family, gatt
        self._link, self._clock = link, clock
        self.points: Points = tuple(Point(device.name, name) for name in names(family))
        self._assembler: Assembler | None = None
        self._other_way = False
        self._misses: dict[str, int] = {}  # of optional requests
        self._kept: dict[str, tuple[Values, int]] = {}  # of this session, and when it was asked for
        self._piece_ms = 0  # when the last piece came
        self._reply_ms = max(device.timeout_ms, REPLY_MS)
        self._dropped = 0  # frames whose content could not be believed, and those of ended sessions

    @property
    def dropped(self) -> int:
        """Frames that could not be believed."""
        return self._dropped + (self._assembler.dropped if self._assembler else 0)

    async def connect(self) -> Mapping[str, str]:
        """Reach the device and have it answer everything once. One that takes requests and says nothing may
        want them written the other way: the next attempt does so."""
        self._end_session()
        await self._link.open(self._gatt, other_way=self._other_way)
        self._assembler = self._family.assembler()
        before = self._link.counters.received
        since_ms = self._clock.now().mono_ms
        said: dict[str, str] = {}
        try:
            for request in self._family.introduction(ADDRESS):
                said.update(await self._ask(request, self._family.texts) or {})
            for request in self._family.requests(ADDRESS):
                await self._told(request, since_ms)
        except LinkError:
            if self._link.counters.received == before:
                self._other_way = not self._other_way
            await self.close()
            raise
        return {"vendor": self._table.vendor, **{key: text for key, text in said.items() if text}}

    async def read(self) -> Sample:
        """What the device tells now. LinkError when it does not."""
        if self._assembler is None:
            raise LinkError(f"{self._device.name}: not connected")
        stamp = self._clock.now()  # before it is asked: an age is never understated
        told: Values = {}
        for request in self._family.requests(ADDRESS):
            told.update(await self._told(request, stamp.mono_ms))
        values, qualities = complete(self._family, told, self._table.allowance, negate=self._table.negate)
        return Sample(self._device.name, stamp, self.points, values, qualities)

    def refresh(self) -> None:
        """The next poll asks for everything, and also again for what was not answered."""
        self._kept.clear()
        self._misses.clear()

    async def close(self) -> None:
        self._end_session()
        await self._link.close()

    async def _told(self, request: Request, since_ms: int) -> Values:
        """What the device says, since then, in answer to one request of a poll. One that streams is only
        listened to; what it does not repeat, its settings, is asked for now and then."""
        streams = self._table.streams
        if request.name in streams:
            heard = await self._answer(request, self._family.decode, since_ms)
            if heard is not None:
                return heard
        elif streams and request.name in self._kept:
            kept, asked_ms = self._kept[request.name]
            if since_ms - asked_ms < RENEW_MS:
                return kept
        told = await self._ask(request, self._family.decode) or {}
        self._kept[request.name] = told, since_ms
        return told

    async def _ask(self, request: Request, read: Callable[[int, bytes], T]) -> T | None:
        """What `read` makes of the answer. None when an optional request is not answered."""
        if self._misses.get(request.name, 0) >= OPTIONAL_MISSES_MAX:
            return None
        for _ in range(1 if request.optional else ATTEMPTS):
            self._link.forget()
            self._session.reset()
            asked_ms = self._clock.mono_ms()
            await self._link.send(request.data)
            answer = await self._answer(request, read, asked_ms)
            if answer is not None:
                self._misses.pop(request.name, None)
                return answer
        if request.optional:
            self._misses[request.name] = self._misses.get(request.name, 0) + 1
            return None
        raise LinkError(
            f"{self._device.name}: no answer to {request.name} in {ATTEMPTS} x {self._reply_ms} ms"
        )

    async def _answer(self, request: Request, read: Callable[[int, bytes], T], since_ms: int) -> T | None:
        """The first answer that came since then, waited for as long as one may take."""
        end_ms = self._clock.mono_ms() + self._reply_ms
        while True:
            try:
                async with asyncio.timeout(max(0, end_ms - self._clock.mono_ms()) / 1000):
                    data, at_ms = await self._link.receive()
            except TimeoutError:
                return None
            for frame in self._frames(data, at_ms):
                if at_ms >= since_ms and request.answered_by(frame, ADDRESS):
                    answer = self._believed(request, frame, read)
                    if answer is not None:
                        return answer

    def _frames(self, data: bytes, at_ms: int) -> list[Frame]:
        """What this piece completes. After a gap it does not belong to what came before."""
        if at_ms - self._piece_ms > GAP_MS:
            self._session.reset()
        self._piece_ms = at_ms
        return self._session.feed(data)

    def _believed(self, request: Request, frame: Frame, read: Callable[[int, bytes], T]) -> T | None:
        if frame.refused and request.optional:
            return None
        if frame.refused:
            raise DeviceRefused(
                f"{self._device.name}: refuses {request.name} ({frame.refused})", frame.refused
            )
        try:
            return read(request.kind, frame.data)
        except FrameError:
            self._dropped += 1
            return None

    @property
    def _session(self) -> Assembler:
        if self._assembler is None:
            raise LinkError(f"{self._device.name}: not connected")
        return self._assembler

    def _end_session(self) -> None:
        self._dropped += self._assembler.dropped if self._assembler else 0
        self._assembler, self._piece_ms = None, 0
        self._misses.clear()
        self._kept.clear()
