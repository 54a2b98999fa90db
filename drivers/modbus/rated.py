"""A setpoint whose powers are parts of a rating, per cent or per mille, in watts. Pure.

Some inverters take no watts but parts of what they are rated at, which only they know. A profile states the
parts as a scale ("1/1000") and where the rating is read; once it is known, each power is a field of watts
like any other. It refuses nothing: what a rating that is not known means, its user says.
"""

from dataclasses import replace

from drivers.command import POWERS, Held, Setpoint
from drivers.modbus.codec import Field
from drivers.modbus.table import Step, Written


def rated(model: Setpoint[Step, Field], rating_w: int) -> Setpoint[Step, Field]:
    """The block with its powers, written and read back, in parts of this rating (W, more than 0)."""
    return replace(
        model,
        write=tuple(replace(step, values=_values(step, rating_w)) for step in model.write),
        held=tuple(_held(held, rating_w) for held in model.held),
    )


def _values(step: Step, rating_w: int) -> tuple[Written, ...]:
    return tuple(
        replace(value, field=_watts(value.field, rating_w)) if value.value in POWERS else value
        for value in step.values
    )


def _held(held: Held[Field], rating_w: int) -> Held[Field]:
    return held if held.power is None else replace(held, power=_watts(held.power, rating_w))


def _watts(field: Field, rating_w: int) -> Field:
    return replace(field, scale=field.scale * rating_w)
