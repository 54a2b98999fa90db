"""The ASCII protocol of serial CAN adapters (Lawicel, slcan). Pure: bytes in, frames out.

    t 351 8 1F01BC02E803E700 CR     a data frame with an 11-bit id (T: 29-bit); without the spaces

A line is a frame only if it is one exactly: letter, id, length, that many bytes, nothing more. All else
is dropped and counted; nothing is ever repaired. The protocol has no checksum: a digit falsified on the
serial wire passes, and only the plausible ranges of the profile stand behind it.
"""

import re

from gateway.driver import CanFrame
from gateway.errors import FrameError

CR, BEL = b"\r", b"\a"
LINE_MAX = 1 + 8 + 1 + 16  # T, id, length, eight bytes
_DATA = re.compile(rb"(?:t([0-7][0-9A-Fa-f]{2})|T([01][0-9A-Fa-f]{7}))([0-8])((?:[0-9A-Fa-f]{2})*)")
_REMOTE = re.compile(rb"(?:r[0-7][0-9A-Fa-f]{2}|R[01][0-9A-Fa-f]{7})[0-8]")
_DONE = frozenset({b"", b"z", b"Z"})  # what adapters answer to a command and to a frame sent


def encode(frame: CanFrame) -> bytes:
    """The line that makes an adapter send `frame`. ValueError: the caller's bug."""
    if not 0 <= frame.id <= (0x1FFF_FFFF if frame.extended else 0x7FF) or len(frame.data) > 8:
        raise ValueError(f"not a CAN frame: {frame}")
    head = b"T%08X" % frame.id if frame.extended else b"t%03X" % frame.id
    return head + b"%d" % len(frame.data) + frame.data.hex().upper().encode() + CR


def parse(line: bytes) -> CanFrame:
    """The data frame in a line (without its CR). FrameError for everything else."""
    match = _DATA.fullmatch(line)
    if match is None or len(match[4]) != 2 * int(match[3]):
        raise FrameError(f"not a frame: {line[:LINE_MAX]!r}")
    return CanFrame(int(match[1] or match[2], 16), bytes.fromhex(match[4].decode()), match[1] is None)


class Lines:
    """Bytes as they come, in pieces of any size. Holds at most one line."""

    def __init__(self) -> None:
        self.accepted = 0  # commands done
        self.refused = 0  # commands answered with BEL
        self.remote = 0  # remote requests: valid, and none of our business
        self.malformed = 0
        self._rest = b""
        self._skipping = False  # until the next line: this one was too long

    def feed(self, data: bytes) -> list[CanFrame]:
        """The frames that `data` completes, in order."""
        *lines, rest = (self._rest + data).replace(BEL, BEL + CR).split(CR)
        frames: list[CanFrame] = []
        for line in lines:
            bell = line.endswith(BEL)
            self.refused += bell
            # A BEL alone is an answer; what stands before one is a line like any other.
            if not self._skipping and line != BEL:
                self._take(line[:-1] if bell else line, frames)
            self._skipping = False
        if len(rest) > LINE_MAX:
            self.malformed += not self._skipping
            self._skipping, rest = True, b""
        self._rest = b"" if self._skipping else rest
        return frames

    def _take(self, line: bytes, frames: list[CanFrame]) -> None:
        if line in _DONE:
            self.accepted += 1
        elif _REMOTE.fullmatch(line):
            self.remote += 1
        else:
            try:
                frames.append(parse(line))
            except FrameError:
                self.malformed += 1
