"""The setpoint block of a profile: class, nameplate, ordered writes, timer, read-back and revert.

It owns what can be found wrong in a sequence without a device: a direction that writes no power, a constant
that does not fit its node, a refresh that comes too late. Sequences are data: what is sound becomes the plain
types of drivers.command and drivers.opcua.table, which drivers.opcua.sequence turns into writes.
"""

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import InitErrorDetails

from drivers import command
from drivers.command import POWERS
from drivers.opcua import codec
from drivers.opcua import table as tables
from drivers.opcua.value import Readable, Value
from drivers.pointfile import raise_all, wrong
from drivers.profile import Strict
from gateway.model import CommandClass

Watts = Annotated[int, Field(gt=0, le=10_000_000)]
Direction = Literal["charge", "zero", "discharge"]
PLACEHOLDERS = POWERS | {"timeout_s", "count"}


def _nonempty(items: tuple[object, ...]) -> tuple[object, ...]:
    # not min_length: pydantic then also complains of an empty list when an item in it is wrong
    if not items:
        raise ValueError("at least one is needed")
    return items


NONEMPTY = AfterValidator(_nonempty)


def _number_or_placeholder(value: object) -> int | str:
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str) and value in PLACEHOLDERS:
        return value
    raise ValueError(f"must be a whole number, true, false, or one of {', '.join(sorted(PLACEHOLDERS))}")


def _kind(value: object) -> str:
    """Which of the two a union is meant to be, so that one mistake gives one message."""
    return "node" if isinstance(value, dict | Strict) else "number"


class Step(Value):
    """One value written to one node: a number as the node takes it, or what stands for one (count: another
    number with each write, for devices that watch a heartbeat)."""

    value: Annotated[
        int | str,
        PlainValidator(_number_or_placeholder),
        WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "boolean"}, {"enum": sorted(PLACEHOLDERS)}]}),
    ]
    when: Annotated[tuple[Direction, ...], NONEMPTY] = ("charge", "zero", "discharge")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        problems = []
        bounds = codec.TYPES[self.type]
        if isinstance(self.value, int) and bounds and not bounds[0] <= self.value <= bounds[1]:
            problems.append(wrong(("value",), f"does not fit {self.type}", self.value))
        if self.value == "count" and bounds is None:
            problems.append(wrong(("type",), "a heartbeat is a whole number or a Boolean", self.type))
        if self.value in POWERS | {"timeout_s"} and self.type == "Boolean":
            problems.append(wrong(("type",), f"a Boolean holds no {self.value}", self.type))
        raise_all("Step", problems)
        return self

    def plain(self, namespace: str) -> tables.Step:
        scale = self.signed_scale if self.value in POWERS | {"timeout_s"} else Fraction(1)
        field = codec.Field(str(self.value), self.at(namespace), self.type, scale)
        return tables.Step(self.value, field, self.when)


class Arm(Strict):
    """How the device's own reversion timer is set, and the node that tells it, in seconds."""

    write: Annotated[tuple[Step, ...], NONEMPTY]
    timer: Readable


class Held(Strict):
    """A value of the mode node, and where the power then is: a node, or a constant 0."""

    mode: int | None = Field(default=None, description="left out where there is no mode node")
    power: Annotated[
        Annotated[Readable, Tag("node")] | Annotated[Literal[0], Tag("number")], Discriminator(_kind)
    ]


class Required(Readable):
    """A node that must hold `equals`, or the device does not obey."""

    equals: int


class ReadBackModel(Strict):
    """How to learn from the device what it holds. A mode not listed means: it does as it likes."""

    mode: Readable | None = None
    held: Annotated[tuple[Held, ...], NONEMPTY]
    require: tuple[Required, ...] = ()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        problems = []
        for n, held in enumerate(self.held):
            if (held.mode is None) == (self.mode is not None):
                text = "say which mode this is" if self.mode else "there is no mode node to hold it"
                problems.append(wrong(("held", n, "mode"), text, held.mode))
        if self.mode is None and len(self.held) > 1:
            problems.append(wrong(("held",), "without a mode node there is one power", len(self.held)))
        raise_all("ReadBack", problems)
        return self


Nameplate = Annotated[
    Annotated[Readable, Tag("node")] | Annotated[Watts, Tag("number")], Discriminator(_kind)
]


