"""Which loads are switched off for a wanted reduction, and which come back next. Pure.

Off go the least important first, all at once; back they come one at a time, the most important first, each
after a pause with a random part, so that neither this site nor a street of them returns as one step. It
refuses to switch a load off sooner than it may be, or on sooner than its rest is over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.site import Load

STEP_MS = 15_000  # between two loads that come back: a meter and a fuse see each by itself
SPREAD_MS = 45_000  # the random part


@dataclass(frozen=True, slots=True)
class Shed:
    """Names of the loads that are off, when each last changed (monotonic), and when one may come back."""

    off: frozenset[str] = frozenset()
    changed_ms: Mapping[str, int] | None = None
    back_ms: int = 0

    def since(self, name: str) -> int | None:
        return (self.changed_ms or {}).get(name)


def power_w(loads: Sequence[Load], off: frozenset[str]) -> int:
    """What these loads draw when they run, by their nameplates."""
    return sum(load.power_w for load in loads if load.name in off)


def step(loads: Sequence[Load], before: Shed, wanted_w: int, now_ms: int, random: float) -> Shed:
    """One cycle: at least `wanted_w` is to be off. `random` in [0, 1) spreads what comes back."""
    missing_w = wanted_w - power_w(loads, before.off)
    if missing_w > 0:
        return _shed(loads, before, missing_w, now_ms, random)
    return _restore(loads, before, -missing_w, now_ms, random)


def _shed(loads: Sequence[Load], before: Shed, missing_w: int, now_ms: int, random: float) -> Shed:
    after = before
    for load in sorted(loads, key=lambda load: -load.priority):
        if missing_w <= 0:
            break
        if load.name in after.off or not _rested(before, load.name, now_ms, load.min_on_ms):
            continue
        after = _changed(after, load.name, now_ms, after.off | {load.name})
        missing_w -= load.power_w
    # Whatever was shed now, nothing comes back before a pause: two orders in a row are no reason to flap.
    return replace(after, back_ms=now_ms + _pause_ms(random)) if after != before else before


def _restore(loads: Sequence[Load], before: Shed, spare_w: int, now_ms: int, random: float) -> Shed:
    if now_ms < before.back_ms:
        return before
    for load in sorted(loads, key=lambda load: load.priority):
        rested = _rested(before, load.name, now_ms, load.min_off_ms)
        if load.name in before.off and load.power_w <= spare_w and rested:
            after = _changed(before, load.name, now_ms, before.off - {load.name})
            return replace(after, back_ms=now_ms + _pause_ms(random))
    return before


def _rested(before: Shed, name: str, now_ms: int, least_ms: int) -> bool:
    since_ms = before.since(name)
    return since_ms is None or now_ms - since_ms >= least_ms


def _changed(before: Shed, name: str, now_ms: int, off: frozenset[str]) -> Shed:
    return replace(before, off=off, changed_ms={**(before.changed_ms or {}), name: now_ms})


def _pause_ms(random: float) -> int:
    return STEP_MS + int(SPREAD_MS * random)
