"""Judges what is written while the grid is gone, and in the minute after it is back.

Only what the daemon can know counts: the device must have been within reach for long enough to be asked. What
one life knew the next knows too, unless its store had failed.
"""

from dataclasses import dataclass

from tests.sim.meter_judge import Complain

KNOWN_MS = 3_500  # a poll, a cycle and the exchange that ends the power
REACH_MS = 8_000  # after a start
SICK_MS = 45_000  # a device whose link was bad is left alone for up to half a minute
STABLE_MS = 60_000  # what docs/safety.md promises


@dataclass
class IslandJudge:
    complain: Complain
    outages: int = 0
    _lost_ms: int | None = None
    _back_ms: int | None = None
    _known: bool = False  # the last outage, by the life of now
    _began_ms: int = 0
    _alive: bool = False
    _well_ms: int = 0  # since when the device can be asked

    def began(self, now_ms: int) -> None:
        self._began_ms, self._alive = now_ms, True

    def ended(self, *, stored: bool = True) -> None:
        """A life; `stored`: what it knew is in the store."""
        self._alive, self._known = False, self._known and stored

    def lost(self, now_ms: int) -> None:
        if self._lost_ms is None:
            self.outages += 1
            self._lost_ms, self._back_ms, self._known = now_ms, None, False

    def back(self, now_ms: int) -> None:
        if self._lost_ms is not None:
            self._lost_ms, self._back_ms = None, now_ms

    def saw(self, now_ms: int, told: bool, *, sick: bool) -> None:
        """Each second. `told`: some power or reactive power is told to a device now."""
        if sick:
            self._well_ms = now_ms + SICK_MS
        self._known = self._known or self._surely_knows(now_ms)
        if told and self._surely_knows(now_ms):
            self.complain("island", f"power is held at {now_ms}, the grid is gone since {self._lost_ms}")

    def wrote(self, now_ms: int) -> None:
        """Some power was written."""
        if self._surely_knows(now_ms):
            self.complain("island", f"power at {now_ms}, the grid is gone since {self._lost_ms}")
        if self._known and self._back_ms is not None and now_ms < self._back_ms + STABLE_MS:
            self.complain("island", f"power at {now_ms}, the grid is back only since {self._back_ms}")

    def _surely_knows(self, now_ms: int) -> bool:
        if self._lost_ms is None or not self._alive:
            return False
        since_ms = max(self._lost_ms, self._began_ms + REACH_MS - KNOWN_MS, self._well_ms)
        return now_ms > since_ms + KNOWN_MS
