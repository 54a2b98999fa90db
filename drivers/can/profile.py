"""Profiles of CAN devices: the frame table as YAML data, checked, and compiled for the codec.

Another family of frames is another YAML file. It refuses what could make a wrong reading: fields that
overlap, that an accepted frame length would cut, names without a unit, points given twice, sentinels that
cannot come, and a battery's current or power whose sign nobody has thought of.
"""

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from drivers.can import codec
from drivers.can.heard import LIMITS
from drivers.can.table import CanTable, KeepAlive
from drivers.flags import FLAGS
from drivers.profile import Measuring, ProfileBase, Strict
from gateway.model import UNITS, Quantity

ID_MAX, ID_MAX_EXTENDED = 0x7FF, 0x1FFF_FFFF
SIGNED = frozenset({Quantity.BATTERY_CURRENT, Quantity.BATTERY_POWER})
STALE_MS = 5_000  # the model's own rule for a pushed value; limits are given 3 s in the profiles

Byte = Annotated[int, Field(ge=0, le=7)]
Bit = Annotated[int, Field(ge=0, le=63)]
Length = Annotated[int, Field(ge=0, le=8)]
Ratio = Annotated[str, Field(pattern=r"^[1-9]\d*/[1-9]\d*$")]


class FieldModel(Strict):
    """One number in a frame."""

    point: str = Field(description="name, ending in its unit: battery_voltage_mv")
    at: Byte = Field(description="first byte")
    type: Literal["u8", "s8", "u16", "s16", "u32", "s32"]
    scale: Annotated[int, Field(gt=0)] | Ratio = Field(
        default=1, description='canonical units in one bit on the wire, exact: 100 or "1/10"'
    )
    offset: int = Field(default=0, description="added after scaling, in canonical units")
    sign: Literal["plain", "magnitude", "battery"] = Field(
        default="plain",
        description="magnitude: without its sign; battery: turned to + = discharging by positive_current",
    )
    absent: list[Annotated[int, Field(ge=0)]] | None = Field(
        default=None, description="wire patterns that mean not available; the type's own if left out"
    )
    plausible: tuple[int, int] = Field(description="least and most in canonical units; beyond is INVALID")
    finer: bool = Field(
        default=False, description="a finer copy of the same point above it, used while both agree"
    )

    @field_validator("point")
    @classmethod
    def _has_unit(cls, name: str) -> str:
        return check_name(name)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        bits = 8 * codec.TYPES[self.type][1]
        if self.absent and max(self.absent) >= 1 << bits:
            raise ValueError(f"{self.point}: {max(self.absent):#x} does not fit {self.type}")
        if self.plausible[0] > self.plausible[1]:
            raise ValueError(f"{self.point}: plausible is least and most, in this order")
        if self.point in SIGNED and self.sign != "battery":
            raise ValueError(f"{self.point}: write sign: battery, and positive_current for the device")
        return self

    @property
    def end(self) -> int:
        return self.at + codec.TYPES[self.type][1]

    @property
    def ratio(self) -> Fraction:
        return Fraction(self.scale)


