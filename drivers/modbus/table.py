"""A checked profile as its driver takes it: plain, frozen, picklable; drivers.modbus.profile makes it.

Every value is a codec Field already, of the device's own unit id unless it names another. Nothing is checked
here: that was done while the file was read, and what read it is not loaded beside a running site.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from drivers.command import Setpoint
from drivers.modbus.codec import Field
from drivers.modbus.compound import Compound
from drivers.modbus.plan import HOLE_MAX, Forbidden


@dataclass(frozen=True, slots=True)
class Text:
    """A string in registers, two characters each, or a whole `number`, said in decimal. `little`: the lowest
    16 bits come first. `unit` None: the device's own."""

    address: int
    count: int
    table: str = "holding"
    unit: int | None = None
    number: bool = False
    little: bool = False

    def said(self, data: bytes) -> str:
        """What the registers say; nothing where a number is 0 or all ones: that one was never set."""
        if not self.number:
            return as_text(data)
        words = [int.from_bytes(data[n : n + 2]) for n in range(0, len(data), 2)]
        value = 0
        for word in reversed(words) if self.little else words:
            value = value << 16 | word
        return str(value) if 0 < value < (1 << 8 * len(data)) - 1 else ""


def as_text(data: bytes) -> str:
    """Characters up to the first zero byte; nothing where all are 0xFF."""
    said = data.split(b"\0", 1)[0].rstrip(b"\xff").decode("ascii", "replace").strip()
    return "".join(c for c in said if c.isprintable())


@dataclass(frozen=True, slots=True)
class Written:
    """One value of a write: a constant as the register takes it (its field has no scale), or what stands for
    one: a power of POWERS, a nameplate of MOSTS, timeout_s, timeout_min."""

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
    setpoint: Setpoint[Step, Field] | None = None
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
