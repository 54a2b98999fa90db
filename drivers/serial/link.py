"""One serial port and whose turn it is: a request, its answer, and silence before the next.

Owns the port: opens it when it is first used and again when it was lost. All devices on the wire share it,
one request at a time, whatever their addresses. Before each request the wire must have been silent: what
others said, and what came too late, is gone by then. After a request without an answer nobody asks until the
answer can no longer come: it says neither when nor to whom it was given. It refuses to judge bytes: the asker
does, and until it is satisfied or the time is over everything that comes is handed to it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from drivers.serial.url import SerialUrl
from drivers.serialport import SerialPort
from gateway.clock import Clock
from gateway.errors import ConfigError, LinkError

WRITE_S = 2.0  # the longest request takes 40 ms at 9600 baud
WAITING_MAX = 64  # devices on one wire have at most one request each; more is a fault
PAUSE_S = 0.1  # longer than the adapters' own delays: what was being said is said
LATE_MS = 500  # behind its deadline an answer may still come; slow boards need a tenth of it
SETTLE_MS = 100  # after opening: adapters that power up or switch direction make noise

T = TypeVar("T")


@dataclass(slots=True)
class Counters:
    """What happened on a link since it was made; for metrics and the status page."""

    requests: int = 0
    unanswered: int = 0
    unasked: int = 0  # bytes that came while nobody had asked: other masters, noise, late answers
    lost: int = 0  # times the port went away


class NoAnswer(LinkError):
    """Nothing that answers came before the deadline."""


class Wire(Protocol):
    """What a driver wants of its link: this one, one that is recorded, or a recording."""

    url: str

    def run_at(self, bauds: Sequence[int]) -> None: ...

    async def ask(
        self, data: bytes, take: Callable[[bytes], T | None], *, gap_ms: int, timeout_s: float, reply_max: int
    ) -> T: ...

    async def close(self) -> None: ...


class Inbox:
    """What has come since a request was sent. Its bytes are few: they are taken as they come."""

    def __init__(self) -> None:
        self.came = 0
        self._talking = False  # something came, and that it has stopped was not told yet
        self._bytes = bytearray()
        self._ended: LinkError | None = None
        self._wake: asyncio.Future[None] | None = None

    def put(self, data: bytes) -> None:
        self.came += len(data)
        self._bytes += data
        self._rouse()

    def end(self, error: LinkError) -> None:
        self._ended = error
        self._rouse()

    async def get(self) -> bytes:
        """What came; waits until something does. b"" once when nothing follows it for a while. LinkError when
        nothing more will come."""
        while not self._bytes:
            if self._ended is not None:
                raise self._ended
            self._wake = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(PAUSE_S if self._talking else None):
                    await self._wake
            except TimeoutError:
                self._talking = False
                return b""
        data = bytes(self._bytes)
        self._bytes.clear()
        self._talking = True
        return data

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


class SerialLink:
    """gateway.driver.Link of one port."""

    def __init__(self, where: SerialUrl, clock: Clock) -> None:
        self.url = where.url
        self.counters = Counters()
        self._where, self._clock = where, clock
        self._baud = where.baud
        self._port: SerialPort | None = None
        self._turn = asyncio.Lock()  # first come, first served
        self._waiting = 0
        self._heard_ms = 0  # when a byte last passed, ours included
        self._owed_ms = 0  # until when the answer to a request that was given up may come
        self._inbox: Inbox | None = None  # of who asks now
        self._closed = False

    def run_at(self, bauds: Sequence[int]) -> None:
        """What a device on this wire can be set to, its usual rate first. ConfigError when another cannot."""
        if self._baud is None:
            self._baud = bauds[0]
        elif self._baud not in bauds:
            known = ", ".join(map(str, bauds))
            raise ConfigError(
                f"link {self.url!r}: one device on it runs at {self._baud} baud, one at {known}"
            )

    async def ask(
        self, data: bytes, take: Callable[[bytes], T | None], *, gap_ms: int, timeout_s: float, reply_max: int
    ) -> T:
        """Send `data` and give what comes to `take` until it returns something; b"" when the wire pauses.
        LinkError when that does not happen in `timeout_s` and the time that a reply of `reply_max` bytes is
        under way, or the wire never falls silent."""
        if self._waiting >= WAITING_MAX:
            raise LinkError(f"{self.url}: {WAITING_MAX} requests already wait: poll slower or split the bus")
        self._waiting += 1
        try:
            async with self._turn:
                port = self._open()
                await self._silence(gap_ms, timeout_s)
                return await self._exchange(port, data, take, timeout_s, reply_max)
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        self._closed = True
        if self._port is not None:
            self._port.close()
            self._lost(f"{self.url}: the link is closed")

    def _open(self) -> SerialPort:
        if self._closed:
            raise LinkError(f"{self.url}: the link is closed")
        if self._port is None:
            where = self._where
            assert self._baud is not None, "nobody said at which rate"
            self._port = SerialPort.open(
                self.url, where.path, self._on_bytes, self._on_lost,
                baud=self._baud, parity=where.parity, stop=where.stop,
            )  # fmt: skip
            self._heard_ms = self._clock.mono_ms() + SETTLE_MS
        return self._port

    async def _silence(self, gap_ms: int, timeout_s: float) -> None:
        """Until the wire has been silent for `gap_ms`; what passes meanwhile is nobody's."""
        owed_ms = max(0, self._owed_ms - self._clock.mono_ms())
        await asyncio.sleep(owed_ms / 1000)
        until_ms = self._clock.mono_ms() + SETTLE_MS + gap_ms + round(timeout_s * 1000)
        while (wait_ms := self._heard_ms + gap_ms - self._clock.mono_ms()) > 0:
            if self._clock.mono_ms() >= until_ms:
                raise LinkError(
                    f"{self.url}: never silent for {gap_ms} ms: another master, or noise on the wire"
                )
            await asyncio.sleep(wait_ms / 1000)

    async def _exchange(
        self,
        port: SerialPort,
        data: bytes,
        take: Callable[[bytes], T | None],
        timeout_s: float,
        reply_max: int,
    ) -> T:
        self._inbox = inbox = Inbox()
        answered = False
        self.counters.requests += 1
        assert self._baud is not None
        char_ms = self._where.char_ms(self._baud)
        try:
            await port.write(data, WRITE_S)
            self._heard_ms = self._clock.mono_ms() + round(len(data) * char_ms)
            async with asyncio.timeout(timeout_s + (len(data) + reply_max) * char_ms / 1000):
                while (taken := take(await inbox.get())) is None:
                    pass
                answered = True
                return taken
        except TimeoutError:
            self.counters.unanswered += 1
            what = f"{inbox.came} bytes came, but no answer in them" if inbox.came else "no answer"
            raise NoAnswer(f"{self.url}: {what} within {timeout_s:g} s") from None
        finally:
            self._inbox = None
            if not answered:
                self._owed_ms = self._clock.mono_ms() + LATE_MS

    def _on_bytes(self, data: bytes) -> None:
        self._heard_ms = max(self._heard_ms, self._clock.mono_ms())
        if self._inbox is not None:
            self._inbox.put(data)
        else:
            self.counters.unasked += len(data)

    def _on_lost(self, message: str) -> None:
        self.counters.lost += 1
        self._lost(message)

    def _lost(self, message: str) -> None:
        self._port = None
        if self._inbox is not None:
            self._inbox.end(LinkError(message))