class FlagsModel(Strict):
    """Bits of a frame that raise bits of a flags point."""

    point: str
    form: Literal["bits", "pairs"] = Field(description="pairs: 01 raised, 10 cleared, 00 not supported")
    bits: dict[str, list[Bit]] = Field(description="flag: positions in the frame, 8 * byte + bit")

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.point not in FLAGS:
            raise ValueError(f"{self.point!r} is no flags point; these are: {', '.join(FLAGS)}")
        for name in self.bits:
            if name not in FLAGS[self.point]:
                known = ", ".join(FLAGS[self.point])
                raise ValueError(f"{self.point} has no flag {name!r}; it has: {known}")
        return self

    @property
    def end(self) -> int:
        width = 2 if self.form == "pairs" else 1
        return max(((p + width - 1) // 8 + 1 for ps in self.bits.values() for p in ps), default=0)


class TextModel(Strict):
    """A part of what the device says of itself."""

    key: Literal["vendor", "model", "serial", "firmware", "name"]
    form: Literal["ascii", "version"] = "ascii"
    part: Annotated[int, Field(ge=1, le=8)] = 1
    at: Byte = 0
    size: Annotated[int, Field(ge=1, le=8)] = 8


class FrameModel(Strict):
    """One CAN id: the lengths it comes in and what it carries."""

    id: Annotated[int, Field(ge=0, le=ID_MAX_EXTENDED)]
    extended: bool = Field(default=False, description="29-bit id")
    lengths: Annotated[list[Length], Field(min_length=1)] = Field(description="every other length is dropped")
    order: Literal["little", "big"] = "little"
    stale_ms: Annotated[int, Field(ge=100, le=600_000)] = STALE_MS
    points: tuple[FieldModel, ...] = ()
    flags: tuple[FlagsModel, ...] = ()
    gates: dict[str, Bit] = Field(default={}, description="limit: its enable bit; cleared makes it 0")
    texts: tuple[TextModel, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.extended and self.id > ID_MAX:
            raise ValueError(f"{self.id:#x} is above {ID_MAX:#x}: write extended: true if it has 29 bits")
        taken: dict[int, str] = {}
        for item in self.points:
            for byte in range(item.at, item.end):
                if byte in taken:
                    raise ValueError(f"{taken[byte]} and {item.point} overlap in byte {byte}")
                taken[byte] = item.point
        for length in self.lengths:
            for item in self.points:
                if item.at < length < item.end:
                    raise ValueError(f"a frame of {length} bytes would cut {item.point}")
        for name, end in self._ends():
            if end > max(self.lengths):
                raise ValueError(f"{name} ends at byte {end}, beyond the longest frame")
        return self

    def _ends(self) -> list[tuple[str, int]]:
        ends = [(item.point, item.end) for item in self.points]
        ends += [(flags.point, flags.end) for flags in self.flags]
        return ends + [(name, bit // 8 + 1) for name, bit in self.gates.items()]


class KeepAliveModel(Strict):
    """What a battery must hear now and then, so that it knows its inverter is there."""

    id: Annotated[int, Field(ge=0, le=ID_MAX)]
    data: Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{2}){0,8}$")] = "00" * 8
    every_ms: Annotated[int, Field(ge=100, le=60_000)] = 1000

    def plain(self) -> KeepAlive:
        return KeepAlive(self.id, bytes.fromhex(self.data), self.every_ms)


class CanProfile(ProfileBase):
    """A device that speaks by itself on a CAN bus."""

    driver: Literal["can"]
    role: Measuring
    bitrate: Annotated[int, Field(ge=10_000, le=1_000_000)] = 500_000
    positive_current: Literal["charging", "discharging"] = Field(
        default="charging", description="what a positive battery current means on the wire"
    )
    keep_alive: KeepAliveModel | None = None
    anchors: Annotated[list[int], Field(min_length=1)] = Field(
        description="ids that every set has: the device is there when all were heard, a sample is due then"
    )
    frames: Annotated[list[FrameModel], Field(min_length=1, max_length=64)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ids = [frame.id for frame in self.frames]
        if twice := {i for i in ids if ids.count(i) > 1}:
            raise ValueError(f"frame {min(twice):#x} is written twice")
        if missing := set(self.anchors) - set(ids):
            raise ValueError(f"anchor {min(missing):#x} is none of the frames")
        if self.keep_alive and self.keep_alive.id in ids:
            raise ValueError(f"{self.keep_alive.id:#x} is sent as keep-alive and cannot be a frame too")
        self._check_points()
        return self

    def table(self) -> CanTable:
        """The plain form that the driver takes."""
        alive = self.keep_alive.plain() if self.keep_alive else None
        return CanTable(self.vendor, self.bitrate, compile_table(self), alive)

    def _check_points(self) -> None:
        """Each value has one home; a finer copy and an enable bit refer to one that exists."""
        given: dict[str, int] = {}
        for frame in self.frames:
            for item in frame.points:
                if item.finer and given.get(item.point) != frame.id:
                    raise ValueError(f"{item.point}: a finer copy must follow the point in the same frame")
                if not item.finer and item.point in given:
                    raise ValueError(f"{item.point} is given by {given[item.point]:#x} and {frame.id:#x}")
                given[item.point] = frame.id
        for frame in self.frames:
            for name in frame.gates:
                if name not in given:
                    raise ValueError(f"{frame.id:#x} enables {name!r}, which no frame gives")
                if name not in LIMITS:
                    raise ValueError(f"{frame.id:#x} enables {name!r}, which is no limit that could be 0")
            if mixed := given.keys() & {flags.point for flags in frame.flags}:
                raise ValueError(f"{min(mixed)} is a number and flags")
        if lacking := self.unmeasured(given):
            raise ValueError(f"derating is over {lacking[0]}, which no frame gives")


def check_name(name: str) -> str:
    """A point's name, if it ends in a unit; ValueError otherwise."""
    stem, _, unit = name.rpartition("_")
    if not stem or not name.isascii() or unit not in UNITS:
        raise ValueError(f"{name!r} must end in one of the units _{', _'.join(UNITS)}")
    return name


def compile_table(profile: CanProfile) -> codec.Table:
    """The codec's table of a checked profile."""
    points: dict[str, int] = {}
    slots: list[codec.Slot] = []
    values: dict[str, int] = {}

    def slot(name: str, role: codec.Role, stale_ms: int) -> int:
        slots.append(codec.Slot(points.setdefault(name, len(points)), role, stale_ms))
        return len(slots) - 1

    frames: dict[codec.Key, codec.FrameSpec] = {}
    for frame in profile.frames:
        fields = []
        for item in frame.points:
            if not item.finer:
                values[item.point] = slot(item.point, codec.Role.VALUE, frame.stale_ms)
            fields.append(_field(profile, frame, item, values[item.point]))
        flags = tuple(_flags(f, slot(f.point, codec.Role.FLAGS, frame.stale_ms)) for f in frame.flags)
        gates = tuple(
            codec.Gate(slot(name, codec.Role.GATE, frame.stale_ms), position)
            for name, position in frame.gates.items()
        )
        texts = tuple(
            codec.Text(t.key, t.part, t.at, t.at + t.size, t.form == "version") for t in frame.texts
        )
        frames[frame.id, frame.extended] = codec.FrameSpec(
            frame.id, frame.extended, frozenset(frame.lengths), tuple(fields), flags, gates, texts
        )
    anchors = frozenset(key for key in frames if key[0] in profile.anchors)
    return codec.Table(_with_power(points), tuple(slots), frames, anchors, _power(points))


def _with_power(points: dict[str, int]) -> tuple[str, ...]:
    names = tuple(points)
    return (*names, Quantity.BATTERY_POWER.value) if _power(points) else names


def _power(points: dict[str, int]) -> tuple[int, int, int] | None:
    """Voltage and current make the power that the device does not send."""
    voltage, current = points.get(Quantity.BATTERY_VOLTAGE), points.get(Quantity.BATTERY_CURRENT)
    if voltage is None or current is None or Quantity.BATTERY_POWER in points:
        return None
    return voltage, current, len(points)


def _field(profile: CanProfile, frame: FrameModel, item: FieldModel, slot: int) -> codec.Field:
    letter, _, absent = codec.TYPES[item.type]
    turn = codec.Turn.PLAIN
    if item.sign == "magnitude":
        turn = codec.Turn.MAGNITUDE
    elif item.sign == "battery" and profile.positive_current == "charging":
        turn = codec.Turn.NEGATE
    coarse = next((c for c in frame.points if c.point == item.point and not c.finer), item)
    return codec.Field(
        slot=slot,
        code=("<" if frame.order == "little" else ">") + letter,
        start=item.at,
        numerator=item.ratio.numerator,
        denominator=item.ratio.denominator,
        offset=item.offset,
        turn=turn,
        absent=absent if item.absent is None else frozenset(item.absent),
        least=item.plausible[0],
        most=item.plausible[1],
        agrees_within=-(-coarse.ratio.numerator // coarse.ratio.denominator) if item.finer else None,
    )


def _flags(flags: FlagsModel, slot: int) -> codec.FlagSet:
    known = FLAGS[flags.point]
    bits = tuple((p, 1 << known[name]) for name, positions in flags.bits.items() for p in positions)
    return codec.FlagSet(slot, flags.form == "pairs", bits, flags.end)
