"""What a register-map profile may say, as pydantic models, checked while it is read.

It owns the meaning of every key and all that can be found wrong without a device: names without a unit,
addresses past the end, values on top of each other, sequences that never write a power. Each problem
carries the place in the file. It reads no files and talks to no device.
"""

from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from drivers.modbus import codec
from drivers.modbus.exchange import WRITE_MAX
from drivers.modbus.plan import HOLE_MAX, Forbidden
from drivers.profile import ProfileBase, Strict
from gateway.model import QUANTITIES, UNITS, CommandClass

Type = Literal["u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64"]
Address = Annotated[int, Field(ge=0, le=65535, description="protocol address, 0-based as sent")]
Unit = Annotated[int, Field(ge=0, le=255)]
Watts = Annotated[int, Field(gt=0, le=10_000_000)]
Scale = Annotated[
    Fraction,
    PlainValidator(codec.parse_scale),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}], "default": 1}),
]
Direction = Literal["charge", "zero", "discharge"]
POWERS: frozenset[str] = frozenset({"power", "charge_power", "discharge_power"})
PLACEHOLDERS = POWERS | {"timeout_s", "timeout_min"}


def _unit_suffix(name: str) -> str:
    if name.rsplit("_", 1)[-1] not in UNITS or "_" not in name.strip("_"):
        raise ValueError(f"a point's name ends in its unit: one of _{', _'.join(UNITS)}")
    return name


PointName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$"), AfterValidator(_unit_suffix)]


def _nonempty(items: tuple[object, ...]) -> tuple[object, ...]:
    # not min_length: pydantic then also complains of an empty list when an item in it is wrong
    if not items:
        raise ValueError("at least one is needed")
    return items


NONEMPTY = AfterValidator(_nonempty)


def _number_or_placeholder(value: object) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value in PLACEHOLDERS:
        return value
    raise ValueError(f"must be a whole number or one of {', '.join(sorted(PLACEHOLDERS))}")


def _kind(value: object) -> str:
    """Which of the two a union is meant to be, so that one mistake gives one message."""
    return "register" if isinstance(value, dict | Strict) else "number"


def _wrong(at: tuple[str | int, ...], message: str, value: object) -> InitErrorDetails:
    error = PydanticCustomError("profile", "{reason}", {"reason": message})
    return InitErrorDetails(type=error, loc=at, input=value)


def _raise(title: str, problems: list[InitErrorDetails]) -> None:
    if problems:
        raise ValidationError.from_exception_data(title, problems)


class Value(Strict):
    """How one value lies in registers; canonical unit = register * scale, turned round by `negate`."""

    type: Type
    words: Literal["big", "little"] = Field(default="big", description="which 16 bits come first")
    scale: Scale = Fraction(1)
    negate: bool = Field(default=False, description="the device counts the other direction as positive")

    @property
    def signed_scale(self) -> Fraction:
        return -self.scale if self.negate else self.scale

    @property
    def little(self) -> bool:
        return self.words == "little"


class Register(Value):
    """One readable value at an address. `absent` lists patterns that mean "no value"."""

    address: Address
    table: Literal["holding", "input"] = "holding"
    unit: Unit | None = Field(default=None, description="another unit id than the device's")
    absent: tuple[int, ...] = ()
    mask: Annotated[int, Field(ge=0)] = Field(default=0, description="bits to pick, shifted down to bit 0")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        bits = 16 * codec.TYPES[self.type][1]
        problems = []
        if self.address + bits // 16 > 0x10000:
            problems.append(
                _wrong(("address",), f"{self.type} at {self.address} ends past 65535", self.address)
            )
        if self.mask and (self.type in codec.FLOATS or self.mask >= 2**bits):
            problems.append(_wrong(("mask",), f"mask does not fit {self.type}", self.mask))
        for n, pattern in enumerate(self.absent):
            try:
                codec.native_absent(self.type, pattern)
            except ValueError as problem:
                problems.append(_wrong(("absent", n), str(problem), pattern))
        _raise("Register", problems)
        return self

    def field(self, name: str, unit: int, low: int | None = None, high: int | None = None) -> codec.Field:
        """The codec's view; `unit` is the device's, `low` and `high` what is plausible."""
        return codec.Field(
            name,
            self.address,
            self.type,
            self.little,
            self.signed_scale,
            self.absent,
            self.mask,
            low,
            high,
            unit if self.unit is None else self.unit,
            self.table,
        )


