"""A checked profile as its driver takes it: plain, frozen, picklable; drivers.modbus.profile makes it.

Every value is a codec Field already, of the device's own unit id unless it names another. Nothing is checked
here: that was done while the file was read, and what read it is not loaded beside a running site.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from drivers.modbus.codec import Field
from drivers.modbus.compound import Compound
from drivers.modbus.plan import HOLE_MAX, Forbidden
from gateway.model import CommandClass

POWERS: frozenset[str] = frozenset({"power", "charge_power", "discharge_power"})


@dataclass(frozen=True, slots=True)
class Text:
    """A string in registers, two characters each. `unit` None: the device's own."""

    address: int
    count: int
    table: str = "holding"
    unit: int | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """One value of a write: a constant as the register takes it (its field has no scale), or what stands for
    one: a power of POWERS, timeout_s, timeout_min."""

    value: int | str
    field: Field


@dataclass(frozen=True, slots=True)
class Step:
    """One write request for the directions `when`: charge, zero, discharge. Its values lie one after the
    other from `address`. `single`: function 6; `if_changed`: read first, write only what differs."""

    address: int
    values: tuple[Written, ...]
    when: tuple[str, ...]
    unit: int | None = None
    single: bool = False
    if_changed: bool = False


@dataclass(frozen=True, slots=True)
class Arm:
    """How the device's own timer is set, and what tells it, in seconds."""

    write: tuple[Step, ...]
    timer: Field


@dataclass(frozen=True, slots=True)
class Held:
    """A value of the mode register, and where the power then is; None: it is 0."""

    mode: int
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
    mode: Field
    held: tuple[Held, ...]
    require: tuple[Required, ...]
    release: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """One device as a table of registers: what is polled each time and what now and then. Some of it is parts
    of `compounds`."""

    vendor: str
    model: str
    proof: str
    enable: str
    fast: tuple[Field, ...]
    slow: tuple[Field, ...] = ()
    forbidden: tuple[Forbidden, ...] = ()
    hole_max: int = HOLE_MAX
    identity: Mapping[str, Text] = field(default_factory=dict)
    setpoint: Setpoint | None = None
    compounds: tuple[Compound, ...] = ()


@dataclass(frozen=True, slots=True)
class Relay:
    """A coil; `off_pulled`: its load is off while the coil is on."""

    channel: str
    coil: int
    off_pulled: bool = True


@dataclass(frozen=True, slots=True)
class Contact:
    """A bit of the table "discrete" or "coils"; `active_open`: it counts as 1 while the bit is 0."""

    name: str
    address: int
    table: str = "discrete"
    active_open: bool = True


@dataclass(frozen=True, slots=True)
class Board:
    """One relay board: nothing is measured, loads are switched and contacts read."""

    vendor: str
    model: str
    proof: str
    enable: str
    relays: tuple[Relay, ...] = ()
    contacts: tuple[Contact, ...] = ()
