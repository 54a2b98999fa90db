"""Samples, tallies and strategies of both, shared by the analytics tests."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace

from hypothesis import strategies as st

from gateway.analytics.fold import Fold, Plant
from gateway.analytics.tally import Tally
from gateway.model import ClockTrust, Interval, Point, Quality, Sample, Stamp
from tests.gateway.evidence_samples import INTERVAL

ONE = frozenset({"bms", "inverter"})
PLANT = Plant({"bms": 5000, "inverter": 5000}, (ONE,), frozenset({"bms"}), 100)

_wh = st.integers(0, 10**9)
_maybe = st.none() | st.integers(-6000, 10**6)


@st.composite
def _tallies(draw: st.DrawFn) -> Tally:
    start_ms = draw(st.integers(0, 2**45))
    sums = {f.name: draw(_wh if f.default == 0 else _maybe) for f in fields(Tally)[2:]}
    return Tally(start_ms, start_ms + draw(st.integers(1, 10**7)), **sums)


TALLIES = _tallies()


def sample(
    at_ms: int, values: Mapping[str, int], device: str = "bms", quality: Quality = Quality.GOOD
) -> Sample:
    points = tuple(Point(device, name) for name in values)
    stamp = Stamp(at_ms, at_ms, ClockTrust.TRUSTED)
    return Sample(device, stamp, points, tuple(values.values()), bytes([quality] * len(points)))


def steady(
    values: Mapping[str, int], start_ms: int, end_ms: int, device: str = "bms", each_ms: int = 1000
) -> list[Sample]:
    return [sample(at_ms, values, device) for at_ms in range(start_ms, end_ms, each_ms)]


def folded(
    samples: Sequence[Sample],
    end_ms: int = 60_000,
    *,
    start_ms: int = 0,
    plant: Plant = PLANT,
    previous: Tally | None = None,
    **changes: int,
) -> Tally:
    """The tally of one interval; `changes`: of the energies and states that the Aggregator made."""
    fold = Fold(start_ms, end_ms, plant, previous)
    for one in sorted(samples, key=lambda s: s.stamp.wall_ms):
        fold.add(one)
    found: Interval = replace(INTERVAL, start_ms=start_ms, end_ms=end_ms, flags=0, **changes)
    return fold.close(found)