class PointModel(Register):
    """A measured point. `min` and `max` are what is plausible, in the point's own unit."""

    min: int | None = None
    max: int | None = None
    poll: Literal["fast", "slow"] = "fast"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            _raise("Point", [_wrong(("min",), "min is above max", self.min)])
        return self


class ForbiddenModel(Strict):
    """Registers never to be read, both ends included."""

    table: Literal["holding", "input"] = "holding"
    first: Address
    last: Address

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.first > self.last:
            _raise("Forbidden", [_wrong(("last",), "last is before first", self.last)])
        return self


class Written(Value):
    """One value of a write: a number as the register takes it, or what stands for one."""

    value: Annotated[
        int | str,
        PlainValidator(_number_or_placeholder),
        WithJsonSchema({"anyOf": [{"type": "integer"}, {"enum": sorted(PLACEHOLDERS)}]}),
    ]


class Step(Strict):
    """One write request. Its values lie one after the other from `address` and go out together."""

    address: Address
    unit: Unit | None = None
    values: Annotated[tuple[Written, ...], NONEMPTY]
    when: Annotated[tuple[Direction, ...], NONEMPTY] = ("charge", "zero", "discharge")
    single: bool = Field(default=False, description="use function 6 instead of 16")
    if_changed: bool = Field(
        default=False, description="a stored setting: read first, write only if different"
    )

    @property
    def count(self) -> int:
        return sum(codec.TYPES[v.type][1] for v in self.values)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        problems = []
        if self.count > WRITE_MAX or self.address + self.count > 0x10000:
            problems.append(
                _wrong(("values",), f"{self.count} registers do not fit one write here", self.count)
            )
        if self.single and self.count != 1:
            problems.append(_wrong(("single",), "function 6 writes one register", self.single))
        for n, v in enumerate(self.values):
            if isinstance(v.value, int) and v.type not in codec.FLOATS:
                least, most = codec.native_range(v.type)
                if not least <= v.value <= most:
                    problems.append(_wrong(("values", n, "value"), f"does not fit {v.type}", v.value))
        _raise("Step", problems)
        return self


class Arm(Strict):
    """How the device's own reversion timer is set, and the register that tells it, in seconds."""

    write: Annotated[tuple[Step, ...], NONEMPTY]
    timer: Register


class Held(Strict):
    """A value of the mode register, and where the power then is: a register, or a constant 0."""

    mode: int
    power: Annotated[
        Annotated[Register, Tag("register")] | Annotated[Literal[0], Tag("number")], Discriminator(_kind)
    ]


class Required(Register):
    """A register that must hold `equals`, or the device does not obey."""

    equals: int


class ReadBackModel(Strict):
    """How to learn from the device what it holds. A mode not listed means: it does as it likes."""

    mode: Register
    held: Annotated[tuple[Held, ...], NONEMPTY]
    require: tuple[Required, ...] = ()


Nameplate = Annotated[
    Annotated[Register, Tag("register")] | Annotated[Watts, Tag("number")], Discriminator(_kind)
]


