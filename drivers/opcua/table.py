"""A checked profile as its driver takes it: plain, frozen, picklable; drivers.opcua.profile makes it.

Nothing is checked here: that was done while the file was read, and what read it is not loaded beside a
running site.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from drivers.command import Setpoint
from drivers.opcua.codec import Field
from drivers.opcua.node import Node

NODES_A_READ = 100  # embedded servers refuse more in one request


@dataclass(frozen=True, slots=True)
class Step:
    """One value written to one node, for the directions `when`: charge, zero, discharge. A constant as the
    node takes it (its field has no scale), or what stands for one: a power of POWERS, timeout_s, count."""

    value: int | str
    field: Field
    when: tuple[str, ...] = ("charge", "zero", "discharge")


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
    setpoint: Setpoint[Step, Field] | None = None
