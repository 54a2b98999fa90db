"""The strict check of Modbus replies, and the response classes that make it possible.

pymodbus believes a reply with fewer registers, another function code, the exception of another function
or a wrong write echo. Here a reply is believed only if transaction, unit, function, length and echo all
match what was asked; everything else is a FrameError, a Modbus exception is DeviceRefused, and "busy" or
an unreachable target behind a gateway is NotNow (a LinkError). Nothing here touches a wire.

Our response classes (registered through the documented `client.register`) keep the reply's bytes as they
came: no per-register loop, and a wrong length reaches the check instead of vanishing in the library.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Protocol

from pymodbus.pdu import ExceptionResponse, ModbusPDU

from drivers.modbus.plan import BITS_MAX, BLOCK_MAX, WRITE_MAX
from gateway.errors import DeviceRefused, FrameError, LinkError

READ_COILS, READ_DISCRETE, READ_HOLDING, READ_INPUT = 1, 2, 3, 4
WRITE_COIL, WRITE_SINGLE, WRITE_MULTIPLE = 5, 6, 16
TABLES: Mapping[str, int] = {"holding": READ_HOLDING, "input": READ_INPUT}
BIT_TABLES: Mapping[str, int] = {"coils": READ_COILS, "discrete": READ_DISCRETE}
COIL_ON = 0xFF00

EXCEPTIONS: Mapping[int, str] = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "accepted, still working on it",
    6: "busy",
    7: "negative acknowledge",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "target behind the gateway does not answer",
}
UNREACHABLE = frozenset({10, 11})  # said by a gateway, of a unit behind it
LATER = frozenset({5, 6}) | UNREACHABLE  # not a refusal: the same request may work later

_ECHO = Struct(">HH")


class NotNow(LinkError):
    """A Modbus exception that may pass by itself: busy, still working, target not reached."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class RawReply(ModbusPDU):
    """A reply whose bytes after the function code are kept unread in `data`."""

    data = b""

    def decode(self, data: bytes) -> None:
        self.data = data

    def __str__(self) -> str:  # the library formats every reply for its debug log, also when that is off
        return self.__class__.__name__


class _CoilsReply(RawReply):
    function_code = READ_COILS
    rtu_byte_count_pos = 2


class _DiscreteReply(RawReply):
    function_code = READ_DISCRETE
    rtu_byte_count_pos = 2


class _HoldingReply(RawReply):
    function_code = READ_HOLDING
    rtu_byte_count_pos = 2


class _InputReply(RawReply):
    function_code = READ_INPUT
    rtu_byte_count_pos = 2


class _CoilReply(RawReply):
    function_code = WRITE_COIL
    rtu_frame_size = 8


class _SingleReply(RawReply):
    function_code = WRITE_SINGLE
    rtu_frame_size = 8


class _MultipleReply(RawReply):
    function_code = WRITE_MULTIPLE
    rtu_frame_size = 8


_ASKED: tuple[type[RawReply], ...] = (
    _CoilsReply,
    _DiscreteReply,
    _HoldingReply,
    _InputReply,
    _CoilReply,
    _SingleReply,
    _MultipleReply,
)
# Every other function code, so that on TCP a foreign reply arrives here as such. Without a class the
# library raises inside the event loop. On RTU it must not know them: it hunts for frames by known codes.
_FOREIGN: tuple[type[RawReply], ...] = tuple(
    type(f"_Foreign{code}Reply", (RawReply,), {"function_code": code})
    for code in range(0x81)
    if code not in {c.function_code for c in _ASKED}
)


