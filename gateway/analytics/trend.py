"""How fast something changes over the days, though single days are wrong: the slope of Theil and Sen.

Pure. The median of the slopes of all pairs of days; up to 29 % of them may be arbitrarily wrong. It says
between which bounds the slope lies (95 %, Sen 1968), and refuses a slope of few days or of a short time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

YEAR_MS = 365 * 86_400_000 + 86_400_000 // 4
POINTS_MIN = 8
SPAN_MS_MIN = 60 * 86_400_000
POINTS_MAX = 40  # 780 pairs: a moment on a Pi; more points are thinned to medians of neighbours

Pair = tuple[int, int]  # when (ms), how much


@dataclass(frozen=True, slots=True)
class Trend:
    """Change a year, in the unit of what changes, and its bounds."""

    per_year: int
    least: int
    most: int


def trend(points: Sequence[Pair]) -> Trend | None:
    """Of values by time, in order of time; None when there are too few, or they are too near each other."""
    if len(points) < POINTS_MIN or points[-1][0] - points[0][0] < SPAN_MS_MIN:
        return None
    few = thinned(points)
    slopes = sorted(
        (later[1] - earlier[1]) * YEAR_MS // (later[0] - earlier[0])
        for place, earlier in enumerate(few)
        for later in few[place + 1 :]
        if later[0] > earlier[0]
    )
    reach = _reach(len(few))
    low = max(0, (len(slopes) - reach) // 2)
    return Trend(middle(slopes), slopes[low], slopes[len(slopes) - 1 - low])


def _reach(count: int) -> int:
    """How many slopes lie within the 95 % bounds: 1.96 standard deviations of Kendall's statistic, twice."""
    return 196 * isqrt(count * (count - 1) * (2 * count + 5) * 10_000 // 18) // 10_000


def thinned(points: Sequence[Pair]) -> list[Pair]:
    """At most POINTS_MAX: of each portion of neighbours the median value, at the middle of their times."""
    size = -(-len(points) // POINTS_MAX)
    portions = (points[i : i + size] for i in range(0, len(points), size))
    return [(part[len(part) // 2][0], middle([value for _, value in part])) for part in portions]


def middle(values: Sequence[int]) -> int:
    """The median; of an even number the lower of both."""
    return sorted(values)[(len(values) - 1) // 2]
