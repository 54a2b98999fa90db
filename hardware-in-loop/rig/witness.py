"""The rig's own witness: every write journaled, and counted when it asked for more than was allowed.

Owns what the site last published as its limits and what was written to it. Allowed at a moment is the
smaller of the nameplate and the loosest limit published within GRACE_MS: a reader that polls once a second
cannot know a newer one. A limit that was not published for STALE_MS counts as 0. It refuses to forgive:
nothing here can be reset.
"""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

JOURNAL_MAX = 20_000  # entries kept; the counts go on. Six hours of a write a second
GRACE_MS = 3_000  # one poll, one control cycle and one second of BMS period
STALE_MS = 5_000  # the age at which a limit says nothing any more
TRAIL_MAX = 256  # publications kept; more than GRACE_MS + STALE_MS holds at one each 100 ms


@dataclass(frozen=True, slots=True)
class Entry:
    """One write as it arrived. `demand_w` is the battery power it asks for (+ = discharge), None when it
    asks for none; `charge_w` and `discharge_w` are what was allowed at that moment."""

    at_ms: int
    unit: int
    address: int
    values: tuple[int, ...]
    demand_w: int | None
    charge_w: int
    discharge_w: int
    outside: bool
    var: int = 0  # the reactive power it asks for, + injected


class Witness:
    """Published limits and the journal of writes."""

    def __init__(self, charge_max_w: int, discharge_max_w: int) -> None:
        self._nameplate = (charge_max_w, discharge_max_w)
        self._trail: deque[tuple[int, int, int]] = deque(maxlen=TRAIL_MAX)
        self.entries: deque[Entry] = deque(maxlen=JOURNAL_MAX)
        self.writes = 0
        self.outside = 0
        self.var_outside = 0  # writes after which more reactive power was asked for than the rating
        self.refused = 0  # writes the device answered with an exception
        self.by_address: Counter[tuple[int, int]] = Counter()

    def publish(self, now_ms: int, charge_w: int, discharge_w: int) -> None:
        """The site said its limits (magnitudes, W), on whatever wire."""
        self._trail.append((now_ms, charge_w, discharge_w))

    def allowed(self, now_ms: int) -> tuple[int, int]:
        """(charge, discharge) magnitudes in W that a careful reader may use now."""
        recent = [e for e in self._trail if e[0] >= now_ms - GRACE_MS]
        before = [e for e in self._trail if now_ms - GRACE_MS - STALE_MS <= e[0] < now_ms - GRACE_MS]
        known = recent + before[-1:]
        charge = max((c for _, c, _ in known), default=0)
        discharge = max((d for _, _, d in known), default=0)
        return min(self._nameplate[0], charge), min(self._nameplate[1], discharge)

    def write(
        self,
        now_ms: int,
        unit: int,
        address: int,
        values: Iterable[int],
        demand_w: int | None,
        var: int = 0,
    ) -> Entry:
        """Journal an accepted write and judge the power it results in."""
        charge, discharge = self.allowed(now_ms)
        outside = demand_w is not None and not -charge <= demand_w <= discharge
        entry = Entry(now_ms, unit, address, tuple(values), demand_w, charge, discharge, outside, var)
        self.entries.append(entry)
        self.writes += 1
        self.outside += outside
        self.by_address[unit, address] += 1
        return entry

    def react(self, var: int, var_max: int) -> None:
        """The reactive power that a write results in, against the rating."""
        self.var_outside += abs(var) > var_max

    def refuse(self) -> None:
        """A write that the device turned down."""
        self.refused += 1

    def summary(self) -> dict[str, Any]:
        """Counts for the control channel."""
        return {
            "writes": self.writes,
            "writes_outside_envelope": self.outside,
            "writes_var_outside_rating": self.var_outside,
            "writes_refused": self.refused,
            "writes_by_address": {
                f"{unit}/{address}": n for (unit, address), n in sorted(self.by_address.items())
            },
        }

    def last(self, count: int) -> list[dict[str, Any]]:
        """The newest entries, oldest first."""
        return [asdict(e) for e in list(self.entries)[-count:]] if count > 0 else []
