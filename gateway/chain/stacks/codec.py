"""Clarity values as bytes and back: SIP-005's consensus serialisation.

Pure. Bool, None and list are Python's own; a tuple is a dict, its names ascending on the wire. It refuses
what no contract can hold: too deep, too long, out of range, names that are none, and anything that is not
the one encoding of its value.
"""

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gateway.errors import ChainError
from gateway.principal import CONTRACT_MAX, CONTRACT_NAME, Principal

DEPTH_MAX = 32
BYTES_MAX = 2**20
NAME_MAX = 128
NAME = re.compile(r"[a-zA-Z]([a-zA-Z0-9]|[-_!?+<>=/*])*|[-+=/*]|[<>]=?")
_ASCII = frozenset(range(0x20, 0x7F)) | frozenset(b"\n\r\t")


@dataclass(frozen=True, slots=True)
class Int:
    value: int


@dataclass(frozen=True, slots=True)
class UInt:
    value: int


@dataclass(frozen=True, slots=True)
class Ascii:
    text: str


@dataclass(frozen=True, slots=True)
class Utf8:
    text: str


@dataclass(frozen=True, slots=True)
class Some:
    value: "Value"


@dataclass(frozen=True, slots=True)
class Ok:
    value: "Value"


@dataclass(frozen=True, slots=True)
class Err:
    value: "Value"


Value: TypeAlias = (
    "bool | bytes | Int | UInt | Ascii | Utf8 | Some | Ok | Err | Principal"
    " | Sequence[Value] | Mapping[str, Value] | None"
)

INT, UINT, BUFFER, TRUE, FALSE, STANDARD, CONTRACT, OK, ERR, NONE, SOME, LIST, TUPLE, ASCII, UTF8 = range(15)


def encode(value: Value) -> bytes:
    """ChainError for a value that Clarity has no room for."""
    try:
        found = _encode(value, DEPTH_MAX)
    except (OverflowError, UnicodeError, struct.error, ValueError) as error:
        raise ChainError(f"no Clarity value: {error}") from None
    if len(found) > BYTES_MAX:
        raise ChainError(f"no Clarity value: over {BYTES_MAX} bytes")
    return found


def _encode(value: Value, depth: int) -> bytes:
    if depth == 0:
        raise ChainError("no Clarity value: nested too deeply")
    match value:
        case None:
            return bytes((NONE,))
        case bool():
            return bytes((TRUE if value else FALSE,))
        case Int(number):
            return bytes((INT,)) + number.to_bytes(16, "big", signed=True)
        case UInt(number):
            return bytes((UINT,)) + number.to_bytes(16, "big")
        case bytes():
            return bytes((BUFFER,)) + _sized(value)
        case Ascii(text):
            return bytes((ASCII,)) + _sized(_ascii(text.encode("ascii")))
        case Utf8(text):
            return bytes((UTF8,)) + _sized(text.encode())
        case Principal():
            return _principal(value)
        case Some(inner) | Ok(inner) | Err(inner):
            tag = {Some: SOME, Ok: OK, Err: ERR}[type(value)]
            return bytes((tag,)) + _encode(inner, depth - 1)
        case Mapping():
            return bytes((TUPLE,)) + _fields(value, depth)
        case _:
            items = b"".join(_encode(item, depth - 1) for item in value)
            return bytes((LIST,)) + struct.pack(">I", len(value)) + items


def _sized(raw: bytes) -> bytes:
    return struct.pack(">I", len(raw)) + raw


def _ascii(raw: bytes) -> bytes:
    if not _ASCII.issuperset(raw):
        raise ChainError("no Clarity value: an ASCII string with a control character")
    return raw


def named(text: str) -> bytes:
    """A function's or a field's name with its length."""
    if not NAME.fullmatch(text) or len(text) > NAME_MAX:
        raise ChainError(f"{text[:60]!r} is no Clarity name")
    return bytes((len(text),)) + text.encode()


