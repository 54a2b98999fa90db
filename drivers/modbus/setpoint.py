"""The setpoint block of a profile: class, nameplate, ordered writes, timer, read-back and revert.

It owns what can be found wrong in a sequence of register writes without a device, beyond what
drivers.commandfile finds: a write that does not fit. Sequences are data: what is sound becomes the plain
types of drivers.command and drivers.modbus.table, which drivers.modbus.sequence turns into requests.
"""

from fractions import Fraction
from itertools import accumulate
from typing import Annotated, Literal, Self

from pydantic import Field, PlainValidator, Tag, WithJsonSchema, model_validator

from drivers import command
from drivers.command import MOSTS, POWERS
from drivers.commandfile import NONEMPTY, Direction, SetpointFile, StepFile, Watts, number_or
from drivers.modbus import codec
from drivers.modbus import table as tables
from drivers.modbus.plan import WRITE_MAX
from drivers.modbus.register import Address, Register, Unit, Value
from drivers.pointfile import raise_all, wrong
from drivers.profile import Strict

PLACEHOLDERS = POWERS | MOSTS | {"timeout_s", "timeout_min"}


def _number_or_placeholder(value: object) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value in PLACEHOLDERS:
        return value
    raise ValueError(f"must be a whole number or one of {', '.join(sorted(PLACEHOLDERS))}")


class Written(Value):
    """One value of a write: a number as the register takes it, or what stands for one."""

    value: Annotated[
        int | str,
        PlainValidator(_number_or_placeholder),
        WithJsonSchema({"anyOf": [{"type": "integer"}, {"enum": sorted(PLACEHOLDERS)}]}),
    ]

    def plain(self, address: int) -> tables.Written:
        native = isinstance(self.value, int)
        scale, zero = (Fraction(1), 0) if native else (self.signed_scale, self.zero)
        field = codec.Field(str(self.value), address, self.type, self.little, scale, zero=zero)
        return tables.Written(self.value, field)


class Step(StepFile):
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
                wrong(("values",), f"{self.count} registers do not fit one write here", self.count)
            )
        if self.single and self.count != 1:
            problems.append(wrong(("single",), "function 6 writes one register", self.single))
        for n, v in enumerate(self.values):
            if isinstance(v.value, int) and v.type not in codec.FLOATS:
                least, most = codec.native_range(v.type)
                if not least <= v.value <= most:
                    problems.append(wrong(("values", n, "value"), f"does not fit {v.type}", v.value))
        raise_all("Step", problems)
        return self

    def said(self, direction: Direction) -> tuple[int | str, ...]:
        return tuple(v.value for v in self.values) if direction in self.when else ()

    def plain(self) -> tables.Step:
        ends = accumulate((codec.TYPES[v.type][1] for v in self.values), initial=self.address)
        values = tuple(v.plain(at) for v, at in zip(self.values, ends, strict=False))
        return tables.Step(self.address, values, self.when, self.unit, self.single, self.if_changed)


class Arm(Strict):
    """How the device's own reversion timer is set, and the register that tells it, in seconds."""

    write: Annotated[tuple[Step, ...], NONEMPTY]
    timer: Register

    def plain(self) -> command.Arm[tables.Step, codec.Field]:
        return command.Arm(_steps(self.write), self.timer.field("timer"))


class Held(Strict):
    """A value of the mode register, and where the power then is: a register, a constant 0, or nowhere."""

    mode: int
    power: Annotated[
        Annotated[Register, Tag("register")] | Annotated[Literal[0, "untold"], Tag("number")],
        number_or("register"),
    ]

    def plain(self, name: str) -> command.Held[codec.Field]:
        field = self.power.field(name) if isinstance(self.power, Register) else None
        return command.Held(self.mode, field, self.power != "untold")


class Required(Register):
    """A register that must hold `equals`, or the device does not obey."""

    equals: int

    def plain(self, name: str) -> command.Required[codec.Field]:
        return command.Required(self.field(name), self.equals)


class ReadBackModel(Strict):
    """How to learn from the device what it holds. A mode not listed means: it does as it likes."""

    mode: Register
    held: Annotated[tuple[Held, ...], NONEMPTY]
    require: tuple[Required, ...] = ()


Nameplate = Annotated[
    Annotated[Register, Tag("register")] | Annotated[Watts, Tag("number")], number_or("register")
]


class SetpointModel(SetpointFile[Step, Arm, Nameplate, ReadBackModel]):
    """How the device takes a battery power. W, + = discharge, before each value's own scale and sign."""

    rating: Register | None = Field(
        default=None, description="the powers written and read back count parts of what this states, in W"
    )

    def plain(self) -> command.Setpoint[tables.Step, codec.Field]:
        return command.Setpoint(
            self.command_class,
            _nameplate("charge_max", self.charge_max),
            _nameplate("discharge_max", self.discharge_max),
            self.timeout_s,
            self.ends_s,
            self.refresh_s,
            self.settle_s,
            self.writes_per_day,
            self.arm.plain() if self.arm else None,
            _steps(self.write),
            self.read_back.mode.field("mode"),
            tuple(held.plain(f"power{n}") for n, held in enumerate(self.read_back.held)),
            tuple(one.plain(f"require{n}") for n, one in enumerate(self.read_back.require)),
            _steps(self.release),
            self.rating.field("rating", down=True) if self.rating else None,
        )


def _steps(steps: tuple[Step, ...]) -> tuple[tables.Step, ...]:
    return tuple(step.plain() for step in steps)


def _nameplate(name: str, stated: Register | int) -> codec.Field | int:
    return stated.field(name, down=True) if isinstance(stated, Register) else stated
