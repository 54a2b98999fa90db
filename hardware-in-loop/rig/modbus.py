"""The server side of Modbus, bytes in and bytes out: PDUs against a Bank, TCP and RTU framing.

Owns request parsing, exception answers, MBAP and CRC. It refuses malformed requests the way a careful
device does (exception 1 or 3; silence on a bad checksum) and knows neither sockets nor time.
"""

from dataclasses import dataclass

from rig.bank import ILLEGAL_FUNCTION, ILLEGAL_VALUE, NO_TARGET, Bank, Refusal
from rig.relay_board import RelayBoard

READ_COILS, READ_DISCRETE, READ_HOLDING, READ_INPUT, WRITE_COIL, WRITE_ONE, WRITE_MANY = 1, 2, 3, 4, 5, 6, 16
TABLES = {READ_HOLDING: "holding", READ_INPUT: "input"}
BIT_TABLES = {READ_COILS: "coils", READ_DISCRETE: "discrete"}
COIL_VALUES = {b"\xff\0": True, b"\0\0": False}
READ_MAX, WRITE_MAX, BITS_MAX = 125, 123, 2000  # Modbus application protocol 1.1b3
PDU_MAX = 253
MBAP = 7
RTU_FIXED = {1, 2, 3, 4, 5, 6}  # requests of 8 bytes
RTU_MAX = 256


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `tag` is the MBAP transaction id, 0 on RTU."""

    unit: int
    pdu: bytes
    tag: int = 0

    @property
    def function(self) -> int:
        return self.pdu[0]

    @property
    def address(self) -> int:
        return int.from_bytes(self.pdu[1:3])


def refusal(function: int, code: int) -> bytes:
    """The exception answer to a function."""
    return bytes((function & 0x7F | 0x80, code))


def answer(bank: Bank | RelayBoard, request: Request, now_ms: int) -> bytes:
    """The PDU a healthy device answers, carried out at `now_ms`."""
    try:
        return _carry_out(bank, request, now_ms)
    except Refusal as no:
        return refusal(request.function, no.code)


def _carry_out(bank: Bank | RelayBoard, request: Request, now_ms: int) -> bytes:
    pdu, function = request.pdu, request.function
    if request.unit not in bank.units:
        raise Refusal(NO_TARGET)
    if function in TABLES:
        _must(len(pdu) == 5 and 1 <= (count := int.from_bytes(pdu[3:5])) <= READ_MAX)
        data = bank.read(request.unit, TABLES[function], request.address, count, now_ms)
        return bytes((function, len(data))) + data
    if function in BIT_TABLES:
        _must(len(pdu) == 5 and 1 <= (count := int.from_bytes(pdu[3:5])) <= BITS_MAX)
        bits = bank.read_bits(request.unit, BIT_TABLES[function], request.address, count, now_ms)
        data = sum(bit << n for n, bit in enumerate(bits)).to_bytes((count + 7) // 8, "little")
        return bytes((function, len(data))) + data
    if function == WRITE_COIL:
        _must(pdu[3:] in COIL_VALUES)
        bank.write_coil(request.unit, request.address, COIL_VALUES[pdu[3:]], now_ms)
        return pdu
    if function == WRITE_ONE:
        _must(len(pdu) == 5)
        bank.write(request.unit, request.address, (int.from_bytes(pdu[3:5]),), now_ms)
        return pdu
    if function == WRITE_MANY:
        _must(len(pdu) >= 6 and 1 <= (count := int.from_bytes(pdu[3:5])) <= WRITE_MAX)
        _must(pdu[5] == 2 * count == len(pdu) - 6)
        values = [int.from_bytes(pdu[i : i + 2]) for i in range(6, len(pdu), 2)]
        bank.write(request.unit, request.address, values, now_ms)
        return pdu[:5]
    raise Refusal(ILLEGAL_FUNCTION)


def _must(well_formed: bool) -> None:
    if not well_formed:
        raise Refusal(ILLEGAL_VALUE)


class TcpFraming:
    """MBAP: requests out of a byte stream, replies into it."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Request]:
        """Complete requests so far. ValueError when the stream is not Modbus TCP: close it."""
        self._buffer += data
        found = []
        while len(self._buffer) >= MBAP:
            tag, protocol, length = (int.from_bytes(self._buffer[i : i + 2]) for i in (0, 2, 4))
            if protocol != 0 or not 2 <= length <= PDU_MAX + 1:
                raise ValueError("not a Modbus TCP stream")
            if len(self._buffer) < MBAP - 1 + length:
                break
            found.append(Request(self._buffer[6], bytes(self._buffer[MBAP : MBAP - 1 + length]), tag))
            del self._buffer[: MBAP - 1 + length]
        return found

    @staticmethod
    def frame(request: Request, pdu: bytes) -> bytes:
        return request.tag.to_bytes(2) + bytes(2) + (len(pdu) + 1).to_bytes(2) + bytes((request.unit,)) + pdu


class RtuFraming:
    """RTU: requests recognised by function and checksum; what does not fit is dropped byte by byte."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Request]:
        """Complete requests so far. Bytes that can begin no valid request are skipped."""
        self._buffer += data
        found = []
        while len(self._buffer) >= 8:
            size = self._size()
            if size is not None and len(self._buffer) < size:
                break
            if size is None or crc(self._buffer[: size - 2]) != bytes(self._buffer[size - 2 : size]):
                del self._buffer[0]
                continue
            found.append(Request(self._buffer[0], bytes(self._buffer[1 : size - 2])))
            del self._buffer[:size]
        return found

    def silence(self) -> None:
        """A pause on the wire: what was begun is given up (3.5 characters, as the specification has it)."""
        self._buffer.clear()

    def _size(self) -> int | None:
        function = self._buffer[1]
        if function in RTU_FIXED:
            return 8
        if function == WRITE_MANY and self._buffer[6] <= 2 * WRITE_MAX:
            return 9 + self._buffer[6]
        return None

    @staticmethod
    def frame(request: Request, pdu: bytes) -> bytes:
        body = bytes((request.unit,)) + pdu
        return body + crc(body)


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
        table.append(value)
    return tuple(table)


_CRC = _crc_table()


def crc(data: bytes | bytearray) -> bytes:
    """CRC-16/MODBUS as sent, low byte first."""
    value = 0xFFFF
    for byte in data:
        value = value >> 8 ^ _CRC[(value ^ byte) & 0xFF]
    return value.to_bytes(2, "little")
