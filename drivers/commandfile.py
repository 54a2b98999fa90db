"""A profile's setpoint block as it is written, checked while it is read: what registers and nodes say alike.

It owns the class, the times and the order of a block, and what can be found wrong in these without a device:
a refresh that comes too late, a direction that writes no power, a release that is no constant. What a step
writes and where a value is read are the protocol's. A running site does not load it: drivers.command is what
becomes of it.
"""

from abc import abstractmethod
from typing import Annotated, Generic, Literal, Self, TypeVar, get_args

from pydantic import AfterValidator, Discriminator, Field, model_validator
from pydantic_core import InitErrorDetails

from drivers.command import MOSTS
from drivers.pointfile import raise_all, wrong
from drivers.profile import Strict
from gateway.model import CommandClass

Watts = Annotated[int, Field(gt=0, le=10_000_000)]
Direction = Literal["charge", "zero", "discharge"]


def _nonempty(items: tuple[object, ...]) -> tuple[object, ...]:
    # not min_length: pydantic then also complains of an empty list when an item in it is wrong
    if not items:
        raise ValueError("at least one is needed")
    return items


NONEMPTY = AfterValidator(_nonempty)


def number_or(place: str) -> Discriminator:
    """Of a union tagged "number" and `place`: which of the two is meant, so that one mistake gives one
    message."""
    return Discriminator(lambda value: place if isinstance(value, dict | Strict) else "number")


class StepFile(Strict):
    """What a sequence writes at once."""

    @abstractmethod
    def said(self, direction: Direction) -> tuple[int | str, ...]:
        """What it writes in this direction: numbers, or what stands for one. Nothing where it is left out."""


StepT = TypeVar("StepT", bound=StepFile)
ArmT = TypeVar("ArmT", bound=Strict)
NameplateT = TypeVar("NameplateT")
BackT = TypeVar("BackT", bound=Strict)


def _placed(step: StepFile) -> set[str]:
    return {v for towards in get_args(Direction) for v in step.said(towards) if isinstance(v, str)}


class SetpointFile(Strict, Generic[StepT, ArmT, NameplateT, BackT]):
    """The block, whatever its values lie in."""

    command_class: CommandClass = Field(alias="class")
    charge_max: NameplateT
    discharge_max: NameplateT
    timeout_s: Annotated[int, Field(ge=0, le=86_400)] = 0
    ends_s: Annotated[int, Field(ge=0, le=86_400)] = Field(
        default=0, description="the longest that any source says it takes, where they disagree"
    )
    refresh_s: Annotated[int, Field(ge=0, le=28_800)] = 0
    settle_s: Annotated[int, Field(ge=0, le=300)] = 5
    writes_per_day: Annotated[int, Field(ge=0, le=100_000)] = 0
    arm: ArmT | None = None
    write: Annotated[tuple[StepT, ...], NONEMPTY]
    read_back: BackT
    release: Annotated[tuple[StepT, ...], NONEMPTY]

    @model_validator(mode="after")
    def _sound(self) -> Self:
        raise_all("Setpoint", self._of_times() + self._of_writes() + self._of_zero())
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
            values = {value for step in self.write for value in step.said(direction)}
            if not values & {"power", f"{direction}_power"}:
                problems.append(wrong(("write",), f"no step writes the power of a {direction}", None))
        for n, step in enumerate(self.write):
            if _placed(step) & MOSTS:
                problems.append(wrong(("write", n), "a nameplate is for the release", None))
        for n, step in enumerate(self.release):
            if _placed(step) - MOSTS:
                problems.append(wrong(("release", n), "handing back writes constants or nameplates", None))
        return problems

    def _of_zero(self) -> list[InitErrorDetails]:
        """0 W is a power like any other, and what the timer and the release are written at."""
        problems = []
        if not any(step.said("zero") for step in self.write):
            problems.append(wrong(("write",), "no step says what 0 W is: the power before would stay", None))
        armed: tuple[StepFile, ...] = getattr(self.arm, "write", ())
        sequences: tuple[tuple[tuple[str, ...], tuple[StepFile, ...]], ...] = (
            (("release",), self.release),
            (("arm", "write"), armed),
        )
        for at, steps in sequences:
            for n, step in enumerate(steps):
                if not step.said("zero"):
                    problems.append(wrong((*at, n), "without zero in its when it is never written", None))
        return problems
