"""The wires: a Modbus TCP listener and an RTU line on a pty, serving one bank, faults included.

Owns sockets, the pty and pacing; requests of one connection are answered in order, each at the moment it
arrived, and a late answer does not hold up the next one. It refuses more connections than its limit by
closing them.
"""

import asyncio
import os
import tty
from asyncio import AbstractEventLoop, StreamReader, StreamWriter, TaskGroup
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from rig.bank import Bank
from rig.faults import Faults, Piece, serve
from rig.modbus import Request, RtuFraming, TcpFraming

READ_BYTES = 4096
CONNECTIONS_MAX = 16
ACCEPT_TURNS = 5  # of the loop, for a connection just accepted to reach its handler
CHARACTER_BITS = 11  # start, 8 data, parity or second stop, stop
FRAME_GAP_MS = 50  # a begun request is given up after this pause; 3.5 characters do not survive a scheduler
PACE_BYTES = 4  # written at once when pacing: finer would only measure the scheduler
PTY_QUEUE_MAX = 64  # requests waiting on the line; a master that has more outstanding is not one

Clock = Callable[[], int]


@dataclass(slots=True)
class Served:
    """What every wire of one device shares."""

    bank: Bank
    now_ms: Clock
    faults: Faults = field(default_factory=Faults)
    random: Random = field(default_factory=lambda: Random(1))
    requests: int = 0

    def pieces(self, framing: TcpFraming | RtuFraming, request: Request) -> list[Piece]:
        self.requests += 1
        return serve(self.bank, self.faults, framing, request, self.now_ms(), self.random)


class TcpServer:
    """Modbus TCP on 127.0.0.1. `port` is known after `start`."""

    def __init__(self, served: Served, *, port: int = 0, connections_max: int = CONNECTIONS_MAX) -> None:
        self._served, self._wanted_port, self._most = served, port, connections_max
        self._server: asyncio.Server | None = None
        self._open: set[StreamWriter] = set()

    @property
    def port(self) -> int:
        if self._server is None:
            raise RuntimeError("the server was not started")
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", self._wanted_port)

    async def stop(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is None:
            return
        self._server.close()
        for _ in range(ACCEPT_TURNS):
            await asyncio.sleep(0)
        while self._open:  # each handler ends on its aborted transport
            for writer in list(self._open):
                writer.transport.abort()
            await asyncio.sleep(0.001)
        await self._server.wait_closed()

    async def _connection(self, reader: StreamReader, writer: StreamWriter) -> None:
        if len(self._open) >= self._most:
            writer.transport.abort()
            return
        self._open.add(writer)
        try:
            await self._converse(reader, writer)
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _converse(self, reader: StreamReader, writer: StreamWriter) -> None:
        framing = TcpFraming()
        try:
            while data := await reader.read(READ_BYTES):
                for request in framing.feed(data):
                    for piece in self._served.pieces(framing, request):
                        if piece.data is None:
                            writer.transport.abort()
                            return
                        _send(writer, piece.data, piece.delay_ms)
        except (ConnectionError, ValueError):
            return  # the peer left, or does not speak Modbus TCP


def _send(writer: StreamWriter, data: bytes, delay_ms: int) -> None:
    def write() -> None:
        if not writer.is_closing():
            writer.write(data)

    if delay_ms:  # after the requests that come in the meantime have been answered
        asyncio.get_running_loop().call_later(delay_ms / 1000, write)
    else:
        write()


class Pty:
    """A pseudo terminal of our own: `path` for the peer, raw, with callbacks for what it writes.

    Our copy of the peer's end stays open, so that clients may come and go.
    """

    def __init__(self, loop: AbstractEventLoop, received: Callable[[bytes], None]) -> None:
        self._loop, self._received = loop, received
        self._master, self._peer = os.openpty()
        tty.setraw(self._master)
        tty.setraw(self._peer)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._peer)
        loop.add_reader(self._master, self._readable)

    def _readable(self) -> None:
        try:
            data = os.read(self._master, READ_BYTES)
        except (BlockingIOError, OSError):
            return
        self._received(data)

    def write(self, data: bytes) -> None:
        """What the kernel's buffer does not take is lost, as on a real line without a listener."""
        try:
            os.write(self._master, data)
        except BlockingIOError:
            return

    def close(self) -> None:
        self._loop.remove_reader(self._master)
        os.close(self._master)
        os.close(self._peer)


class RtuServer:
    """Modbus RTU on a pty. `baud` paces what we send and answers after 3.5 characters; 0: at once."""

    def __init__(self, served: Served, *, baud: int = 0) -> None:
        self._served, self._baud = served, baud
        self._framing = RtuFraming()
        self._waiting: asyncio.Queue[Request] = asyncio.Queue(PTY_QUEUE_MAX)
        self._pty: Pty | None = None
        self._gap: asyncio.TimerHandle | None = None

    @property
    def path(self) -> str:
        if self._pty is None:
            raise RuntimeError("the server was not started")
        return self._pty.path

    def start(self) -> None:
        self._pty = Pty(asyncio.get_running_loop(), self._received)

    def _received(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        if self._gap is not None:
            self._gap.cancel()
        for request in self._framing.feed(data):
            if request.unit in self._served.bank.units and not self._waiting.full():
                self._waiting.put_nowait(request)
        self._gap = loop.call_later(FRAME_GAP_MS / 1000, self._framing.silence)

    async def run(self) -> None:
        """Answer until cancelled. Units that do not exist are silent, as on a real line."""
        async with TaskGroup() as late:
            while True:
                request = await self._waiting.get()
                for piece in self._served.pieces(self._framing, request):
                    if piece.data is None:
                        continue  # a line has no connection to reset
                    if piece.delay_ms:
                        late.create_task(self._late(piece.data, piece.delay_ms))
                    else:
                        await self._send(piece.data)

    async def _late(self, data: bytes, delay_ms: int) -> None:
        await asyncio.sleep(delay_ms / 1000)
        await self._send(data)

    async def _send(self, data: bytes) -> None:
        if self._pty is None:
            return
        if not self._baud:
            self._pty.write(data)
            return
        await asyncio.sleep(3.5 * CHARACTER_BITS / self._baud)
        for start in range(0, len(data), PACE_BYTES):
            part = data[start : start + PACE_BYTES]
            await asyncio.sleep(len(part) * CHARACTER_BITS / self._baud)
            self._pty.write(part)

    def stop(self) -> None:
        if self._gap is not None:
            self._gap.cancel()
        if self._pty is not None:
            self._pty.close()
            self._pty = None
