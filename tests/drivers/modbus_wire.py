"""Byte-level Modbus peers for tests: they send exactly what the test says, on a socket or a pty."""

import asyncio
import os
import select
import tty
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from pymodbus.framer import FramerRTU

CLOSE = object()  # in a script: drop the connection
Step = bytes | float | object  # bytes to send, seconds to wait, or CLOSE
Script = Callable[[bytes], list[Step]]  # request -> what to do


def rtu(unit: int, pdu: bytes) -> bytes:
    body = bytes([unit]) + pdu
    return body + FramerRTU.compute_CRC(body).to_bytes(2, "big")


def mbap(request: bytes, pdu: bytes, *, unit: int | None = None, tid: int | None = None) -> bytes:
    """A TCP frame that answers `request` with `pdu`."""
    head = request[:2] if tid is None else tid.to_bytes(2, "big")
    dev = request[6:7] if unit is None else bytes([unit])
    return head + b"\0\0" + (len(pdu) + 1).to_bytes(2, "big") + dev + pdu


def registers(function: int, *values: int) -> bytes:
    """The PDU of a read reply."""
    return bytes([function, 2 * len(values)]) + b"".join(v.to_bytes(2, "big") for v in values)


@dataclass
class Wire:
    """What a peer saw, and where it is."""

    url: str
    requests: list[bytes] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)
    connections: int = 0
    send: Callable[[bytes], None] = lambda _: None  # unasked bytes (pty only)
    hang_up: Callable[[], None] = lambda: None  # the adapter is pulled out (pty only)


async def _play(steps: list[Step], send: Callable[[bytes], None]) -> bool:
    for step in steps:
        if step is CLOSE:
            return False
        if isinstance(step, bytes):
            send(step)
        else:
            await asyncio.sleep(float(step))  # type: ignore[arg-type]
    return True


def _length(buffer: bytes, framed: bool) -> int:
    """Bytes of the first request in the buffer, 0 when it is not whole."""
    if framed:
        return 0 if len(buffer) < 6 else int.from_bytes(buffer[4:6], "big") + 6
    if len(buffer) < 8:
        return 0
    return 8 if buffer[1] in (1, 2, 3, 4, 5, 6) else 9 + buffer[6]


async def _serve(
    wire: Wire,
    read: Callable[[], Awaitable[bytes]],
    send: Callable[[bytes], None],
    script: Script,
    framed: bool,
) -> None:
    buffer = b""
    while data := await read():
        buffer += data
        while (n := _length(buffer, framed)) and len(buffer) >= n:
            request, buffer = buffer[:n], buffer[n:]
            wire.requests.append(request)
            wire.at_s.append(asyncio.get_running_loop().time())
            if not await _play(script(request), send):
                return


@asynccontextmanager
async def tcp_wire(
    script: Script, *, scheme: str = "tcp", query: str = "", greeting: bytes = b""
) -> AsyncIterator[Wire]:
    """A scripted server on loopback; `rtutcp` speaks RTU frames. `greeting` is sent on connecting."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire.connections += 1
        tasks.add(asyncio.current_task())
        writer.write(greeting)
        try:
            await _serve(wire, lambda: reader.read(4096), writer.write, script, scheme == "tcp")
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    tasks: set[asyncio.Task | None] = set()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    wire = Wire(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}{query}")
    try:
        yield wire
    finally:
        server.close()
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.sleep(0.01)


@asynccontextmanager
async def pty_wire(script: Script, *, query: str = "") -> AsyncIterator[Wire]:
    """A scripted RTU device at the other end of a pty."""
    near, far = os.openpty()
    tty.setraw(near)
    tty.setraw(far)
    os.set_blocking(near, False)
    wire = Wire(f"rtu://{os.ttyname(far)}{query}")

    def unasked(data: bytes) -> None:
        _write(near, data)
        assert select.select([far], [], [], 1)[
            0
        ]  # until it lies in the kernel, unread: the loop stands still

    wire.send = unasked
    chunks: asyncio.Queue[bytes] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def readable() -> None:
        with suppress(OSError):  # nothing there after all
            chunks.put_nowait(os.read(near, 4096))

    def hang_up() -> None:
        if loop.remove_reader(near):
            os.close(near)

    wire.hang_up = hang_up
    loop.add_reader(near, readable)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_serve(wire, chunks.get, lambda data: _write(near, data), script, False))
        try:
            yield wire
        finally:
            task.cancel()
            hang_up()
            os.close(far)


def _write(fd: int, data: bytes) -> None:
    assert os.write(fd, data) == len(data)
