"""A setpoint as writes to nodes. Pure.

From a profile's steps and a power to the values, in the profile's order; and which powers the device's nodes
can hold at all. Everything rounds toward zero: a device never gets more than was decided.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from drivers.command import POWERS, direction, powers, settled
from drivers.opcua import codec
from drivers.opcua.node import Node
from drivers.opcua.table import Step


@dataclass(frozen=True, slots=True)
class Write:
    """One value for one node, as the node's type has it."""

    node: Node
    type: str
    value: codec.Native


def writes(steps: Iterable[Step], power_w: int, timeout_s: int, count: int) -> tuple[Write, ...]:
    """The writes for this power (+ = discharge, W). ValueError when a node cannot hold a value."""
    return tuple(_write(step, power_w, timeout_s, count) for step in steps if direction(power_w) in step.when)


def quantise(steps: Sequence[Step], power_w: int) -> int:
    """The power nearest to `power_w`, toward zero, that every node of the sequence holds, to the watt."""
    return settled(lambda wanted: _held(steps, wanted), power_w)


def step_w(steps: Iterable[Step]) -> int:
    """One least significant bit of the coarsest power node, at least 1 W."""
    fields = (step.field for step in steps if step.value in POWERS)
    whole = (ceil(abs(f.scale)) for f in fields if codec.TYPES[f.type] is not None)
    return max([1, *whole])  # a float's own steps are finer than a watt


def _held(steps: Iterable[Step], power_w: int) -> int:
    magnitude = abs(power_w)
    for step in steps:
        if direction(power_w) in step.when and step.value in POWERS:
            wanted = _canonical(step, power_w, 0, 0)
            if wanted:
                magnitude = min(magnitude, abs(codec.hold(step.field, codec.fitting(step.field, wanted))))
    return -magnitude if power_w < 0 else magnitude


def _canonical(step: Step, power_w: int, timeout_s: int, count: int) -> int:
    placed = {
        **powers(power_w),
        # a time longer than its node is cut: the device then ends a command earlier, never later
        "timeout_s": codec.fitting(step.field, timeout_s),
        "count": count % ((codec.TYPES[step.field.type] or (0, 0))[1] + 1),
    }
    return step.value if isinstance(step.value, int) else placed[step.value]


def _write(step: Step, power_w: int, timeout_s: int, count: int) -> Write:
    value = codec.encode(step.field, _canonical(step, power_w, timeout_s, count))
    return Write(step.field.node, step.field.type, value)
