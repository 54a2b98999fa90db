"""The figures of periods, from their tallies: a day, a week, a life. Pure.

It refuses to mix what was measured with what was said: a capacity is measured or None, and where a figure
needs one that this period did not measure, the last measured before it is used, and the rated one only then.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from gateway.analytics import capacity, cycles, efficiency, tally
from gateway.analytics.figures import Performance
from gateway.analytics.tally import Tally

DAY_MS = 86_400_000


def figures(found: Tally, known_wh: int | None = None) -> Performance:
    """`known_wh`: the capacity measured last before this period, if any."""
    measured = capacity.capacity_wh(found)
    reference = measured or known_wh or found.rated_wh
    span_ms = found.end_ms - found.start_ms
    return Performance(
        start_ms=found.start_ms,
        end_ms=found.end_ms,
        charged_wh=found.charged_wh,
        discharged_wh=found.discharged_wh,
        cycles_milli=cycles.cycles_milli(found.charged_wh, found.discharged_wh, reference),
        efficiency_bp=efficiency.efficiency_bp(found, reference),
        capacity_wh=measured,
        capacity_error_bp=capacity.error_bp(found),
        rated_wh=found.rated_wh,
        soh_bp=found.soh_bp,
        soh_measured_bp=capacity.health_bp(measured, found.rated_wh),
        imbalance_mv=found.spread_mv,
        imbalance_rest_mv=found.spread_rest_mv,
        imbalance_ms=found.spread_ms,
        temperature_min_cc=found.temperature_min_cc,
        temperature_max_cc=found.temperature_max_cc,
        availability_bp=found.available_ms * 10_000 // span_ms if span_ms > 0 else None,
        faults=found.faults,
        losses=found.losses,
        battery_alarms_flags=found.battery_alarms_flags,
        inverter_alarms_flags=found.inverter_alarms_flags,
    )


def day_of(found: Tally) -> int:
    """The UTC day that an interval belongs to: that of its start."""
    return found.start_ms // DAY_MS


def by_day(tallies: Iterable[Tally]) -> Iterator[Tally]:
    """One a day (UTC), from tallies in order of time."""
    for _, group in groupby(tallies, day_of):
        if (day := tally.merge(group)) is not None:
            yield day


def each(tallies: Sequence[Tally]) -> list[Performance]:
    """The figures of periods in order of time, each with the capacity that was measured last."""
    found: list[Performance] = []
    known_wh = None
    for one in tallies:
        found.append(figures(one, known_wh))
        known_wh = found[-1].capacity_wh or known_wh
    return found


def whole(tallies: Sequence[Tally], known_wh: int | None = None) -> Performance | None:
    """The figures of all of them as one period; `known_wh` as of `figures`."""
    total = tally.merge(tallies)
    return None if total is None else figures(total, known_wh)
