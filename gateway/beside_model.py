"""What a device takes beside a battery power: reactive power, being parted from the grid. Frozen, no I/O."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReactiveSpec:
    """How a device takes a reactive power setpoint. + = injected (over-excited), - = absorbed.

    `var_max` is what it can do each way, `apparent_max_va` what active and reactive power may make together
    (0: it does not say). `timeout_s` is its own reversion time: a device without one is given none.
    """

    var_max: int
    apparent_max_va: int
    timeout_s: int
    step_var: int = 1
    settle_s: int = 5


@dataclass(frozen=True, slots=True)
class ReactiveBack:
    """What the device itself holds of reactive power, like ReadBack."""

    var: int
    active: bool
    timer_s: int = 0


@dataclass(frozen=True, slots=True)
class IslandSpec:
    """How a device is parted from the grid by order. `timeout_s` is the time after which it connects again by
    itself: a device without one is given none."""

    timeout_s: int
    settle_s: int = 5


@dataclass(frozen=True, slots=True)
class IslandBack:
    """What the device itself holds of its connection, like ReadBack."""

    apart: bool
    timer_s: int = 0
