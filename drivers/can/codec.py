"""CAN frames to values in canonical units, from a table. Pure: bytes in, integers out, or FrameError.

A Table is made once from a profile (drivers.can.profile). Each place in a frame that carries something is
a slot; `decode` says what one frame tells of its slots. It refuses frames that are not in the table or
whose length is none of those the device sends; what such a frame says is never a reading. Sentinels are
ABSENT, what is out of its plausible range is INVALID, and both never a number that control could use.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from struct import calcsize, unpack_from

from gateway.driver import CanFrame
from gateway.errors import FrameError
from gateway.model import Quality

# name -> (struct letter, bytes, patterns that mean "not available" unless the profile says otherwise)
TYPES: Mapping[str, tuple[str, int, frozenset[int]]] = {
    "u8": ("B", 1, frozenset()),
    "s8": ("b", 1, frozenset()),
    "u16": ("H", 2, frozenset({0x8000, 0xFFFF})),
    "s16": ("h", 2, frozenset({0x8000})),  # 0xFFFF is -1, a current or temperature like any other
    "u32": ("I", 4, frozenset({0xFFFF_FFFF})),
    "s32": ("i", 4, frozenset({0x8000_0000})),
}


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
    """An integer in a frame. value = raw * numerator / denominator + offset, halves rounded up."""

    slot: int
    code: str  # of the struct module
    start: int
    numerator: int
    denominator: int
    offset: int
    turn: Turn
    absent: frozenset[int]
    least: int
    most: int
    # Not None: a finer copy of a value given before in the same frame; used when it agrees within this.
    # Several BMSs leave the bytes of the high-resolution SoC at zero.
    agrees_within: int | None = None

    @property
    def end(self) -> int:
        return self.start + calcsize(self.code)

    def read(self, data: bytes) -> tuple[int, Quality]:
        raw: int = unpack_from(self.code, data, self.start)[0]
        if raw & ((1 << 8 * calcsize(self.code)) - 1) in self.absent:
            return 0, Quality.ABSENT
        value = (2 * raw * self.numerator + self.denominator) // (2 * self.denominator) + self.offset
        if self.turn is Turn.NEGATE:
            value = -value
        elif self.turn is Turn.MAGNITUDE:
            value = abs(value)
        return value, Quality.GOOD if self.least <= value <= self.most else Quality.INVALID


@dataclass(frozen=True, slots=True)
class FlagSet:
    """Bits of a frame that raise bits of a flags point. A position is 8 * byte + bit.

    `pairs`: two bits each, 01 raised, 10 cleared, 00 and 11 not supported (SMA, Victron).
    """

    slot: int
    pairs: bool
    bits: tuple[tuple[int, int], ...]  # position in the frame, mask in the point
    end: int

    def read(self, data: bytes) -> int:
        word, value = int.from_bytes(data, "little"), 0
        width = 0b11 if self.pairs else 0b01
        for position, mask in self.bits:
            if word >> position & width == 0b01:
                value |= mask
        return value


@dataclass(frozen=True, slots=True)
class Gate:
    """An enable bit: cleared, it makes a limit 0."""

    slot: int
    position: int


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
    found: dict[int, tuple[int, Quality]] = {}
    for item in spec.fields:
        if item.end > len(data):
            continue
        value, quality = item.read(data)
        if item.agrees_within is not None and not _agrees(item, value, quality, found.get(item.slot)):
            continue
        found[item.slot] = (value, quality)
    for flags in spec.flags:
        if flags.end <= len(data):
            found[flags.slot] = (flags.read(data), Quality.GOOD)
    for gate in spec.gates:
        if gate.position < 8 * len(data):
            found[gate.slot] = (data[gate.position // 8] >> gate.position % 8 & 1, Quality.GOOD)
    texts = {(t.key, t.part): said for t in spec.texts if (said := t.read(data))}
    return Told(key, found, texts)


def _agrees(fine: Field, value: int, quality: Quality, coarse: tuple[int, Quality] | None) -> bool:
    return (
        quality is Quality.GOOD
        and coarse is not None
        and coarse[1] is Quality.GOOD
        and abs(value - coarse[0]) <= (fine.agrees_within or 0)
    )
