"""One connection to a Modbus line or server: a pymodbus client, and nothing believed.

It owns the client of one connection, from opening to loss; a lost one is never used again. It adds what
the library lacks: our own deadline, a request that fails at once when the peer closes, and knowing
whether any bytes came. It refuses to queue, pace, retry or reconnect: that is the link's work.
"""

import asyncio
import termios
from collections.abc import Awaitable
from functools import cache
from typing import Self, TypeVar

from pymodbus import FramerType
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import DecodePDU, ModbusPDU

from drivers import serialport
from drivers.modbus.exchange import (
    READ_COILS,
    READ_DISCRETE,
    READ_HOLDING,
    READ_INPUT,
    WRITE_COIL,
    WRITE_SINGLE,
    Asked,
    check,
    reply_classes,
)
from drivers.modbus.url import LinkUrl
from gateway.errors import FrameError, LinkError

CONNECT_S = 5.0  # a LAN or a tty answers in milliseconds; a host that is off is told apart soon enough
REPLY_S_MAX = 60.0  # pymodbus' own timeout, never reached: ours is per request and shorter

T = TypeVar("T")
Client = AsyncModbusTcpClient | AsyncModbusSerialClient


class NoAnswer(LinkError):
    """Not one byte came before the deadline."""


class NoFrame(FrameError):
    """Bytes came before the deadline, but no frame that belongs to the request."""


class Session:
    """One connection. `chunks_seen` grows with every chunk from the wire, asked for or not."""

    def __init__(self, url: LinkUrl, host: str = "") -> None:
        self._url = url
        self.lost = False
        self.chunks_seen = 0
        self._transaction = 0
        self._deadline: asyncio.Timeout | None = None
        self._client = self._make(url, host or url.host)
        self._client.ctx.framer.decoder.pdu_table = _replies(url.rtu)

    @classmethod
    async def open(cls, url: LinkUrl, host: str = "", timeout_s: float = CONNECT_S) -> Self:
        """Connect, to `host` if that is one of several, or LinkError. The library neither retries nor
        reconnects behind our back."""
        session, connected = cls(url, host), False
        try:
            async with asyncio.timeout(timeout_s):
                connected = await _heeding(session._client.connect())
        except (TimeoutError, termios.error):  # the latter: an adapter that cannot be set so
            pass  # the same to the caller as a refusal
        finally:
            if not connected:  # also when cancelled half way
                session._client.close()
        if connected:
            return session
        raise LinkError(_why_not(url))

    @property
    def peer(self) -> str:
        """The IP address at the other end; empty of a tty."""
        transport = self._client.ctx.transport
        found = transport.get_extra_info("peername") if transport else None
        return str(found[0]) if isinstance(found, tuple) else ""

    async def close(self) -> None:
        """Drop the connection and fail what is being asked. May be called more than once."""
        self._on_connect(False)
        self._client.close()
        await asyncio.sleep(0)  # the transport closes its socket in the loop's next round

    async def request(self, asked: Asked, timeout_s: float) -> bytes:
        """Send one request and check its reply; what a read brought, b"" of a write."""
        before = self.chunks_seen
        if self.lost:
            raise LinkError(f"{self._url.url}: connection lost before {asked}")
        try:
            async with asyncio.timeout(timeout_s) as self._deadline:
                reply = await _heeding(self._call(asked))
        except TimeoutError:
            if self.lost:
                raise LinkError(f"{self._url.url}: connection lost during {asked}") from None
            if self.chunks_seen != before:
                raise NoFrame(f"{self._url.url}: no valid reply to {asked} within {timeout_s:g} s") from None
            raise NoAnswer(f"{self._url.url}: no answer to {asked} within {timeout_s:g} s") from None
        except ModbusException as problem:
            raise LinkError(f"{self._url.url}: {asked} failed: {problem}") from None
        finally:
            self._deadline = None
        return check(asked, reply, self._transaction)

    def _call(self, asked: Asked) -> Awaitable[ModbusPDU]:
        if asked.function == READ_HOLDING:
            return self._client.read_holding_registers(asked.address, count=asked.count, device_id=asked.unit)
        if asked.function == READ_INPUT:
            return self._client.read_input_registers(asked.address, count=asked.count, device_id=asked.unit)
        if asked.function == READ_COILS:
            return self._client.read_coils(asked.address, count=asked.count, device_id=asked.unit)
        if asked.function == READ_DISCRETE:
            return self._client.read_discrete_inputs(asked.address, count=asked.count, device_id=asked.unit)
        if asked.function == WRITE_COIL:
            return self._client.write_coil(asked.address, bool(asked.registers[0]), device_id=asked.unit)
        if asked.function == WRITE_SINGLE:
            return self._client.write_register(asked.address, asked.registers[0], device_id=asked.unit)
        return self._client.write_registers(asked.address, list(asked.registers), device_id=asked.unit)

    # The library's documented trace hooks. They run inside its callbacks: note and return.

    def _on_packet(self, sending: bool, data: bytes) -> bytes:
        if not sending:
            self.chunks_seen += 1
        return data

    def _on_pdu(self, sending: bool, pdu: ModbusPDU) -> ModbusPDU:
        if sending:
            self._transaction = pdu.transaction_id
        return pdu

    def _on_connect(self, connected: bool) -> None:
        if connected:
            return
        self.lost = True
        if (
            self._deadline is not None and not self._deadline.expired()
        ):  # the library would leave the request waiting for its time-out
            self._deadline.reschedule(0)
            self._deadline = None

    def _make(self, url: LinkUrl, host: str) -> Client:
        if url.scheme == "rtu":
            return AsyncModbusSerialClient(
                host,
                framer=FramerType.RTU,
                baudrate=url.baud,
                parity=url.parity,
                stopbits=url.stop,
                handle_local_echo=url.echo,
                reconnect_delay=0,
                timeout=REPLY_S_MAX,
                retries=0,
                trace_packet=self._on_packet,
                trace_pdu=self._on_pdu,
                trace_connect=self._on_connect,
            )
        return AsyncModbusTcpClient(
            host,
            port=url.port,
            framer=FramerType.RTU if url.rtu else FramerType.SOCKET,
            reconnect_delay=0,
            timeout=REPLY_S_MAX,
            retries=0,
            trace_packet=self._on_packet,
            trace_pdu=self._on_pdu,
            trace_connect=self._on_connect,
        )


@cache
def _replies(rtu: bool) -> dict[int, tuple[type[ModbusPDU], type[ModbusPDU]]]:
    """What `client.register` makes of our replies, made once: it copies the library's whole table for each
    client, and a gateway on a bad line has thousands of them a day."""
    decoder = DecodePDU(False)
    for reply in reply_classes(rtu=rtu):
        decoder.register(reply)
    return decoder.pdu_table


async def _heeding(work: Awaitable[T]) -> T:
    """`await work`, cancelled whenever this task is. Python 3.11's wait_for, which the library uses, forgets
    a cancellation that comes with the result: the task would go on as if nobody had asked."""
    task = asyncio.current_task()
    assert task is not None
    before = task.cancelling()
    result = await work
    if task.cancelling() > before:
        raise asyncio.CancelledError
    return result


def _why_not(url: LinkUrl) -> str:
    if url.scheme == "rtu" and (why := serialport.trouble(url.host)):
        return f"{url.url}: cannot open: {why}"
    return f"{url.url}: cannot connect; is the device on and the address right?"
