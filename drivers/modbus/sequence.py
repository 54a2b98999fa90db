"""A setpoint as register writes. Pure.

From a profile's steps and a power to the requests, in the profile's order; and which powers the device's
registers can hold at all. Everything rounds toward zero: a device never gets more than was decided.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from struct import Struct

from drivers.command import MOSTS, POWERS, direction, powers, settled
from drivers.modbus import codec
from drivers.modbus.table import Step


@dataclass(frozen=True, slots=True)
class Write:
    """One write request."""

    unit: int
    address: int
    registers: tuple[int, ...]
    single: bool
    if_changed: bool


NOTHING: Mapping[str, int] = {}


def writes(
    steps: Iterable[Step], power_w: int, timeout_s: int, unit: int, most: Mapping[str, int] = NOTHING
) -> tuple[Write, ...]:
    """The requests for this power (+ = discharge, W); `most` is the nameplate. ValueError when a register
    cannot hold a value."""
    placed = {**most, **powers(power_w), "timeout_s": timeout_s, "timeout_min": ceil(timeout_s / 60)}
    return tuple(_write(step, placed, unit) for step in steps if direction(power_w) in step.when)


def lacks(step: Step, most: Mapping[str, int]) -> bool:
    """Whether it gives back a nameplate that is not known: 0 as a limit would be no fallback."""
    return any(value.value in MOSTS and not most.get(str(value.value)) for value in step.values)


def quantise(steps: Sequence[Step], power_w: int) -> int:
    """The power nearest to `power_w`, toward zero, that every register of the sequence holds, to the watt."""
    return settled(lambda wanted: _held(steps, wanted), power_w)


def step_w(steps: Iterable[Step]) -> int:
    """One least significant bit of the coarsest power register, at least 1 W."""
    fields = (v.field for s in steps for v in s.values if v.value in POWERS)
    whole = (ceil(abs(f.scale)) for f in fields if f.type not in codec.FLOATS)
    return max([1, *whole])  # a float's own steps are finer than a watt


def _held(steps: Iterable[Step], power_w: int) -> int:
    magnitude = abs(power_w)
    for step in steps:
        if direction(power_w) not in step.when:
            continue
        for value in step.values:
            if value.value in POWERS and (wanted := powers(power_w)[str(value.value)]):
                held = codec.hold(value.field, _fitting(value.field, wanted))
                magnitude = min(magnitude, abs(held))
    return -magnitude if power_w < 0 else magnitude


def _fitting(field: codec.Field, wanted: int) -> int:
    """`wanted`, or what of it an integer register can hold."""
    if field.type in codec.FLOATS:
        return wanted
    ends = sorted(int((n - field.zero) * field.scale) for n in codec.native_range(field.type))
    return min(max(wanted, ends[0]), ends[1])


def _write(step: Step, placed: Mapping[str, int], unit: int) -> Write:
    registers: list[int] = []
    for value in step.values:
        canonical = value.value if isinstance(value.value, int) else placed[value.value]
        if value.value in ("timeout_s", "timeout_min"):
            # a time longer than its register is cut: the device then ends a command earlier, never later
            canonical = _fitting(value.field, canonical)
        registers += codec.encode(value.field, canonical)
    whose = unit if step.unit is None else step.unit
    return Write(whose, step.address, tuple(registers), step.single, step.if_changed)


def same(write: Write, data: bytes) -> bool:
    """Whether registers read from the device already hold what would be written."""
    return Struct(f">{len(write.registers)}H").pack(*write.registers) == data
