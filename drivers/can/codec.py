"""CAN frames to values in canonical units, from a table. Pure: bytes in, integers out, or FrameError.

A Table is made once from a profile and its DBC (drivers.can.compiler). Each place in a frame that carries
something is a slot; `decode` says what one frame tells of its slots. It refuses frames that are not in the
table or whose length is none of those the device sends; what such a frame says is never a reading.
Sentinels are ABSENT, what is out of its plausible range is INVALID, and both never a number that control
could use.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from gateway.driver import CanFrame
from gateway.errors import FrameError
from gateway.model import Quality

BITS_MAX = 32  # of one value


Words = tuple[int, int]  # a frame's bytes as one number, little-endian and big-endian


def words(data: bytes) -> Words:
    return int.from_bytes(data, "little"), int.from_bytes(data.ljust(8, b"\0"), "big")


@dataclass(frozen=True, slots=True)
class Place:
    """Some bits of a frame that are one integer, wherever they begin, in bytes `first` to before `end`."""

    big: bool
    shift: int  # of the lowest bit in the word of this order
    length: int
    signed: bool
    first: int
    end: int

    @property
    def bits(self) -> int:
        """Which of a frame's bits, as a mask that is the same for both orders."""
        mask = (1 << self.length) - 1 << self.shift
        return int.from_bytes(mask.to_bytes(8, "big"), "little") if self.big else mask

    def pattern(self, words: Words) -> int:
        """The bits as they are, for what is compared bit by bit."""
        return words[self.big] >> self.shift & (1 << self.length) - 1

    def number(self, pattern: int) -> int:
        """The bits as the number that they are."""
        return pattern - (1 << self.length) if self.signed and pattern >> self.length - 1 else pattern


