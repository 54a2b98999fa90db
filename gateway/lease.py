"""What control and the device's task say to each other about power: a lease, never a wish without end.

Control renews `desire` every cycle with the moment until which it holds; the device's task writes, reads
back and refreshes, and goes to the fallback by itself when the lease runs out. What it found is a Hold.
Neither waits for the other.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway.beside_model import ReactiveSpec
from gateway.model import ReadBack, SetpointSpec


class Phase(StrEnum):
    """Where the device's setpoint is, as far as was read back from it."""

    UNKNOWN = "unknown"  # not reached, or a write went wrong: nothing may be assumed
    RELEASED = "released"  # the fallback was written and nothing since
    WRITTEN = "written"  # written, not yet seen to hold
    HELD = "held"  # the last write was read back
    YIELDED = "yielded"  # somebody else writes there, or it does not obey: we write no more


@dataclass(frozen=True, slots=True)
class Proven:
    """What was proven of a device when it was commissioned on `day`: how long its own timer lets it obey, and
    by when it has ended a power. Both 0: not measured, or (`endless`) nothing ends one."""

    day: str
    obeyed_s: int = 0
    reverted_s: int = 0
    endless: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """The setpoint at the device now. `power_w` is what was last written; `fault` is for a person."""

    device: str
    phase: Phase
    online: bool
    spec: SetpointSpec | None = None
    power_w: int = 0
    since_ms: int = 0  # monotonic: when power_w last changed
    timer_s: int = 0  # the dead-man time to refresh within, the least that is known; 0: the device has none
    ends_s: int = 0  # the most that is known: by then it has surely ended a power by itself; 0: it never does
    read_back: ReadBack | None = None
    writes: int = 0  # since the start, releases too
    power_writes: int = 0  # of these, powers
    allowance: int = 0  # writes still granted, where the device has a budget
    fault: str = ""
    foreign: bool = False  # the fault is a foreign write
    written_ms: int = 0  # monotonic: when the last power had been written
    alone: bool = False  # it is not renewed: its own fallback is being measured
    proven: Proven | None = None


class Hand(Protocol):
    """The device's side, as control sees it. All of it synchronous, but `fallback`."""

    @property
    def hold(self) -> Hold: ...

    def quantise(self, power_w: int) -> int:
        """The nearest power toward zero that the device can hold; 0 before it was reached."""
        ...

    def desire(self, power_w: int, until_ms: int) -> None:
        """Have this (quantised) power written and held until then (monotonic) unless renewed."""
        ...

    def release(self) -> None:
        """Have the fallback written, if it is not in force already."""
        ...

    def grant(self, writes: int) -> None:
        """So many more writes are on the durable count; only devices with a budget need it."""
        ...

    def clear(self) -> None:
        """An operator says that the fault is dealt with: begin again, with the fallback."""
        ...

    async def fallback(self, timeout_s: float) -> bool:
        """Write the fallback now; whether the device took it in time."""
        ...


@dataclass(frozen=True, slots=True)
class ReactiveHold:
    """The reactive power at the device now, + = injected. `var` is what was last written; without a `spec` a
    device that was `reached` takes none."""

    device: str
    phase: Phase
    online: bool
    reached: bool
    spec: ReactiveSpec | None = None
    var: int = 0
    fault: str = ""


class ReactiveHand(Protocol):
    """The device's side of reactive power: the same kind of lease beside that of power."""

    @property
    def hold(self) -> ReactiveHold: ...

    def desire_reactive(self, var: int, until_ms: int) -> None:
        """Have these var (a multiple of the device's step) written and held until then unless renewed."""
        ...

    def take_up(self) -> None:
        """Take it for asked, by a process before this one: the fallback is written at the next connect."""
        ...

    def release(self) -> None:
        """Have the fallback written, if anything was ever asked and it is not in force already."""
        ...

    def clear(self) -> None: ...

    async def fallback(self, timeout_s: float) -> bool: ...


@dataclass(frozen=True, slots=True)
class IslandHold:
    """The device's grid connection now: whether it can be parted by order, and was last told to be apart."""

    device: str
    phase: Phase
    online: bool
    reached: bool
    able: bool
    apart: bool
    fault: str = ""


class IslandHand(Protocol):
    """The device's side of its grid connection: the same kind of lease."""

    @property
    def hold(self) -> IslandHold: ...

    def part(self, until_ms: int) -> None:
        """Have it parted from the grid, and apart until then unless renewed."""
        ...

    def release(self) -> None:
        """Have it connected, if it was parted by this lease."""
        ...

    def clear(self) -> None: ...

    async def fallback(self, timeout_s: float) -> bool: ...