def reply_classes(*, rtu: bool) -> tuple[type[RawReply], ...]:
    """What to `client.register` on a link."""
    return _ASKED if rtu else _ASKED + _FOREIGN


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reply must match. `registers` are those written (of a coil: 0xFF00 or 0), empty for a read."""

    unit: int
    function: int
    address: int
    count: int
    registers: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of what a read brings."""
        return -(-self.count // 8) if self.function in BIT_TABLES.values() else 2 * self.count

    def __str__(self) -> str:
        verb = "write" if self.registers else "read"
        return f"unit {self.unit} {verb} {self.count} at {self.address} (function {self.function})"


class Reply(Protocol):
    """What the check needs of a pymodbus PDU."""

    function_code: int
    dev_id: int
    transaction_id: int


def ask_read(unit: int, table: str, address: int, count: int) -> Asked:
    """A checked read request. ValueError: the caller's bug, not the device's."""
    _check_place(unit, address, count, BLOCK_MAX)
    return Asked(unit, TABLES[table], address, count)


def ask_bits(unit: int, table: str, address: int, count: int) -> Asked:
    """A checked read of coils or discrete inputs. ValueError: the caller's bug, not the device's."""
    _check_place(unit, address, count, BITS_MAX)
    return Asked(unit, BIT_TABLES[table], address, count)


def ask_coil(unit: int, address: int, on: bool) -> Asked:
    """A checked write of one coil. ValueError: the caller's bug, not the device's."""
    _check_place(unit, address, 1, 1)
    return Asked(unit, WRITE_COIL, address, 1, (COIL_ON if on else 0,))


def bits(data: bytes, count: int) -> tuple[bool, ...]:
    """The first `count` of packed bits, lowest first; what fills the last byte means nothing."""
    return tuple(bool(data[n // 8] >> n % 8 & 1) for n in range(count))


def ask_write(unit: int, address: int, registers: Sequence[int], *, single: bool) -> Asked:
    """A checked write request. ValueError: the caller's bug, not the device's."""
    _check_place(unit, address, len(registers), 1 if single else WRITE_MAX)
    if not all(0 <= r <= 0xFFFF for r in registers):
        raise ValueError(f"registers out of 0..65535: {list(registers)}")
    function = WRITE_SINGLE if single else WRITE_MULTIPLE
    return Asked(unit, function, address, len(registers), tuple(registers))


def _check_place(unit: int, address: int, count: int, most: int) -> None:
    if not 0 <= unit <= 255:
        raise ValueError(f"unit {unit} is not 0..255")
    if not 1 <= count <= most or not 0 <= address <= 0x10000 - count:
        raise ValueError(f"{count} values at {address} cannot be asked for (at most {most}, below 65536)")


def check(asked: Asked, reply: Reply, transaction: int) -> bytes:
    """What a read brought (2 * count bytes, or packed bits), or b"" for a write whose echo is right.

    `transaction` is the id sent, 0 where the framing has none. Raises FrameError, DeviceRefused or
    NotNow as the module says.
    """
    if reply.dev_id != asked.unit:
        raise FrameError(f"{asked}: answered by unit {reply.dev_id}")
    if reply.transaction_id != transaction:
        raise FrameError(f"{asked}: reply to transaction {reply.transaction_id}, not {transaction}")
    if isinstance(reply, ExceptionResponse):
        raise _exception(asked, reply.function_code & 0x7F, reply.exception_code)
    if not isinstance(reply, RawReply) or reply.function_code != asked.function:
        raise FrameError(f"{asked}: reply has function {reply.function_code}")
    if asked.registers:
        return _check_echo(asked, reply.data)
    size, data = asked.size, reply.data
    if len(data) != size + 1 or data[0] != size:
        raise FrameError(f"{asked}: reply of {len(data) - 1} bytes, expected {size}")
    return data[1:]


def _exception(asked: Asked, function: int, code: int) -> LinkError:
    if function != asked.function:
        return FrameError(f"{asked}: exception of function {function}")
    text = f"{asked}: {EXCEPTIONS.get(code, 'unknown exception')} (exception {code})"
    return NotNow(text, code) if code in LATER else DeviceRefused(text, code)


def _check_echo(asked: Asked, data: bytes) -> bytes:
    second = asked.count if asked.function == WRITE_MULTIPLE else asked.registers[0]
    if data != _ECHO.pack(asked.address, second):
        raise FrameError(f"{asked}: echo {data[:8].hex()} does not match what was written")
    return b""
