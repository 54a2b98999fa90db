"""Whether the grid is there, as the devices that know say. Pure.

One that says it is gone is enough, and its silence afterwards is no return. It refuses to act on the grid:
islanding, black start and reconnection are the inverter's own.
"""

from collections.abc import Iterable
from dataclasses import dataclass

# After the inverter has connected again by its own rules. A grid that has just come back often goes again;
# the grid codes have a generator watch it for a minute (EN 50549) before it delivers, and so do the services.
STABLE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Outage:
    """`lost`: the grid is gone. `until_ms`: it is back, and is to be stable until then (monotonic)."""

    lost: bool = False
    until_ms: int = 0

    def __bool__(self) -> bool:
        """Whether services for the grid must wait."""
        return self.lost or self.until_ms > 0

    @property
    def text(self) -> str:
        """For a person; empty while all is well."""
        return "lost" if self.lost else "returning" if self else ""


def restored(away: bool, *, restarted: bool, now_ms: int) -> Outage:
    """What a process begins with: the one before it knew the grid `away` or not yet stable; or the machine
    was `restarted` since, which may have been by the grid's return."""
    return Outage(until_ms=now_ms + STABLE_MS) if away or restarted else Outage()


def step(before: Outage, said: Iterable[int | None], now_ms: int) -> Outage:
    """`said`: what each provider says now, None where that is not GOOD; 0 is "not connected"."""
    all_said = list(said)
    known = [value for value in all_said if value is not None]
    if 0 in known:
        return Outage(lost=True)
    if before and not known:  # nobody sees that it is back, nor that it stays
        if before.lost:
            return before
        if all_said:
            return Outage(until_ms=now_ms + STABLE_MS)
    if before.lost:
        return Outage(until_ms=now_ms + STABLE_MS)
    return before if now_ms < before.until_ms else Outage()
