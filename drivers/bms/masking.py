"""Serial numbers and passwords out of the bytes that a BMS sends, as they come. Pure.

It follows the frames in a stream and puts an X for each byte that its family calls secret; checksums are made
anew, so that a masked capture plays as the other does. It refuses to let through what belongs to no frame:
that may be the rest of one whose beginning is missing, so it becomes X too.
"""

from drivers.bms.family import Family, Secrets
from gateway.errors import FrameError

INSTEAD = ord("X")


class Masker:
    """One stream of one device. `reset` where what comes next does not go on with what came before."""

    def __init__(self, family: Family, secrets: Secrets) -> None:
        self._envelope, self._secrets = family.envelope(), secrets
        self._frame = bytearray()  # what came of the frame that is being heard
        self._shown = bytearray()  # the same without secrets
        self._length = 0  # of that frame; 0 while it is not known

    def reset(self) -> None:
        self._frame.clear()
        self._shown.clear()
        self._length = 0

    def mask(self, data: bytes) -> bytes:
        """As many bytes as came."""
        return bytes(self._next(byte) for byte in data)

    def _next(self, byte: int) -> int:
        self._frame.append(byte)
        self._shown.append(byte)
        self._begin_anew()
        if not self._length:
            return byte if self._frame else INSTEAD
        shown = self._shown[-1] = self._shown_last()
        if len(self._frame) == self._length:
            self.reset()
        return shown

    def _begin_anew(self) -> None:
        """Where a frame begins, what was taken for one before it is none: its end is missing."""
        starts, head = self._envelope.starts, self._envelope.head
        last = bytes(self._frame[-head:])
        if len(last) == head and last.startswith(starts) and (length := self._envelope.measure(last)):
            del self._frame[:-head], self._shown[:-head]
            self._length = length
        while not self._length and self._frame and not self._may_begin(starts):
            del self._frame[:1], self._shown[:1]

    def _may_begin(self, starts: tuple[bytes, ...]) -> bool:
        frame = bytes(self._frame)
        return len(frame) < self._envelope.head and any(
            frame.startswith(start) or start.startswith(frame) for start in starts
        )

    def _shown_last(self) -> int:
        """The newest byte as it may be shown."""
        at, frame = len(self._frame) - 1, bytes(self._frame)
        places = self._secrets.places(frame)
        for place in places:
            if at in place:
                instead = self._secrets.instead
                return instead[(at - place.start) % len(instead)] if frame[at] else 0
        if not places or at < self._length - self._secrets.sum:
            return frame[at]
        whole = bytes(self._shown) + bytes(self._length - len(self._shown))
        sealed = self._secrets.seal(whole)[at]
        return sealed ^ 0xFF if at + 1 == self._length and self._wrong() else sealed

    def _wrong(self) -> bool:
        try:
            self._envelope.open(bytes(self._frame))
        except FrameError:
            return True
        return False
