"""Modbus exchanges on a tape: told as they pass, and played to a driver that asks the same again.

An exchange is an event {unit, ask, got}: the two PDUs as they were on the wire, in hex, function code first;
the framing around them (MBAP header, or address and checksum) was checked by the link and is left out. What
brought no reply that could be believed is {unit, ask, failed}. It refuses to make up a reply: what was not
asked while it was recorded is a LinkError.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from drivers.modbus.exchange import (
    EXCEPTIONS,
    LATER,
    WRITE_MULTIPLE,
    Asked,
    NotNow,
    ask_bits,
    ask_coil,
    ask_read,
    ask_write,
    bits,
)
from drivers.modbus.guard import GuardedLink
from drivers.modbus.link import ModbusLink
from gateway.errors import DeviceRefused, FrameError, LinkError
from gateway.tape import Tap, Tape

EXCEPTION = 0x80

T = TypeVar("T")


def request(asked: Asked) -> bytes:
    """The PDU that asks this."""
    head = bytes([asked.function]) + asked.address.to_bytes(2, "big")
    if asked.function == WRITE_MULTIPLE:
        data = b"".join(r.to_bytes(2, "big") for r in asked.registers)
        return head + asked.count.to_bytes(2, "big") + bytes([len(data)]) + data
    return head + (asked.registers[0] if asked.registers else asked.count).to_bytes(2, "big")


def reply(asked: Asked, data: bytes) -> bytes:
    """The PDU of a reply that was believed."""
    if asked.registers:
        return request(asked)[:5]  # the echo
    return bytes([asked.function, len(data)]) + data


def pack(found: Sequence[bool]) -> bytes:
    """Bits as a reply carries them, lowest first."""
    return sum(bit << n for n, bit in enumerate(found)).to_bytes(-(-len(found) // 8), "little")


class TappedLink:
    """A RegisterLink and CoilLink (gateway.driver) around another, which tells what passes."""

    def __init__(self, link: ModbusLink | GuardedLink, tap: Tap) -> None:
        self.url = link.url
        self._link, self._tap = link, tap

    async def read(self, unit: int, table: str, address: int, count: int, *, timeout_s: float) -> bytes:
        asked = ask_read(unit, table, address, count)
        work = self._link.read(unit, table, address, count, timeout_s=timeout_s)
        return await self._told(asked, work, lambda data: data)

    async def write(
        self, unit: int, address: int, registers: Sequence[int], *, timeout_s: float, single: bool = False
    ) -> None:
        asked = ask_write(unit, address, registers, single=single)
        work = self._link.write(unit, address, registers, timeout_s=timeout_s, single=single)
        await self._told(asked, work, lambda _: b"")

    async def read_bits(
        self, unit: int, table: str, address: int, count: int, *, timeout_s: float
    ) -> tuple[bool, ...]:
        asked = ask_bits(unit, table, address, count)
        work = self._link.read_bits(unit, table, address, count, timeout_s=timeout_s)
        return await self._told(asked, work, pack)

    async def write_coil(self, unit: int, address: int, on: bool, *, timeout_s: float) -> None:
        asked = ask_coil(unit, address, on)
        work = self._link.write_coil(unit, address, on, timeout_s=timeout_s)
        await self._told(asked, work, lambda _: b"")

    async def close(self) -> None:
        await self._link.close()

    async def _told(self, asked: Asked, work: Awaitable[T], plain: Callable[[T], bytes]) -> T:
        try:
            found = await work
        except (DeviceRefused, NotNow) as no:
            self._tell(asked, got=bytes([asked.function | EXCEPTION, no.code]).hex())
            raise
        except LinkError as error:
            self._tell(asked, failed=str(error))
            raise
        if self._tap.listening:
            self._tell(asked, got=reply(asked, plain(found)).hex())
        return found

    def _tell(self, asked: Asked, **what: str) -> None:
        if self._tap.listening:
            self._tap.tell(unit=asked.unit, ask=request(asked).hex(), **what)


class TapeLink:
    """A RegisterLink and CoilLink that answers from a tape."""

    url = "replay://modbus"

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    async def read(self, unit: int, table: str, address: int, count: int, *, timeout_s: float) -> bytes:
        return self._answer(ask_read(unit, table, address, count))

    async def read_bits(
        self, unit: int, table: str, address: int, count: int, *, timeout_s: float
    ) -> tuple[bool, ...]:
        return bits(self._answer(ask_bits(unit, table, address, count)), count)

    async def write(
        self, unit: int, address: int, registers: Sequence[int], *, timeout_s: float, single: bool = False
    ) -> None:
        self._answer(ask_write(unit, address, registers, single=single))

    async def write_coil(self, unit: int, address: int, on: bool, *, timeout_s: float) -> None:
        self._answer(ask_coil(unit, address, on))

    async def close(self) -> None:
        """Nothing hangs on it."""

    def _answer(self, asked: Asked) -> bytes:
        wanted = request(asked).hex()
        event = self._tape.find(lambda e: e.get("ask") == wanted and e.get("unit") == asked.unit)
        if event is None:
            raise LinkError(f"{asked}: not asked while this was recorded")
        if "got" not in event:
            raise LinkError(f"{asked}: {event.get('failed', 'no answer')}")
        return payload(asked, _hex(event["got"]))


def payload(asked: Asked, got: bytes) -> bytes:
    """What a reply on a tape brought, checked as one from a wire is."""
    if got[:1] == bytes([asked.function | EXCEPTION]) and len(got) == 2:
        text = f"{asked}: {EXCEPTIONS.get(got[1], 'unknown exception')} (exception {got[1]})"
        raise (NotNow if got[1] in LATER else DeviceRefused)(text, got[1])
    if asked.registers:
        if got != request(asked)[:5]:
            raise FrameError(f"{asked}: echo {got[:8].hex()} does not match what was written")
        return b""
    if got[:2] != bytes([asked.function, asked.size]) or len(got) != asked.size + 2:
        raise FrameError(f"{asked}: reply of {len(got) - 2} bytes, expected {asked.size}")
    return got[2:]


def _hex(text: object) -> bytes:
    try:
        return bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        return b""
