"""The ASCII frames of Pylontech and those who took them over: ~ version address 46 code length data sum CR.

All but the tilde and CR are capital hex digits. The length counts digits and has a checksum of its own in its
upper four bits. A reply has a return code where a request has its command, and does not say what it answers:
its kind is ANY, and whoever asked must see whether it decodes. It refuses other versions and device types.
"""

from drivers.bms.family import ANY, Envelope, Frame
from gateway.errors import FrameError

HEAD = 13  # up to the length
TAIL = 5  # checksum, CR
VERSION, BATTERY = 0x20, 0x46
DIGITS = frozenset(b"0123456789ABCDEF")
LENGTH_MAX = 512  # digits; the longest known reply, of four modules, has 476
CODES = frozenset((*range(0x10), 0x90, 0x91, *range(0xE1, 0xF0)))  # that a reply may return, 0 for well


def request(address: int, command: int, data: bytes = b"") -> bytes:
    digits = 2 * len(data)
    length = _length_check(digits) << 12 | digits
    body = f"{VERSION:02X}{address:02X}{BATTERY:02X}{command:02X}{length:04X}".encode() + _hex(data)
    return b"~" + body + checksum(body) + b"\r"


def checksum(body: bytes) -> bytes:
    return f"{-sum(body) & 0xFFFF:04X}".encode()


def reply_max(data: int) -> int:
    """Bytes of a reply that carries `data` bytes."""
    return HEAD + 2 * data + TAIL


def _hex(data: bytes) -> bytes:
    return data.hex().upper().encode()


def _length_check(digits: int) -> int:
    return -(digits + (digits >> 4) + (digits >> 8)) & 0xF


def _measure(head: bytes) -> int:
    if not DIGITS.issuperset(head[1:]):
        return 0
    field = int(head[9:], 16)
    digits = field & 0xFFF
    if field >> 12 != _length_check(digits) or digits > LENGTH_MAX or digits % 2:
        return 0
    return HEAD + digits + TAIL


def _open(frame: bytes) -> Frame | None:
    body = frame[1:-TAIL]
    if frame[-1:] != b"\r" or checksum(body) != frame[-TAIL:-1] or not DIGITS.issuperset(body):
        raise FrameError("checksum, end or digits are wrong")
    version, address, kind, code = bytes.fromhex(body[:8].decode())
    if (version, kind) != (VERSION, BATTERY):
        raise FrameError(f"version {version:#04x} or device type {kind:#04x} is not known")
    if code not in CODES:
        return None
    return Frame(ANY, bytes.fromhex(body[12:].decode()), address, refused=code)


def seal(frame: bytes) -> bytes:
    """The frame with its checksum made anew."""
    return frame[:-TAIL] + checksum(frame[1:-TAIL]) + frame[-1:]


ENVELOPE = Envelope((b"~",), HEAD, _measure, _open)