class SetpointModel(Strict):
    """How the device takes a battery power. W, + = discharge, before each value's own scale and sign."""

    command_class: CommandClass = Field(alias="class")
    charge_max: Nameplate
    discharge_max: Nameplate
    timeout_s: Annotated[int, Field(ge=0, le=86_400)] = 0
    refresh_s: Annotated[int, Field(ge=0, le=28_800)] = 0
    settle_s: Annotated[int, Field(ge=0, le=300)] = 5
    writes_per_day: Annotated[int, Field(ge=0, le=100_000)] = 0
    arm: Arm | None = None
    write: Annotated[tuple[Step, ...], NONEMPTY]
    read_back: ReadBackModel
    release: Annotated[tuple[Step, ...], NONEMPTY]

    @model_validator(mode="after")
    def _sound(self) -> Self:
        problems = []
        dies_alone = self.command_class in (CommandClass.SELF_EXPIRING, CommandClass.WATCHDOG)
        if dies_alone and not 0 < 3 * self.refresh_s <= self.timeout_s:
            problems.append(
                _wrong(("refresh_s",), "must be at most a third of timeout_s, and not 0", self.refresh_s)
            )
        if not dies_alone and self.timeout_s:
            problems.append(_wrong(("timeout_s",), f"a {self.command_class} device has none", self.timeout_s))
        if self.command_class is CommandClass.LATCHING_EEPROM and not self.writes_per_day:
            problems.append(_wrong(("writes_per_day",), "each write wears this device: set a budget", 0))
        for direction in ("charge", "discharge"):
            values = {v.value for s in self.write if direction in s.when for v in s.values}
            if not values & {"power", f"{direction}_power"}:
                problems.append(_wrong(("write",), f"no step writes the power of a {direction}", None))
        for n, step in enumerate(self.release):
            if any(not isinstance(v.value, int) for v in step.values):
                problems.append(_wrong(("release", n), "handing back writes constants only", None))
        _raise("Setpoint", problems)
        return self


class Text(Strict):
    """A string in registers, two characters each."""

    address: Address
    count: Annotated[int, Field(ge=1, le=64)]
    table: Literal["holding", "input"] = "holding"
    unit: Unit | None = None


class ModbusProfile(ProfileBase):
    """A device as a table of registers."""

    driver: Literal["modbus"]
    hole_max: Annotated[int, Field(ge=0, le=100)] = Field(
        default=HOLE_MAX,
        description="unread registers that one request may span; 0 for devices that refuse holes",
    )
    forbidden: tuple[ForbiddenModel, ...] = ()
    identity: dict[Literal["model", "serial", "firmware"], Text] = Field(default_factory=dict)
    points: Annotated[dict[PointName, PointModel], Field(min_length=1)]
    setpoint: SetpointModel | None = None

    @model_validator(mode="after")
    def _apart(self) -> Self:
        problems = _overlaps(self.points)
        for name, point in self.points.items():
            end = point.address + codec.TYPES[point.type][1]
            for bad in self.forbidden:
                if bad.table == point.table and bad.first < end and bad.last >= point.address:
                    text = f"lies in the forbidden range {bad.first}..{bad.last}"
                    problems.append(_wrong(("points", name, "address"), text, point.address))
            if name in QUANTITIES and "_limit_" in name and point.negate:
                problems.append(_wrong(("points", name, "negate"), "limits are magnitudes", point.negate))
        _raise("Profile", problems)
        return self

    def fields(self, unit: int, poll: str) -> tuple[codec.Field, ...]:
        """The points of one poll class, for a device with this unit id."""
        chosen = ((n, p) for n, p in self.points.items() if p.poll == poll)
        return tuple(p.field(n, unit, p.min, p.max) for n, p in chosen)

    def forbidden_ranges(self) -> tuple[Forbidden, ...]:
        return tuple(Forbidden(f.table, f.first, f.last) for f in self.forbidden)


def _overlaps(points: dict[str, PointModel]) -> list[InitErrorDetails]:
    """Points on top of each other. Bit fields may share exactly the same registers."""
    problems = []
    order = sorted(points.items(), key=lambda item: _place(item[1]))
    for (first_name, first), (name, point) in pairwise(order):
        if (first.unit, first.table) != (point.unit, point.table):
            continue
        same = (first.address, first.type, first.words) == (point.address, point.type, point.words)
        if same and first.mask and point.mask and not first.mask & point.mask:
            continue
        if point.address < first.address + codec.TYPES[first.type][1]:
            text = f"{point.type} at {point.address} lies on {first_name} at {first.address}"
            problems.append(_wrong(("points", name, "address"), text, point.address))
    return problems


def _place(point: PointModel) -> tuple[int, str, int]:
    return (-1 if point.unit is None else point.unit, point.table, point.address)
