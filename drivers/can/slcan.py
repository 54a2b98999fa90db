"""FrameLink over a serial CAN adapter that speaks Lawicel commands (slcan).

Sets the bit rate of an adapter on a SerialPort, opens the channel, and closes it again. Frames that
the adapter kept from before are thrown away, because nobody knows how old they are, and an adapter that
was silent is set up anew for whoever listens next. It refuses to guess at damaged lines (see lawicel) and
to go on when the adapter says no to the bit rate.
"""

import asyncio
from contextlib import suppress

from drivers.can.bus import Counters, Hub, Listener
from drivers.can.lawicel import CR, Lines, encode
from drivers.can.url import BITRATES, CanUrl
from drivers.serialport import SerialPort
from gateway.clock import Clock
from gateway.driver import CanFrame
from gateway.errors import LinkError

DISCARD_S = 0.1  # after closing the channel: what was under way arrives and is dropped
OPEN_S = 0.5  # for the adapter's two answers; some never answer, and then frames are the proof
WRITE_S = 0.5  # one line is 3 ms at 115,200 baud
DRAIN_S = 0.05  # for the last command to leave
OPEN_COMMANDS = 2  # bit rate, open
SILENT_MS = 5_000  # without a frame: every battery sends each second, so the channel may well be closed


class SlcanLink:
    """A FrameLink (gateway.driver)."""

    def __init__(self, where: CanUrl, clock: Clock) -> None:
        self.url = where.url
        self._where = where
        self._hub = Hub(clock)
        self._lines = Lines()
        self._port: SerialPort | None = None
        self._lock = asyncio.Lock()  # opening and writing: a line goes out whole
        self._live = False  # the channel is open: what arrives is of now
        self._answered: asyncio.Future[None] | None = None
        self._closed = False

    @property
    def counters(self) -> Counters:
        return self._hub.counters

    def listen(self, ids: frozenset[int]) -> Listener:
        """Hear these ids from now on. An adapter that has restarted, or whose controller went bus-off, says
        nothing of it and stays silent with its port open: then all start afresh."""
        if self._live and self._hub.silent_ms >= SILENT_MS:
            self._live = False  # the port stays open: opening it restarts many, and they miss what is said
            self._hub.lose(f"{self.url}: nothing heard for {SILENT_MS // 1000} s")
        return self._hub.listen(ids, self._open)

    async def send(self, frame: CanFrame) -> None:
        await self._open()
        async with self._lock:
            await self._write(encode(frame))
        self._hub.counters.sent += 1

    async def close(self) -> None:
        self._closed = True
        if self._port is not None:
            try:
                self._port.write_now(b"C" + CR)
                await asyncio.sleep(DRAIN_S)
            finally:
                self._lose(f"{self.url}: the link is closed")

    async def _open(self) -> None:
        async with self._lock:
            if self._live:
                return
            if self._closed:
                raise LinkError(f"{self.url}: the link is closed")
            try:
                await self._start()
            finally:
                if not self._live:
                    self._drop()

    def _open_port(self) -> None:
        self._port = SerialPort.open(
            self.url, self._where.place, self._take, self._lose, baud=self._where.baud
        )

    async def _start(self) -> None:
        if self._port is None:
            self._open_port()
        await self._write(CR + b"C" + CR)
        await asyncio.sleep(DISCARD_S)
        self._lines = Lines()
        self._answered = asyncio.get_running_loop().create_future()
        await self._write(BITRATES[self._where.bitrate or 0] + CR + b"O" + CR)
        with suppress(TimeoutError):
            async with asyncio.timeout(OPEN_S):
                await self._answered
        if self._lines.refused:
            raise LinkError(f"{self.url}: the adapter refuses {self._where.bitrate} bit/s")
        if self._port is None:
            raise LinkError(f"{self.url}: the adapter went away")
        self._live = True
        self._hub.opened()

    async def _write(self, data: bytes) -> None:
        if self._port is None:
            raise LinkError(f"{self.url}: the adapter went away")
        await self._port.write(data, WRITE_S)

    def _take(self, data: bytes) -> None:
        lines, counters = self._lines, self._hub.counters
        malformed, refused = lines.malformed, lines.refused
        frames = lines.feed(data)
        if self._answered and not self._answered.done():
            if frames or lines.refused or lines.accepted >= OPEN_COMMANDS:
                _settle(self._answered)
        elif not self._live:
            return
        counters.malformed += lines.malformed - malformed
        counters.errors += lines.refused - refused
        for frame in frames:
            self._hub.deliver(frame)

    def _lose(self, message: str) -> None:
        self._drop()
        self._hub.lose(message)

    def _drop(self) -> None:
        self._live = False
        port, self._port = self._port, None
        if port is not None:
            port.close()
        _settle(self._answered)


def _settle(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