def place(start: int, length: int, *, big: bool, signed: bool) -> Place:
    """By a DBC's counting, 8 * byte + bit: `start` is the lowest bit of a little-endian number and the
    highest of a big-endian one."""
    first, bit = divmod(start, 8)
    last = 8 * first + (7 - bit if big else bit) + length  # bits of the frame up to its end
    return Place(big, 64 - last if big else start, length, signed, first, -(-last // 8))


Pages = tuple[tuple[Place, frozenset[int]], ...]  # each selector, and its values at which something is there


class Turn(Enum):
    """What is done to a wire value's sign."""

    PLAIN = 0
    NEGATE = 1
    MAGNITUDE = 2


class Role(Enum):
    """What a slot contributes to its point."""

    VALUE = 0
    FLAGS = 1  # or-ed with the point's other slots
    GATE = 2  # 0 forbids: the point, a limit, counts as 0


@dataclass(frozen=True, slots=True)
class Slot:
    """One contribution of one frame to the point with index `point`."""

    point: int
    role: Role
    stale_ms: int


@dataclass(frozen=True, slots=True)
class Field:
    """A number in a frame. value = (raw * numerator + addend) / denominator, halves rounded up."""

    slot: int
    place: Place
    numerator: int
    denominator: int
    addend: int
    turn: Turn
    absent: frozenset[int]  # patterns
    least: int
    most: int
    pages: Pages = ()
    # Not None: a finer copy of a value given before in the same frame; used when it agrees within this.
    # Several BMSs leave the bytes of the high-resolution SoC at zero.
    agrees_within: int | None = None

    def read(self, words: Words) -> tuple[int, Quality]:
        pattern = self.place.pattern(words)
        if pattern in self.absent:
            return 0, Quality.ABSENT
        scaled = self.place.number(pattern) * self.numerator + self.addend
        value = (2 * scaled + self.denominator) // (2 * self.denominator)
        if self.turn is Turn.NEGATE:
            value = -value
        elif self.turn is Turn.MAGNITUDE:
            value = abs(value)
        return value, Quality.GOOD if self.least <= value <= self.most else Quality.INVALID


@dataclass(frozen=True, slots=True)
class FlagSet:
    """What of a frame raises bits of a flags point: where, at which value, which mask. Any other value of
    the same bits raises nothing, so "not supported" is not an alarm."""

    slot: int
    bits: tuple[tuple[Place, int, int], ...]
    end: int
    pages: Pages = ()

    def read(self, words: Words) -> int:
        value = 0
        for place, raised, mask in self.bits:
            if place.pattern(words) == raised:
                value |= mask
        return value


@dataclass(frozen=True, slots=True)
class Gate:
    """An enable bit: cleared, it makes a limit 0."""

    slot: int
    place: Place
    pages: Pages = ()


@dataclass(frozen=True, slots=True)
class Text:
    """A part of what the device says of itself. `version`: bytes as hex digits, "1.17"."""

    key: str
    part: int
    start: int
    end: int
    version: bool

    def read(self, data: bytes) -> str:
        """Printable ASCII without padding, or "" (also for anything else than printable ASCII)."""
        raw = data[self.start : self.end]
        if self.version:
            return f"{raw[0]:x}." + "".join(f"{b:02x}" for b in raw[1:]) if len(raw) > 1 else ""
        raw = raw.split(b"\0")[0]
        return raw.decode("ascii").strip() if all(0x20 <= b < 0x7F for b in raw) else ""


@dataclass(frozen=True, slots=True)
class FrameSpec:
    """Everything one CAN id carries. `lengths` are the only DLCs that are believed."""

    id: int
    extended: bool
    lengths: frozenset[int]
    fields: tuple[Field, ...] = ()
    flags: tuple[FlagSet, ...] = ()
    gates: tuple[Gate, ...] = ()
    texts: tuple[Text, ...] = ()


Key = tuple[int, bool]  # id, extended


@dataclass(frozen=True, slots=True)
class Table:
    """A compiled profile. `power` are the indices of voltage, current and the power made of them."""

    points: tuple[str, ...]
    slots: tuple[Slot, ...]
    frames: Mapping[Key, FrameSpec]
    anchors: frozenset[Key]
    power: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What one frame told: per slot its value and quality; texts by key and part."""

    key: Key
    slots: Mapping[int, tuple[int, Quality]]
    texts: Mapping[tuple[str, int], str] = field(default_factory=dict)


def decode(table: Table, frame: CanFrame) -> Told:
    """What `frame` says. Fields beyond its length are left out. FrameError: not one of the table's."""
    key, data = (frame.id, frame.extended), frame.data
    spec = table.frames.get(key)
    if spec is None:
        raise FrameError(f"frame {frame.id:#x} is none of this device's")
    if len(data) not in spec.lengths:
        raise FrameError(f"frame {frame.id:#x} has {len(data)} bytes, not {sorted(spec.lengths)}")
    size, both = len(data), words(data)
    found: dict[int, tuple[int, Quality]] = {}
    for item in spec.fields:
        if item.place.end > size or not _shown(item.pages, both, size):
            continue
        value, quality = item.read(both)
        if item.agrees_within is not None and not _agrees(item, value, quality, found.get(item.slot)):
            continue
        found[item.slot] = (value, quality)
    for flags in spec.flags:
        if flags.end <= size and _shown(flags.pages, both, size):
            found[flags.slot] = (flags.read(both), Quality.GOOD)
    for gate in spec.gates:
        if gate.place.end <= size and _shown(gate.pages, both, size):
            found[gate.slot] = (gate.place.pattern(both), Quality.GOOD)
    texts = {(t.key, t.part): said for t in spec.texts if (said := t.read(data))}
    return Told(key, found, texts)


def _shown(pages: Pages, both: Words, size: int) -> bool:
    """A multiplexed message has several meanings: is this the one?"""
    return not pages or all(place.end <= size and place.pattern(both) in values for place, values in pages)


def _agrees(fine: Field, value: int, quality: Quality, coarse: tuple[int, Quality] | None) -> bool:
    return (
        quality is Quality.GOOD
        and coarse is not None
        and coarse[1] is Quality.GOOD
        and abs(value - coarse[0]) <= (fine.agrees_within or 0)
    )
