"""A serial CAN adapter (slcan / Lawicel text) played on a pty: it carries frames to and from the peer.

Owns the text protocol: S and s (bit rate), O and L (open), C (close), t and T (frame), V, N, F. It refuses
lines it does not know with BEL, and sends nothing while the channel is closed.
"""

from collections.abc import Callable

OK, ERROR = b"\r", b"\a"
LINE_MAX = 32  # the longest line is T + 8 + 1 + 16
Heard = Callable[[int, bytes], None]


def encode(identifier: int, data: bytes, *, extended: bool = False) -> bytes:
    """One frame as the adapter sends it to the host."""
    head = f"T{identifier:08X}" if extended else f"t{identifier:03X}"
    return f"{head}{len(data)}{data.hex().upper()}\r".encode()


def decode(line: bytes) -> tuple[int, bytes]:
    """(identifier, data) of a t or T line. ValueError when it is not a whole frame."""
    digits = {b"t": 3, b"T": 8}.get(line[:1])
    if digits is None or len(line) < digits + 2:
        raise ValueError("not a frame")
    identifier, size = int(line[1 : digits + 1], 16), int(line[digits + 1 : digits + 2])
    data = bytes.fromhex(line[digits + 2 :].decode("ascii"))
    if size > 8 or len(data) != size:
        raise ValueError("length and data differ")
    return identifier, data


class Adapter:
    """The adapter's side: `feed` what the host wrote and send back what it returns."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._buffer = bytearray()
        self.open = False

    def feed(self, data: bytes) -> bytes:
        """Answers to all lines that are complete."""
        self._buffer += data
        answers = b""
        while (end := self._buffer.find(b"\r")) >= 0:
            line = bytes(self._buffer[:end]).lstrip(b"\n")
            del self._buffer[: end + 1]
            answers += self._line(line)
        del self._buffer[: max(0, len(self._buffer) - LINE_MAX)]
        return answers

    def frame(self, identifier: int, data: bytes) -> bytes:
        """What goes to the host for a frame on the bus; nothing while the channel is closed."""
        return encode(identifier, data) if self.open else b""

    def _line(self, line: bytes) -> bytes:
        match line[:1]:
            case b"":
                return OK
            case b"S" | b"s":
                return OK if not self.open and len(line) > 1 else ERROR
            case b"O" | b"L" | b"C":
                self.open = line[:1] != b"C"
                return OK
            case b"V":
                return b"V1013\r"
            case b"N":
                return b"NRIG1\r"
            case b"F":
                return b"F00\r"
            case b"t" | b"T":
                return self._transmit(line)
            case _:
                return ERROR

    def _transmit(self, line: bytes) -> bytes:
        if not self.open:
            return ERROR
        try:
            identifier, data = decode(line)
        except ValueError:
            return ERROR
        self._heard(identifier, data)
        return b"z\r" if line[:1] == b"t" else b"Z\r"
