"""The data of a frame, taken one field after the other, and the text in it. Pure.

It refuses to read past the end and to leave anything over: either is a frame that is not what it was taken
for.
"""

from gateway.errors import FrameError


def text(raw: bytes) -> str:
    """What stands before the first zero. A device's name is shown and never obeyed: what is no ASCII in it is
    replaced."""
    return raw.split(b"\0")[0].decode("ascii", "replace").strip()


class Fields:
    """Big-endian fields of `data`, in order."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data, self._what, self._at = data, what, 0

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise FrameError(f"{self._what}: {len(self._data)} bytes are too few")
        taken, self._at = self._data[self._at : end], end
        return taken

    def number(self, size: int, *, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "big", signed=signed)

    def counted(self, most: int) -> int:
        """A number of things that follow."""
        count = self.number(1)
        if count > most:
            raise FrameError(f"{self._what}: {count} of at most {most}")
        return count

    def numbers(self, count: int, size: int) -> list[int]:
        return [self.number(size) for _ in range(count)]

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def end(self) -> None:
        if self.left:
            raise FrameError(f"{self._what}: {self.left} bytes too many")
