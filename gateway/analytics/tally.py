"""What is kept of a period, from which its figures are computed: sums and extremes that merge.

A day is the merge of its intervals, a year that of its days; merging is associative, so it does not matter in
which portions. It refuses to judge: whether a sum is enough for a figure is decided where the figure is made.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import reduce

from gateway.model import Interval, IntervalFlag


@dataclass(frozen=True, slots=True)
class Tally:
    """All batteries of a site over [start_ms, end_ms). None: nothing of it was seen.

    `sound_*`: only of stretches in which energy and change of charge are both known. `open_*`: the discharge
    that is still going on at the end; `swing*`: those that were deep enough and have ended.
    """

    start_ms: int
    end_ms: int
    charged_wh: int = 0
    discharged_wh: int = 0
    soc_bp: int | None = None  # at the end
    soh_bp: int | None = None
    rated_wh: int | None = None
    jumps: int = 0  # of the SoC, that no power explains
    sound_charged_wh: int = 0
    sound_discharged_wh: int = 0
    sound_soc_bp: int = 0  # change
    open_wh: int = 0
    open_bp: int = 0
    swings: int = 0
    swing_wh: int = 0
    swing_bp: int = 0
    spread_mv: int | None = None
    spread_rest_mv: int | None = None
    spread_ms: int = 0  # for how long it was beyond cells.SPREAD_LIMIT_MV
    temperature_min_cc: int | None = None
    temperature_max_cc: int | None = None
    reached_ms: int = 0
    available_ms: int = 0
    faults: int = 0
    losses: int = 0
    battery_alarms_flags: int = 0  # each bit that was seen
    inverter_alarms_flags: int = 0
    battery_standing_flags: int = 0  # those at the end
    inverter_standing_flags: int = 0


def of(interval: Interval) -> Tally:
    """What an attested interval says already."""
    unknown = interval.flags & IntervalFlag.SOC_UNKNOWN
    return Tally(
        interval.start_ms,
        interval.end_ms,
        interval.charged_wh,
        interval.discharged_wh,
        soc_bp=None if unknown else interval.soc_bp,
        soh_bp=interval.soh_bp or None,
    )


def _or(a: int, b: int) -> int:
    return a | b


def _later(a: int, b: int) -> int:
    return b


_RULES: dict[str, Callable[[int, int], int]] = {
    "start_ms": min,
    "end_ms": max,
    "soc_bp": _later,
    "soh_bp": _later,
    "rated_wh": _later,
    "open_wh": _later,
    "open_bp": _later,
    "spread_mv": max,
    "spread_rest_mv": max,
    "temperature_min_cc": min,
    "temperature_max_cc": max,
    "battery_alarms_flags": _or,
    "inverter_alarms_flags": _or,
    "battery_standing_flags": _later,
    "inverter_standing_flags": _later,
}


def _add(a: int, b: int) -> int:
    return a + b


_FIELDS = tuple((f.name, _RULES.get(f.name, _add)) for f in fields(Tally))


def merged(earlier: Tally, later: Tally) -> Tally:
    """Both as one period; a hole between them is part of it, and counts as time without the battery."""
    found: list[int | None] = []
    for name, rule in _FIELDS:
        a, b = getattr(earlier, name), getattr(later, name)
        found.append(a if b is None else b if a is None else rule(a, b))
    return Tally(*found)  # type: ignore[arg-type]


def merge(tallies: Iterable[Tally]) -> Tally | None:
    """All of them, in order of time, as one; None of none."""
    whole = iter(tallies)
    first = next(whole, None)
    return None if first is None else reduce(merged, whole, first)