def contract_named(text: str) -> bytes:
    """The same for a contract's name, of which there are fewer."""
    if not CONTRACT_NAME.fullmatch(text) or len(text) > CONTRACT_MAX:
        raise ChainError(f"{text[:60]!r} is no contract's name")
    return bytes((len(text),)) + text.encode()


def _principal(value: Principal) -> bytes:
    raw = bytes((value.version,)) + value.hash
    if len(raw) != 21 or value.version >= 32:
        raise ChainError("no Clarity value: a principal is a version below 32 and 20 bytes")
    if not value.contract:
        return bytes((STANDARD,)) + raw
    return bytes((CONTRACT,)) + raw + contract_named(value.contract)


def _fields(value: Mapping[str, Value], depth: int) -> bytes:
    if not value:
        raise ChainError("no Clarity value: a tuple without fields")
    fields = (named(name) + _encode(value[name], depth - 1) for name in sorted(value))
    return struct.pack(">I", len(value)) + b"".join(fields)


def decode(raw: bytes) -> Value:
    """The value that exactly these bytes are. ChainError otherwise."""
    if len(raw) > BYTES_MAX:
        raise ChainError(f"no Clarity value: over {BYTES_MAX} bytes")
    reader = Reader(raw)
    value = reader.value()
    reader.end()
    return value


class Reader:
    """Takes Clarity's encodings from the front of bytes. ChainError when something else stands there."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def take(self, count: int) -> bytes:
        if count > len(self._raw) - self._at:
            raise ChainError("no Clarity value: it ends too early")
        self._at += count
        return self._raw[self._at - count : self._at]

    def end(self) -> None:
        if self._at != len(self._raw):
            raise ChainError("no Clarity value: more behind it")

    def number(self, size: int = 4) -> int:
        return int.from_bytes(self.take(size), "big")

    def name(self) -> str:
        text = self.take(self.number(1)).decode("ascii", "replace")
        named(text)
        return text

    def contract(self) -> Principal:
        address, text = self.principal(), self.take(self.number(1)).decode("ascii", "replace")
        contract_named(text)
        return Principal(address.version, address.hash, text)

    def principal(self) -> Principal:
        version, digest = self.number(1), self.take(20)
        if version >= 32:
            raise ChainError("no Clarity value: no principal has that version")
        return Principal(version, digest)

    def value(self, depth: int = DEPTH_MAX) -> Value:
        if depth == 0:
            raise ChainError("no Clarity value: nested too deeply")
        match self.number(1):
            case 0x00:
                return Int(int.from_bytes(self.take(16), "big", signed=True))
            case 0x01:
                return UInt(self.number(16))
            case 0x02:
                return self.take(self.number())
            case 0x03:
                return True
            case 0x04:
                return False
            case 0x05:
                return self.principal()
            case 0x06:
                return self.contract()
            case 0x07:
                return Ok(self.value(depth - 1))
            case 0x08:
                return Err(self.value(depth - 1))
            case 0x09:
                return None
            case 0x0A:
                return Some(self.value(depth - 1))
            case 0x0B:
                return [self.value(depth - 1) for _ in range(self._count())]
            case 0x0C:
                return self._tuple(depth)
            case 0x0D:
                return Ascii(_ascii(self.take(self.number())).decode("ascii"))
            case 0x0E:
                return Utf8(self._text())
            case tag:
                raise ChainError(f"no Clarity value: nothing begins with {tag:#04x}")

    def _count(self) -> int:
        count = self.number()
        if count > len(self._raw) - self._at:  # each takes a byte at least
            raise ChainError("no Clarity value: it ends too early")
        return count

    def _text(self) -> str:
        try:
            return self.take(self.number()).decode()
        except UnicodeDecodeError:
            raise ChainError("no Clarity value: a string that is not UTF-8") from None

    def _tuple(self, depth: int) -> dict[str, Value]:
        found: dict[str, Value] = {}
        last = ""
        for _ in range(self._count()):
            name = self.name()
            if name <= last:
                raise ChainError("no Clarity value: a tuple's names do not ascend")
            found[name], last = self.value(depth - 1), name
        if not found:
            raise ChainError("no Clarity value: a tuple without fields")
        return found