class SetpointModel(Strict):
    """How the device takes a battery power. W, + = discharge, before each value's own scale and sign."""

    command_class: CommandClass = Field(alias="class")
    charge_max: Nameplate
    discharge_max: Nameplate
    timeout_s: Annotated[int, Field(ge=0, le=86_400)] = 0
    ends_s: Annotated[int, Field(ge=0, le=86_400)] = Field(
        default=0, description="the longest that any source says it takes, where they disagree"
    )
    refresh_s: Annotated[int, Field(ge=0, le=28_800)] = 0
    settle_s: Annotated[int, Field(ge=0, le=300)] = 5
    writes_per_day: Annotated[int, Field(ge=0, le=100_000)] = 0
    arm: Arm | None = None
    write: Annotated[tuple[Step, ...], NONEMPTY]
    read_back: ReadBackModel
    release: Annotated[tuple[Step, ...], NONEMPTY]

    @model_validator(mode="after")
    def _sound(self) -> Self:
        raise_all("Setpoint", self._of_times() + self._of_writes())
        return self

    def _of_times(self) -> list[InitErrorDetails]:
        problems = []
        dies_alone = self.command_class in (CommandClass.SELF_EXPIRING, CommandClass.WATCHDOG)
        if dies_alone and not 0 < 3 * self.refresh_s <= self.timeout_s:
            problems.append(
                wrong(("refresh_s",), "must be at most a third of timeout_s, and not 0", self.refresh_s)
            )
        if self.command_class is CommandClass.SELF_EXPIRING and self.arm is None:
            problems.append(wrong(("arm",), "a self-expiring device needs its timer set and read", None))
        if not dies_alone and self.timeout_s:
            problems.append(wrong(("timeout_s",), f"a {self.command_class} device has none", self.timeout_s))
        if self.ends_s and self.ends_s < self.timeout_s:
            problems.append(wrong(("ends_s",), "must be as long as timeout_s at least", self.ends_s))
        if self.command_class is CommandClass.LATCHING_EEPROM and not self.writes_per_day:
            problems.append(wrong(("writes_per_day",), "each write wears this device: set a budget", 0))
        return problems

    def _of_writes(self) -> list[InitErrorDetails]:
        problems = []
        for direction in ("charge", "discharge"):
            values = {step.value for step in self.write if direction in step.when}
            if not values & {"power", f"{direction}_power"}:
                problems.append(wrong(("write",), f"no step writes the power of a {direction}", None))
        for n, step in enumerate(self.release):
            if not isinstance(step.value, int):
                problems.append(wrong(("release", n), "handing back writes constants only", step.value))
        return problems

    def nodes(self) -> list[Value]:
        """Every node it names."""
        found: list[Value] = [*self.write, *self.release, *self.read_back.require]
        found += [held.power for held in self.read_back.held if isinstance(held.power, Readable)]
        found += [stated for stated in (self.charge_max, self.discharge_max) if isinstance(stated, Readable)]
        found += [self.read_back.mode] if self.read_back.mode else []
        return found + ([*self.arm.write, self.arm.timer] if self.arm else [])

    def plain(self, namespace: str) -> command.Setpoint[tables.Step, codec.Field]:
        back = self.read_back
        return command.Setpoint(
            self.command_class,
            _nameplate("charge_max", self.charge_max, namespace),
            _nameplate("discharge_max", self.discharge_max, namespace),
            self.timeout_s,
            self.ends_s,
            self.refresh_s,
            self.settle_s,
            self.writes_per_day,
            command.Arm(_steps(self.arm.write, namespace), self.arm.timer.field("timer", namespace))
            if self.arm
            else None,
            _steps(self.write, namespace),
            back.mode.field("mode", namespace) if back.mode else None,
            tuple(_held(held, f"power{n}", namespace) for n, held in enumerate(back.held)),
            tuple(
                command.Required(one.field(f"require{n}", namespace), one.equals)
                for n, one in enumerate(back.require)
            ),
            _steps(self.release, namespace),
        )


def _held(held: Held, name: str, namespace: str) -> command.Held[codec.Field]:
    power = held.power.field(name, namespace) if isinstance(held.power, Readable) else None
    return command.Held(held.mode, power)


def _steps(steps: tuple[Step, ...], namespace: str) -> tuple[tables.Step, ...]:
    return tuple(step.plain(namespace) for step in steps)


def _nameplate(name: str, stated: Readable | int, namespace: str) -> codec.Field | int:
    return stated.field(name, namespace, down=True) if isinstance(stated, Readable) else stated
