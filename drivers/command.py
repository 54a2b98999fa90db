"""A profile's setpoint block as a driver takes it, and what follows from it without the device. Pure.

It owns what registers and nodes have in common: classes, times, the timer, which directions are commanded,
what reads back. A step S is what a protocol writes at once, a field F what it reads; it looks into neither.
Nothing is checked here: that was done while the file was read (drivers.commandfile).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from gateway.model import CommandClass, ReadBack, SetpointSpec
from gateway.site import Device

POWERS: frozenset[str] = frozenset({"power", "charge_power", "discharge_power"})
MOSTS: frozenset[str] = frozenset({"charge_max", "discharge_max"})  # what a release gives back as limits


class Named(Protocol):
    @property
    def name(self) -> str: ...


S = TypeVar("S")
F = TypeVar("F", bound=Named)


@dataclass(frozen=True, slots=True)
class Arm(Generic[S, F]):
    """How the device's own reversion timer is set, and what tells it, in seconds."""

    write: tuple[S, ...]
    timer: F


@dataclass(frozen=True, slots=True)
class Held(Generic[F]):
    """A value of the mode (None: the device has none), and where the power then is; None: it is 0, or, not
    `told`, one that the device does not give back."""

    mode: int | None
    power: F | None
    told: bool = True


@dataclass(frozen=True, slots=True)
class Required(Generic[F]):
    """What must hold `equals`, or the device does not obey."""

    field: F
    equals: int


@dataclass(frozen=True, slots=True)
class Setpoint(Generic[S, F]):
    """How the device takes a battery power. A maximum is a constant or what the device states."""

    command_class: CommandClass
    charge_max: int | F
    discharge_max: int | F
    timeout_s: int
    ends_s: int
    refresh_s: int
    settle_s: int
    writes_per_day: int
    arm: Arm[S, F] | None
    write: tuple[S, ...]
    mode: F | None
    held: tuple[Held[F], ...]
    require: tuple[Required[F], ...]
    release: tuple[S, ...]
    rating: F | None = None  # what the powers count parts of; None: they count watts

    @property
    def stated(self) -> tuple[F, ...]:
        """Where the device tells its nameplate."""
        told = (self.charge_max, self.discharge_max, self.rating)
        return tuple(most for most in told if most is not None and not isinstance(most, int))

    @property
    def needed(self) -> tuple[F, ...]:
        """What tells whether the device obeys."""
        mode = (self.mode,) if self.mode is not None else ()
        return (*mode, *(required.field for required in self.require))

    @property
    def read_back(self) -> tuple[F, ...]:
        return (*self.needed, *(held.power for held in self.held if held.power is not None))


def direction(power_w: int) -> str:
    return "zero" if power_w == 0 else "charge" if power_w < 0 else "discharge"


def powers(power_w: int) -> dict[str, int]:
    """What the names of POWERS stand for (+ = discharge, W)."""
    return {"power": power_w, "charge_power": max(0, -power_w), "discharge_power": max(0, power_w)}


def settled(held: Callable[[int], int], power_w: int) -> int:
    """The power nearest to `power_w`, toward zero, of which `held` leaves all; `held` is what the places of
    one sequence keep of a power."""
    for _ in range(8):  # each round only shrinks; one place settles at once, several mostly do
        kept = held(power_w)
        if kept == power_w:
            return kept
        power_w = kept
    return 0


def spec(device: Device, model: Setpoint[S, F], step_w: int, said: Mapping[str, int]) -> SetpointSpec:
    """The setpoint as far as it is known; a nameplate that only the device knows is 0 until it `said` it, and
    so is any power in parts of a rating that it did not say."""
    timeout_s = (device.timer_s or model.timeout_s) if model.timeout_s else 0
    rated = model.rating is None or said.get(model.rating.name, 0) > 0
    return SetpointSpec(
        model.command_class,
        _most(model.charge_max, said) if rated else 0,
        _most(model.discharge_max, said) if rated else 0,
        step_w,
        timeout_s,
        min(model.refresh_s, max(1, timeout_s // 3)) if timeout_s else model.refresh_s,
        model.settle_s,
        model.writes_per_day,
        model.ends_s,
    )


def _most(stated: int | F, said: Mapping[str, int]) -> int:
    return stated if isinstance(stated, int) else said.get(stated.name, 0)


def notes(model: Setpoint[S, F]) -> list[str]:
    """What a person should know of it."""
    found = []
    if model.stated:
        found.append("the nameplate power is read from the device")
    if not all(held.told for held in model.held):
        found.append("the device does not give back its power: only what is measured says that it obeys")
    if not model.timeout_s:
        found.append("the device keeps a setpoint for ever: this gateway is the only dead-man")
    return found


def silent(model: Setpoint[S, F], values: Mapping[str, int | None]) -> str:
    """The first field that the device did not give, without which nothing is known; "" if it gave all."""
    return next((field.name for field in model.needed if values[field.name] is None), "")


def holds(model: Setpoint[S, F], values: Mapping[str, int | None], timer_s: int) -> ReadBack | None:
    """What the device holds, by the values of `read_back`; None when it does not tell a power that it has a
    place for."""
    mode = values[model.mode.name] if model.mode is not None else None
    obeys = all(values[required.field.name] == required.equals for required in model.require)
    for held in model.held:
        if obeys and mode == held.mode:
            if not held.told:
                return ReadBack(None, True, timer_s)
            power_w = values[held.power.name] if held.power is not None else 0
            return None if power_w is None else ReadBack(power_w, True, timer_s)
    return ReadBack(0, False, timer_s)
