"""A checked profile as its driver takes it: plain, frozen, picklable; drivers.opcua.profile makes it.

Nothing is checked here: that was done while the file was read, and what read it is not loaded beside a
running site.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from drivers.opcua.codec import Field
from drivers.opcua.node import Node
from gateway.model import CommandClass

NODES_A_READ = 100  # embedded servers refuse more in one request
POWERS: frozenset[str] = frozenset({"power", "charge_power", "discharge_power"})


@dataclass(frozen=True, slots=True)
class Step:
    """One value written to one node, for the directions `when`: charge, zero, discharge. A constant as the
    node takes it (its field has no scale), or what stands for one: a power of POWERS, timeout_s, count."""

    value: int | str
    field: Field
    when: tuple[str, ...] = ("charge", "zero", "discharge")


@dataclass(frozen=True, slots=True)
class Arm:
    """How the device's own reversion timer is set, and the node that tells it, in seconds."""

    write: tuple[Step, ...]
    timer: Field


@dataclass(frozen=True, slots=True)
class Held:
    """A value of the mode node (None: there is no such node), and where the power then is; None: it is 0."""

    mode: int | None
    power: Field | None


@dataclass(frozen=True, slots=True)
class Required:
    """What must hold `equals`, or the device does not obey."""

    field: Field
    equals: int


@dataclass(frozen=True, slots=True)
class Setpoint:
    """How the device takes a battery power. A maximum is a constant or what the device states."""

    command_class: CommandClass
    charge_max: int | Field
    discharge_max: int | Field
    timeout_s: int
    ends_s: int
    refresh_s: int
    settle_s: int
    writes_per_day: int
    arm: Arm | None
    write: tuple[Step, ...]
    mode: Field | None
    held: tuple[Held, ...]
    require: tuple[Required, ...]
    release: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """One device as a table of nodes: what is asked each time and what now and then, or subscribed to."""

    vendor: str
    model: str
    proof: str
    enable: str
    fast: tuple[Field, ...]
    slow: tuple[Field, ...] = ()
    subscribed: bool = False
    identity: Mapping[str, Node] = field(default_factory=dict)
    setpoint: Setpoint | None = None
