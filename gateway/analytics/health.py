"""The state of health over the days: what it is, how it went, and how fast it falls. Pure.

What the device says counts, and what was measured where it says nothing. It refuses a pace that the days do
not support (gateway.analytics.trend).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.analytics.figures import Performance
from gateway.analytics.trend import Pair, thinned, trend


@dataclass(frozen=True, slots=True)
class Health:
    """`points`: when (ms) and how much (basis points), few enough to draw. The pace is a year's, in basis
    points, with its bounds; None: not known."""

    points: tuple[Pair, ...]
    per_year_bp: int | None
    least_bp: int | None
    most_bp: int | None


def of_day(day: Performance) -> int | None:
    return day.soh_bp if day.soh_bp is not None else day.soh_measured_bp


def health(days: Sequence[Performance]) -> Health | None:
    """Of days in order of time; None when no day knows it."""
    known = [(day.start_ms, bp) for day in days if (bp := of_day(day)) is not None]
    if not known:
        return None
    pace = trend(known)
    bounds = (pace.per_year, pace.least, pace.most) if pace else (None, None, None)
    return Health(tuple(thinned(known)), *bounds)
