"""Whether the meter still counts the way it did when it was commissioned. Pure.

A battery that changes its power by so much changes the meter by as much the other way, if the house stands
still for that moment. Such moments are rare and a single one may be the house after all, so several in a row
must contradict the meter, none in between agree, before it is said to be turned round. It refuses to judge
when anything else moved, and by a change that the meter itself may have caused: a law that follows the meter
makes battery and meter move together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

SPAN_MS = 6000  # steady before, then the change, then steady again: so long each
POINTS_MIN = 3  # of a span
STEADY_PART = 4  # a quarter of the change may move beside it
CONTRARY_MAX = 5  # in a row
STEP_W_MIN, STEP_PART = 500, 10  # a change worth judging: so much, and such a part of the nameplate

Heard = tuple[int, int, int, bool]  # monotonic ms, battery W, grid W, whether the meter had no part in it


@dataclass(frozen=True, slots=True)
class Sense:
    """What was measured in the last three spans, oldest first, and how many changes in a row contradict."""

    heard: tuple[Heard, ...] = ()
    contrary: int = 0

    @property
    def turned(self) -> bool:
        return self.contrary >= CONTRARY_MAX


def step(sense: Sense, now_ms: int, battery_w: int, grid_w: int, step_w: int, *, free: bool) -> Sense:
    """One cycle; a change is one of at least `step_w` of the battery. Each is judged once. `free`: what is
    commanded does not depend on the meter."""
    begin_ms = now_ms - 3 * SPAN_MS
    kept = (*(h for h in sense.heard if begin_ms <= h[0] < now_ms), (now_ms, battery_w, grid_w, free))
    if not all(h[3] for h in kept if h[0] > now_ms - SPAN_MS - SPAN_MS // 2):
        return Sense(kept, sense.contrary)
    before = [h for h in kept if h[0] < now_ms - 2 * SPAN_MS]
    after = [h for h in kept if h[0] > now_ms - SPAN_MS]
    if min(len(before), len(after)) < POINTS_MIN:
        return Sense(kept, sense.contrary)
    battery, grid = (_mean(after, i) - _mean(before, i) for i in (1, 2))
    moved_w = abs(battery) // STEADY_PART
    if abs(battery) < step_w or not all(_steady(s, i, moved_w) for s in (before, after) for i in (1, 2)):
        return Sense(kept, sense.contrary)
    if 2 * abs(grid) < abs(battery):
        return Sense((), sense.contrary)  # the house took it: this says nothing
    return Sense((), 0 if (grid > 0) != (battery > 0) else sense.contrary + 1)


def _mean(span: Sequence[Heard], index: int) -> int:
    return sum(h[index] for h in span) // len(span)


def _steady(span: Sequence[Heard], index: int, within_w: int) -> bool:
    powers = [h[index] for h in span]
    return max(powers) - min(powers) <= within_w
