"""The rig without wires, for virtual time: a RegisterLink, a CoilLink and a BMS on any bus object.

The one file of the rig that knows the gateway, and of it only the protocols and errors. Requests pass
through the same bytes, faults and checks as on a socket; time is the injected clock and asyncio.sleep. It
refuses threads and sockets, so the same seed and the same calls give the same trace.
"""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Protocol

from gateway.driver import CanFrame, FrameLink
from gateway.errors import DeviceRefused, FrameError, LinkError
from rig.bank import Bank
from rig.bms import KEEP_ALIVE, PERIOD_MS, Bms
from rig.faults import Faults, Piece, serve
from rig.modbus import (
    BIT_TABLES,
    COIL_VALUES,
    MBAP,
    TABLES,
    WRITE_COIL,
    WRITE_MANY,
    WRITE_ONE,
    Request,
    TcpFraming,
)
from rig.relay_board import RelayBoard

LATENCY_MS = 5  # of a healthy answer: a device on the same switch
FUNCTIONS = {table: function for function, table in (TABLES | BIT_TABLES).items()}
COIL = {on: value for value, on in COIL_VALUES.items()}
TIMED_OUT = "no answer within {:.1f} s"


class MonoClock(Protocol):
    """The part of gateway.clock.Clock that is needed."""

    def mono_ms(self) -> int: ...


class InProcessLink:
    """A RegisterLink and CoilLink (gateway.driver) straight into a bank. `faults` may change at any time."""

    def __init__(
        self,
        bank: Bank | RelayBoard,
        clock: MonoClock,
        *,
        url: str = "rig://",
        faults: Faults | None = None,
        seed: int = 1,
    ) -> None:
        self.url = url
        self.bank, self.faults = bank, faults or Faults()
        self.closed = False
        self._clock, self._random = clock, Random(seed)
        self._turn = asyncio.Lock()
        self._tag = 0

    async def read(self, unit: int, table: str, address: int, count: int, *, timeout_s: float) -> bytes:
        """Registers as sent, 2 * count bytes."""
        pdu = bytes((FUNCTIONS[table],)) + address.to_bytes(2) + count.to_bytes(2)
        reply = await self._exchange(unit, pdu, timeout_s)
        if reply[1:2] != bytes((2 * count,)) or len(reply) != 2 + 2 * count:
            raise FrameError(
                f"{self.url}: unit {unit} answered with {len(reply) - 2} bytes for {count} registers"
            )
        return reply[2:]

    async def write(
        self, unit: int, address: int, registers: Sequence[int], *, timeout_s: float, single: bool = False
    ) -> None:
        """Write and check the echo."""
        values = b"".join(register.to_bytes(2) for register in registers)
        if single:
            pdu = echo = bytes((WRITE_ONE,)) + address.to_bytes(2) + values
        else:
            echo = bytes((WRITE_MANY,)) + address.to_bytes(2) + len(registers).to_bytes(2)
            pdu = echo + bytes((len(values),)) + values
        if await self._exchange(unit, pdu, timeout_s) != echo:
            raise FrameError(f"{self.url}: unit {unit} echoed another write than the one at {address}")

    async def read_bits(
        self, unit: int, table: str, address: int, count: int, *, timeout_s: float
    ) -> tuple[bool, ...]:
        """Coils or discrete inputs."""
        pdu = bytes((FUNCTIONS[table],)) + address.to_bytes(2) + count.to_bytes(2)
        reply, size = await self._exchange(unit, pdu, timeout_s), (count + 7) // 8
        if reply[1:2] != bytes((size,)) or len(reply) != 2 + size:
            raise FrameError(f"{self.url}: unit {unit} answered with {len(reply) - 2} bytes for {count} bits")
        return tuple(bool(reply[2 + n // 8] >> n % 8 & 1) for n in range(count))

    async def write_coil(self, unit: int, address: int, on: bool, *, timeout_s: float) -> None:
        """Write one and check the echo."""
        pdu = bytes((WRITE_COIL,)) + address.to_bytes(2) + COIL[on]
        if await self._exchange(unit, pdu, timeout_s) != pdu:
            raise FrameError(f"{self.url}: unit {unit} echoed another write than the coil at {address}")

    async def close(self) -> None:
        self.closed = True

    async def _exchange(self, unit: int, pdu: bytes, timeout_s: float) -> bytes:
        if self.closed:
            raise LinkError(f"{self.url} is closed")
        async with self._turn:  # one request at a time, as on any wire
            self._tag = (self._tag + 1) & 0xFFFF
            request = Request(unit, pdu, self._tag)
            now_ms = self._clock.mono_ms()
            pieces = serve(self.bank, self.faults, TcpFraming(), request, now_ms, self._random)
            return self._believe(request, await self._arrived(pieces, timeout_s))

    async def _arrived(self, pieces: list[Piece], timeout_s: float) -> bytes:
        if not pieces or pieces[0].delay_ms > timeout_s * 1000:
            await asyncio.sleep(timeout_s)
            raise LinkError(f"{self.url}: {TIMED_OUT.format(timeout_s)}")
        await asyncio.sleep((pieces[0].delay_ms + LATENCY_MS) / 1000)
        if pieces[0].data is None:
            raise LinkError(f"{self.url}: the device closed the connection")
        return pieces[0].data

    def _believe(self, request: Request, data: bytes) -> bytes:
        """The reply's PDU, if the frame is whole and answers this request."""
        head = request.tag.to_bytes(2) + bytes(2)
        sized = len(data) > MBAP and int.from_bytes(data[4:6]) == len(data) - MBAP + 1
        if data[:4] != head or not sized or data[6] != request.unit:
            raise FrameError(f"{self.url}: a reply that does not match the request to unit {request.unit}")
        pdu = data[MBAP:]
        if pdu[0] == request.function | 0x80 and len(pdu) == 2:
            raise DeviceRefused(f"{self.url}: unit {request.unit} refused with exception {pdu[1]}", pdu[1])
        if pdu[0] != request.function:
            raise FrameError(f"{self.url}: function {pdu[0]} in answer to {request.function}")
        return pdu


class Sender(Protocol):
    """Any bus that takes frames."""

    async def send(self, frame: CanFrame) -> None: ...


async def speak(bms: Bms, bus: Sender, clock: MonoClock) -> None:
    """Send the BMS's frames each second, until cancelled. A bus that is away loses them, as a wire does."""
    bms.bind()
    while True:
        for identifier, data in bms.frames(clock.mono_ms()):
            try:
                await bus.send(CanFrame(identifier, data))
            except LinkError:
                break
        await asyncio.sleep(PERIOD_MS / 1000)


async def hear(bms: Bms, bus: FrameLink, clock: MonoClock) -> None:
    """Let the BMS hear keep-alives, until cancelled. While the bus is away it hears nothing."""
    while True:
        try:
            async for frame in bus.listen(frozenset({KEEP_ALIVE})):
                bms.hear(frame.id, clock.mono_ms())
        except LinkError:
            await asyncio.sleep(PERIOD_MS / 1000)
