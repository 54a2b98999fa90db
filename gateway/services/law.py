"""What a control law is: a pure function of its parameters and of what is measured, to a wish.

A law wishes; the envelope decides. A wish either asks for power or narrows what all others may ask; a law
that only narrows can never widen anything. One that must know what was before gives a memory with its wish
and is told it the next time; it keeps nothing itself. It refuses to guess: what it needs and does not get
GOOD makes it answer None, and nothing is done for it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gateway.model import Limits

Parameters = Mapping[str, int]
Memory = tuple[
    int, ...
]  # what a law wants to be told again, empty at the begin; only the law knows its meaning

POWER_MAX_W = 100_000_000  # also for var: no site of ours reaches 100 MW
WHOLE_BP = 10_000


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the laws may see of the site, each None unless it is GOOD. Signs and units as in model.py.
    `now_ms` is monotonic; `memory` is what this order's law gave with its last wish."""

    frequency_mhz: int | None = None
    house_w: int | None = None  # grid + battery = load - pv: the grid's flow without the battery
    battery_w: int | None = None
    grid_w: int | None = None
    soc_bp: int | None = None
    voltage_mv: int | None = None  # of the grid
    inverter_w: int | None = None  # active power at its AC terminals, + = out of it
    shed_w: int = 0  # nameplate power of the loads that are off
    now_ms: int = 0
    memory: Memory = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """What a law asks in a cycle. Battery powers in W, + = discharging.

    `power_w` is added to what others ask; `least_w` asks that the sum be at least so much. `window` and
    `soc_min_bp` narrow the whole battery, whoever asks; `reactive_var` is the inverter's reactive power
    (+ = injected into the grid), `shed_w` the load that should be switched off, `island` whether the site
    is to be apart from the grid.
    """

    power_w: int = 0
    least_w: int | None = None
    window: Limits | None = None
    soc_min_bp: int = 0
    reactive_var: int | None = None
    shed_w: int = 0
    island: bool | None = None
    memory: Memory = ()


@dataclass(frozen=True, slots=True)
class Bounds:
    """A parameter's range, inclusive, in the unit its name ends in. With a `default` it may be left out."""

    least: int
    most: int
    default: int | None = None


def _nothing_more(_: Parameters) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Law:
    """One service: its parameters in their own order (those with defaults last), its wish and its reach.

    `reach(parameters, most)` is the greatest battery power it can ever ask for, where `most` is what the
    site could do at all; admission compares it with the nameplate, and each cycle is held to it.
    `error_w` is how far the service is from what it promises, measured where it is defined (W, never
    negative), given what was asked of the battery for it; None when that is not known.
    `check` says what is wrong with parameters that are each within their bounds; empty if nothing.
    """

    parameters: Mapping[str, Bounds]
    wish: Callable[[Parameters, Inputs], Wish | None]
    reach: Callable[[Parameters, Limits], Limits]
    error_w: Callable[[Parameters, Inputs, int], int | None]
    check: Callable[[Parameters], str] = _nothing_more
    fast: bool = False  # every measurement is answered at once, not with the next cycle
    narrows: bool = False  # asks for no battery power of its own: always in force, beside any other order


def battery_error_w(parameters: Parameters, inputs: Inputs, asked_w: int) -> int | None:
    """For services defined at the battery: measured against asked."""
    del parameters
    return None if inputs.battery_w is None else abs(inputs.battery_w - asked_w)


def no_error(parameters: Parameters, inputs: Inputs, asked_w: int) -> int | None:
    """For services whose promise is not a power that is measured."""
    del parameters, inputs, asked_w
    return None


def no_power(parameters: Parameters, most: Limits) -> Limits:
    """The reach of a law that only narrows."""
    del parameters, most
    return Limits(0, 0)


def on_line(points: Sequence[tuple[int, int]], value: int) -> int:
    """The curve through `points` (by rising place) at `value`, rounded down; level beyond its ends."""
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 < value <= x1:
            return y0 + (y1 - y0) * (value - x0) // (x1 - x0)
    return points[0][1] if value <= points[0][0] else points[-1][1]
