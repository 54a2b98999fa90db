"""Judges the grid's limit: what a write may cause at the meter, by the site's physics.

The load may step by itself, and a limit can then only be kept by the next write. So a power is wrong if it
takes the meter beyond a limit though the house was nowhere near that in all the time that the decision can
have looked at: its measurements are up to WELL_MS old on healthy wires, SICK_MS otherwise. While the house
changes, meter and battery tell it apart only when the battery rests: its swing in that time is forgiven; in a
house that is still, nothing is. A power that is merely held is wrong when it is so for HELD_MS; what the
conversion loses of it is forgiven until it can have been learned. A meter that stands still is to be found
out by what the batteries do: then nothing may be told any more.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

WELL_MS, SICK_MS = 3_500, 8_000  # poll, cycle, exchange, and a second of the meter's own; a stale one
HELD_MS = 6_000
STILL_MS, STILL_W = 9_000, 60  # a house that has not changed by more than this for so long is still
WARM_MS = 12_000  # of a life: until then it may know the house only by what it first saw
OFF_W, OFF_PART = 120, 33  # a step of the device; what conversion loses of what is measured at its DC side
LEARNT_MS = 40_000
MOVED_W, FOUND_MS = 1_200, 25_000  # surely more than it takes to be found out; polls, patience and fallback
TRAIL_MS = 20_000
COMING_MS = 6_500  # a limit may be taken up so long before it surely holds (court.ORDER_MS, and a cycle)
Complain = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Seen:
    """The site at a moment, by its physics. `houses`: what the grid would carry without the batteries, with
    and without those that serve the house by themselves; `battery_w`: of all, at the AC side. `sick`: some
    wire is disturbed; `stuck`: a device shows the same figures for ever, and `frozen`: it is the meter alone,
    while all batteries are told a power."""

    at_ms: int
    houses: tuple[int, int]
    battery_w: int
    sick: bool = False
    stuck: bool = False
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """What the meter may show, W, and from when to when."""

    import_w: int
    export_w: int
    begin_ms: int = 0
    end_ms: int = 2**62


@dataclass
class MeterJudge:
    site: Limit
    complain: Complain
    bound: int = 0  # writes that used the limit up to a little
    _orders: list[Limit] = field(default_factory=list)
    _trail: deque[Seen] = field(default_factory=deque)
    _began_ms: int = 0
    _alive: bool = False
    _beyond_ms: int | None = None
    _losing_ms: int | None = None
    _frozen: tuple[int, int | None] | None = (
        None  # what the batteries did, and since when they do other things
    )

    # -- limits that are ordered ----------------------------------------------------------------------

    def ordered(self, limit: Limit) -> None:
        """The newest counts: an older one may have been replaced."""
        self._orders = [*self._orders[-8:], limit]

    def cut(self) -> None:
        """All that was ordered may be over: a stop, a fault, a disk that is full."""
        self._orders.clear()

    def began(self, now_ms: int) -> None:
        """A life of the daemon; what an earlier one had begun is over."""
        self._began_ms, self._alive = now_ms, True
        self.cut()

    def ended(self) -> None:
        self._alive = False

    def limit(self, now_ms: int) -> Limit:
        """What surely holds now."""
        begun = [order for order in self._orders if order.begin_ms <= now_ms]
        coming = [order for order in self._orders if now_ms < order.begin_ms <= now_ms + COMING_MS]
        if not begun or now_ms >= begun[-1].end_ms or any(now_ms >= order.end_ms for order in coming):
            return self.site
        held = [begun[-1], *coming]  # one that is just being taken up may have replaced the one before
        import_w, export_w = max(o.import_w for o in held), max(o.export_w for o in held)
        return Limit(min(self.site.import_w, import_w), min(self.site.export_w, export_w))

    # -- what happens ---------------------------------------------------------------------------------

    def wrote(self, now_ms: int, power_w: int) -> None:
        """One write that makes all batteries together do this now (+ = discharging)."""
        room_w, limit = self._room_w(now_ms, power_w), self.limit(now_ms)
        if room_w is None:
            return
        if abs(power_w) > room_w:
            self.complain(
                "grid",
                f"{power_w} W at {now_ms}, {room_w} W would keep -{limit.export_w} to {limit.import_w} W",
            )
        self.bound += room_w - abs(power_w) < 2 * OFF_W

    def saw(self, seen: Seen, power_w: int) -> None:
        """Each second; `power_w` is what all are told now."""
        self._trail.append(seen)
        while self._trail[0].at_ms < seen.at_ms - TRAIL_MS:
            self._trail.popleft()
        self._finds(seen)
        self._learns(seen.at_ms, power_w)
        room_w = self._room_w(seen.at_ms, power_w)
        if room_w is None or abs(power_w) <= room_w or not self._alive or self._sick(seen.at_ms, TRAIL_MS):
            self._beyond_ms = None
            return
        self._beyond_ms = self._beyond_ms or seen.at_ms
        if seen.at_ms - max(self._beyond_ms, self._began_ms) > HELD_MS:
            self.complain("grid", f"{power_w} W is held at {seen.at_ms}, {room_w} W would keep the limit")

    def _learns(self, now_ms: int, power_w: int) -> None:
        """What the conversion loses is known after a while in which all was still."""
        room_w = self._room_w(now_ms, power_w, lost_part=0)
        well = self._alive and self._still(now_ms) and not self._sick(now_ms, TRAIL_MS)
        if room_w is None or abs(power_w) <= room_w or not well:
            self._losing_ms = None
            return
        self._losing_ms = self._losing_ms or now_ms
        if now_ms - self._losing_ms > LEARNT_MS:
            self.complain("grid", f"{power_w} W is held at {now_ms}, {room_w} W would, with what is lost")

    def _finds(self, seen: Seen) -> None:
        """2: a meter that stands still is as good as none once the batteries have moved beside it."""
        if not seen.frozen or not self._alive:
            self._frozen = None
            return
        base_w, moved_ms = self._frozen or (seen.battery_w, None)
        moved = abs(seen.battery_w - base_w) >= MOVED_W
        self._frozen = (base_w, (moved_ms or seen.at_ms) if moved else None)
        if moved and seen.at_ms - max(self._frozen[1] or 0, self._began_ms + WARM_MS) > FOUND_MS:
            self.complain("grid", f"{seen.battery_w} W at {seen.at_ms} beside a meter that stands still")

    def _room_w(self, now_ms: int, power_w: int, *, lost_part: int = 1) -> int | None:
        """The most that a careful reader lets them do that way; None where nothing is known of the site."""
        looked_ms = SICK_MS if self._sick(now_ms, SICK_MS) else WELL_MS
        trail = [seen for seen in self._trail if seen.at_ms >= now_ms - looked_ms]
        if not trail or not power_w or any(seen.stuck for seen in self._trail):
            return None
        limit, houses = self.limit(now_ms), [house for seen in trail for house in seen.houses]
        room_w = limit.export_w + max(houses) if power_w > 0 else limit.import_w - min(houses)
        powers = [seen.battery_w for seen in trail]
        swing_w = 0 if self._still(now_ms) else max(powers) - min(powers)
        most_w = max(abs(power_w), *(abs(power) for power in powers))
        return max(0, room_w) + swing_w + OFF_W + lost_part * most_w // OFF_PART

    def _sick(self, now_ms: int, for_ms: int) -> bool:
        return any(seen.sick for seen in self._trail if seen.at_ms >= now_ms - for_ms)

    def _still(self, now_ms: int) -> bool:
        """Whether nothing but the batteries has moved for long enough, in sight of the daemon."""
        trail = [seen for seen in self._trail if seen.at_ms >= now_ms - STILL_MS]
        houses = [house for seen in trail for house in seen.houses]
        warm = self._alive and now_ms - self._began_ms > WARM_MS
        return warm and not any(seen.sick for seen in trail) and max(houses) - min(houses) <= STILL_W
