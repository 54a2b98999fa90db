"""Derating curves: how much of a battery's power its temperature and its cells allow. Pure.

A curve is straight between its points and level beyond its ends; what is not measured allows nothing. It
refuses to know powers: shares in basis points come out, and the envelope says of what.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from gateway.model import Cause, Quantity
from gateway.site import Curve

WHOLE_BP = 10_000
CAUSES = {
    Quantity.BATTERY_TEMPERATURE: Cause.TEMPERATURE,
    Quantity.BATTERY_CELL_MIN: Cause.CELL,
    Quantity.BATTERY_CELL_MAX: Cause.CELL,
}


@dataclass(frozen=True, slots=True)
class Share:
    """What is left of the power each way. STALE_LIMIT: its measurement is not known, so nothing is."""

    cause: Cause
    charge_bp: int = WHOLE_BP
    discharge_bp: int = WHOLE_BP


def share(curve: Curve, value: int | None) -> Share:
    """What `curve` allows at `value`; a direction without points is left alone."""
    cause = Cause.STALE_LIMIT if value is None else CAUSES[curve.over]
    return Share(cause, _at(curve.charge, value), _at(curve.discharge, value))


def _at(points: Sequence[tuple[int, int]], value: int | None) -> int:
    if not points:
        return WHOLE_BP
    if value is None:
        return 0
    for left, right in pairwise(points):
        if left[0] < value <= right[0]:  # on the straight line between them, rounded down
            return left[1] + (right[1] - left[1]) * (value - left[0]) // (right[0] - left[0])
    return points[0][1] if value <= points[0][0] else points[-1][1]
