"""What a family of BMS frames is: a table of requests, an assembler for what comes back, a decoder.

A link (serial, Bluetooth) asks `requests` at each poll and `introduction` once after connecting, feeds
what arrives to an assembler, and hands each frame that answers to `decode`. Nothing here does I/O or knows
the time: how long a reply may take, and when a partial frame is given up (`reset`), is the link's business.
It refuses to guess: a frame whose checksum, length, end, address or kind is not right is no reading.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.errors import FrameError

ANY = -1  # kind of a reply that does not say what it answers: it is what was asked, if it decodes as that
BUFFER_MAX = 1024  # bytes that wait for their end; the longest frame of all families is 4 times shorter

# Point -> canonical units. What the device does not tell, or marks as not available, is not in it.
Values = dict[str, int]


@dataclass(frozen=True, slots=True)
class Frame:
    """One checked reply: its envelope is off. `refused` is the device's own error code, 0 for none."""

    kind: int
    data: bytes
    address: int = 0  # of the sender; 0 where the family has none
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """Bytes to send, the kind of frame that answers, and how long both are, for the plan."""

    name: str
    data: bytes
    kind: int
    reply_max: int  # bytes
    optional: bool = False  # not every device of the family answers it

    def answered_by(self, frame: Frame, address: int) -> bool:
        return frame.address == address and frame.kind in (self.kind, ANY)


@dataclass(frozen=True, slots=True)
class Envelope:
    """How frames are found in a stream. All functions are pure.

    `starts`: what a frame begins with. `measure` gives the whole length once `head` bytes are there, 0 if
    this is no frame. `open` checks a whole frame: the Frame, None for what is somebody's request (the echo of
    ours too), FrameError if it is damaged.
    """

    starts: tuple[bytes, ...]
    head: int
    measure: Callable[[bytes], int]
    open: Callable[[bytes], Frame | None]


class Assembler:
    """Bytes as they come, to frames. Bounded: what finds no end in BUFFER_MAX is garbage."""

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._buffer = bytearray()
        self.dropped = 0  # frames that could not be believed, since the link was made

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes, oldest first."""
        self._buffer += data
        frames: list[Frame] = []
        while self._seek():
            length = self._length()
            if length is None or len(self._buffer) < length:
                break
            self._take(length, frames)
        return frames

    def beyond(self) -> list[Frame]:
        """The frames behind a beginning that has no end so far: noise may look like one, or like several.
        Without any it goes on waiting: nothing is lost of a frame that comes with pauses."""
        behind, frames = self, list[Frame]()
        while not frames and behind.partial:
            rest = bytes(behind._buffer[1:])
            behind = Assembler(self._envelope)
            frames = behind.feed(rest)
        if frames:
            self._buffer = behind._buffer
        return frames

    def reset(self) -> None:
        """Forget a partial frame: its rest is not coming, or is not for us."""
        self._buffer.clear()

    @property
    def partial(self) -> bool:
        """Whether the beginning of something waits for its end."""
        return bool(self._buffer)

    def _seek(self) -> bool:
        """Bring the first start to the front; False when there is none. What may become one stays."""
        buffer, starts = self._buffer, self._envelope.starts
        found = [at for start in starts if (at := buffer.find(start)) >= 0]
        if not found:
            begun = range(max(0, len(buffer) + 1 - max(map(len, starts))), len(buffer))
            found = [at for at in begun if any(start.startswith(buffer[at:]) for start in starts)]
        del buffer[: min(found, default=len(buffer))]
        return bool(buffer)

    def _length(self) -> int | None:
        """Of the frame at the front; None while that is not known."""
        if len(self._buffer) < self._envelope.head:
            return None
        length = self._envelope.measure(bytes(self._buffer[: self._envelope.head]))
        return length if 0 < length <= BUFFER_MAX else 0

    def _take(self, length: int, frames: list[Frame]) -> None:
        """Open the frame at the front. What is none costs its first byte: the next may begin inside it."""
        if length:
            try:
                frame = self._envelope.open(bytes(self._buffer[:length]))
            except FrameError:
                self.dropped += 1
            else:
                del self._buffer[:length]
                if frame is not None:
                    frames.append(frame)
                return
        del self._buffer[:1]


@dataclass(frozen=True, slots=True)
class Secrets:
    """What frames say that is not to be given away: serial numbers, passwords, people's own names. `places`
    are bytes of a frame, by as much of it as came; `seal` gives a whole frame its checksum, the last `sum`
    bytes."""

    places: Callable[[bytes], tuple[range, ...]] = lambda _frame: ()
    seal: Callable[[bytes], bytes] = lambda frame: frame
    sum: int = 0
    instead: bytes = b"X"  # of each place, again and again


NO_SECRETS = Secrets()


@dataclass(frozen=True, slots=True)
class Family:
    """Frames of one family. `points` are all that `decode` may ever give."""

    name: str
    points: tuple[str, ...]
    envelope: Callable[[], Envelope]  # a new one for each session: some learn a variant as they go
    requests: Callable[[int], tuple[Request, ...]]  # address -> what a poll asks
    decode: Callable[[int, bytes], Values]  # kind, data; FrameError when that is not what its kind says
    introduction: Callable[[int], tuple[Request, ...]] = lambda _address: ()
    texts: Callable[[int, bytes], Mapping[str, str]] = lambda _kind, _data: {}
    addresses: range = field(default=range(1))  # that a device may have; one: the family knows none
    tells_limits: bool = False  # whether the device states its charge and discharge limit
    secrets: Secrets | None = None  # None: not known
    # By how much a point may change from one poll to the next. One byte of sum passes one of 256 damaged
    # frames: what changes more is asked for once more, and believed if it is told again.
    steady: Mapping[str, int] = field(default_factory=dict)

    def assembler(self) -> Assembler:
        return Assembler(self.envelope())
