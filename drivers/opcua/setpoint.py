"""The setpoint block of a profile: class, nameplate, ordered writes, timer, read-back and revert.

It owns what can be found wrong in a sequence of writes to nodes without a device, beyond what
drivers.commandfile finds: a constant that does not fit its node, a mode that nothing tells. Sequences are
data: what is sound becomes the plain types of drivers.command and drivers.opcua.table, which
drivers.opcua.sequence turns into writes.
"""

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, PlainValidator, Tag, WithJsonSchema, model_validator

from drivers import command
from drivers.command import POWERS
from drivers.commandfile import NONEMPTY, Direction, SetpointFile, StepFile, Watts, number_or
from drivers.opcua import codec
from drivers.opcua import table as tables
from drivers.opcua.value import Readable, Value
from drivers.pointfile import raise_all, wrong
from drivers.profile import Strict

PLACEHOLDERS = POWERS | {"timeout_s", "count"}


def _number_or_placeholder(value: object) -> int | str:
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str) and value in PLACEHOLDERS:
        return value
    raise ValueError(f"must be a whole number, true, false, or one of {', '.join(sorted(PLACEHOLDERS))}")


class Step(StepFile, Value):
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

    def said(self, direction: Direction) -> tuple[int | str, ...]:
        return (self.value,) if direction in self.when else ()

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
        Annotated[Readable, Tag("node")] | Annotated[Literal[0], Tag("number")], number_or("node")
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


Nameplate = Annotated[Annotated[Readable, Tag("node")] | Annotated[Watts, Tag("number")], number_or("node")]


class SetpointModel(SetpointFile[Step, Arm, Nameplate, ReadBackModel]):
    """How the device takes a battery power. W, + = discharge, before each value's own scale and sign."""

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
