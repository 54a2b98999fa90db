"""Usable capacity, as measured: energy of deep discharges over the change of charge that they made.

Pure. It says how far the resolution of the SoC alone can make it wrong. It refuses a figure when no discharge
was deep enough: a shallow one divides a coarse number by another.
"""

from math import isqrt

from gateway.analytics.charge import SWING_BP
from gateway.analytics.tally import Tally

SOC_STEP_BP = 100  # most BMS say whole percents


def capacity_wh(tally: Tally) -> int | None:
    """What the batteries would deliver from full to empty."""
    if tally.swing_bp < SWING_BP:
        return None
    return (tally.swing_wh * 10_000 + tally.swing_bp // 2) // tally.swing_bp


def error_bp(tally: Tally) -> int | None:
    """What part of the capacity the steps of the SoC may hide. Each swing begins and ends within a step that
    is independent of the others, so the errors of n swings add up as their root."""
    if tally.swing_bp < SWING_BP:
        return None
    return SOC_STEP_BP * isqrt(tally.swings * 10**8) // tally.swing_bp


def health_bp(measured_wh: int | None, rated_wh: int | None) -> int | None:
    """Measured capacity against the rated one. Above 100 % when the makers rate it with caution."""
    if measured_wh is None or not rated_wh:
        return None
    return measured_wh * 10_000 // rated_wh
