"""One battery that can be commanded: its hand, the devices that speak for it, what control remembers of it.

Invariants kept here: 2 (what it says and cannot be), 7 (the battery that does not follow), 12 (the budget),
and of 1 the part that concerns several batteries: what each may be doing, also one that was lost with a
power in it. It refuses to decide powers: the envelope does.
"""

from collections.abc import Mapping
from dataclasses import replace

from gateway import envelope, metersign, plausible, sense
from gateway.envelope import Moment, Outcome
from gateway.follow import Stray, Trace, excess_bp, follow
from gateway.journal import Journal
from gateway.lease import Hand, Hold, Phase
from gateway.metersign import Sense
from gateway.model import NOTHING, Cause, Limits, Quantity, Stamp
from gateway.rates import Budget
from gateway.sense import Battery
from gateway.site import Site, SiteLimits
from gateway.split import Member as Share
from gateway.state import View


class Member:
    """`devices` are the names of the hand's device and of those that measure its battery."""

    def __init__(self, hand: Hand, site: Site, journal: Journal, now_ms: int) -> None:
        self.hand = hand
        self.devices = site.battery_of(hand.hold.device)
        self._site = site
        self._budget = Budget(journal, hand)
        self._memory = envelope.Memory(now_ms, now_ms)
        self._trace = Trace()
        self._excess_bp = 0
        self._meter = Sense()
        self._plausible = plausible.Memory()
        self._before_ms = now_ms
        self.blind = False  # an order wants it, and its limits are not known: it is left to its own control
        self._left = NOTHING  # the powers that may be in it by our writes, and when the last can have arrived
        self._left_ms, self._power_writes = now_ms, 0

    @property
    def hold(self) -> Hold:
        return self.hand.hold

    @property
    def name(self) -> str:
        return self.hold.device

    @property
    def doubts(self) -> Mapping[Quantity, str]:
        """2: what its devices say and cannot be, and why, for a person."""
        return plausible.doubts(self._plausible)

    @property
    def source(self) -> Battery:
        """Where its power is found."""
        return Battery(self.devices, self.hold, max(0, self._excess_bp))

    def clear(self) -> None:
        """A person has dealt with its fault."""
        self._trace, self._meter = Trace(), Sense()
        self.hand.clear()

    def release(self) -> None:
        """To its own control; no order has it."""
        self.blind = False
        self.hand.release()

    def watch(self, view: View, now: Stamp, *, free: bool = False) -> str:
        """Once a cycle, first: keep up with what the device does; a new fault in words, or nothing. `free`:
        what was commanded did not depend on the meter."""
        self._budget.settle(self.hold, now)
        self._recall(view.now_ms)
        own = view.of(self.devices)
        seen = sense.seen(own, self._site, self.devices, self.hold.spec)
        self._plausible = plausible.judge(self._plausible, seen)
        return self.hold.fault or self._strays(own) or self._turned(own, view, free)

    def _recall(self, now_ms: int) -> None:
        """1: a power may have arrived although its answer did not, and the one before it is over only when
        the new one was read back; the fallback, when it was taken and nothing to the contrary was read."""
        hold = self.hold
        if hold.phase is Phase.RELEASED:
            self._left = _refused(hold)
        elif hold.phase is Phase.HELD:
            self._left = _window(hold.power_w)
        else:
            self._left = _either(self._left, _window(hold.power_w))
        if hold.phase in sense.WRITTEN or hold.power_writes != self._power_writes:
            self._left_ms, self._power_writes = now_ms, hold.power_writes

    def _strays(self, own: View) -> str:
        """7: it holds our value, but the measured power is another."""
        hold, measured = self.hold, own.get(Quantity.BATTERY_POWER)
        if hold.phase not in sense.WRITTEN or hold.spec is None:
            self._trace = Trace()
            return ""
        measured_w = measured.good if measured else None
        self._trace, stray = follow(
            self._trace,
            own.now_ms,
            hold.power_w,
            measured_w,
            nameplate_w=max(hold.spec.charge_max_w, hold.spec.discharge_max_w),
            settle_ms=hold.spec.settle_s * 1000,
            age_ms=measured.age_ms if measured else 0,
        )
        settled_ms = own.now_ms - hold.spec.settle_s * 1000
        self._excess_bp = excess_bp(self._excess_bp, self._trace, settled_ms, measured_w)
        if stray is Stray.AGAINST:
            was = f"; it was right on {hold.proven.day}, so run gridseal commission" if hold.proven else ""
            return (
                f"the sign is wrong: {hold.device} was told to {_way(hold.power_w)} and the battery does "
                f"{_way(measured_w or 0)}: check the signs in the profile and the wiring{was}"
            )
        if stray is Stray.APART:
            return f"{hold.device} holds {hold.power_w} W but the battery does {measured_w} W"
        return ""

    def _turned(self, own: View, view: View, free: bool) -> str:
        """7: a meter that was proven and now counts the other way: every law that looks at it does harm."""
        hold, battery = self.hold, own.get(Quantity.BATTERY_POWER)
        grid = view.get(Quantity.GRID_POWER)
        if hold.proven is None or hold.spec is None or battery is None or grid is None:
            return ""
        if battery.good is None or grid.good is None:
            self._meter = Sense((), self._meter.contrary)
            return ""
        nameplate_w = max(hold.spec.charge_max_w, hold.spec.discharge_max_w)
        step_w = max(metersign.STEP_W_MIN, nameplate_w // metersign.STEP_PART)
        self._meter = metersign.step(self._meter, view.now_ms, battery.good, grid.good, step_w, free=free)
        if not self._meter.turned:
            return ""
        return (
            f"the meter {grid.device} now counts the other way than when commissioned on {hold.proven.day}: "
            "check its wiring and its profile, then run gridseal commission"
        )

    def away(self) -> Cause | None:
        """Why it can take no order now, whatever its limits."""
        if not self.hold.online:
            return Cause.OFFLINE
        return Cause.BUDGET if self._budget.used_up(self.hold) else None

    def may_do(self, now_ms: int) -> Limits:
        """1: what it may be doing by our order, each way. One that was lost keeps its last power until its
        own timer has surely ended it; without a timer, until it is reached again."""
        ends_ms = self.hold.ends_s * 1000
        settle_ms = self.hold.spec.settle_s * 1000 if self.hold.spec else 0
        return NOTHING if ends_ms and now_ms - self._left_ms > ends_ms + settle_ms else self._left

    def share(self, moment: Moment, own: View) -> Share:
        """Its part in the division of a target: limits, and energy above and below the site's bounds."""
        capacity, soc = own.good(Quantity.BATTERY_CAPACITY), own.good(Quantity.BATTERY_SOC)
        room = envelope.room(sense.believed(moment, self.doubts), self._memory)
        if not capacity or soc is None:
            return Share(room)
        above, below = soc - moment.site.soc_min_bp, moment.site.soc_max_bp - soc
        return Share(room, max(0, above) * capacity // 10_000, max(0, below) * capacity // 10_000)

    def remember(self, own: View) -> None:
        """What the device really did since the last cycle replaces what was meant."""
        self._memory = sense.remember(self._memory, self.hold, own, self._before_ms)
        self._before_ms = own.now_ms

    def lacks(self, power_w: int, moment: Moment) -> bool:
        """2: whether something that is not known forbids it this power."""
        return envelope.lacks(power_w, sense.believed(moment, self.doubts), self._memory)

    def decide(self, target_w: int, moment: Moment, *, blind: bool = False) -> Outcome:
        """`blind`: what it needs for its part is not known, so it has none."""
        self.blind = blind
        last_w = self.hold.power_w if self.hold.phase in sense.WRITTEN else 0
        believed = sense.believed(moment, self.doubts)
        outcome, self._memory = envelope.limit(target_w, last_w, believed, self._memory)
        return outcome


def _refused(hold: Hold) -> Limits:
    """What may be in a device that was read to obey although the fallback was written."""
    held, spec = hold.read_back, hold.spec
    if not hold.fault or spec is None or held is None or not held.active or held.rests(spec.step_w):
        return _window(0)
    if held.power_w is None:
        return Limits(spec.charge_max_w, spec.discharge_max_w)
    return _window(held.power_w)


def _window(power_w: int) -> Limits:
    return Limits(max(0, -power_w), max(0, power_w))


def _either(one: Limits, other: Limits) -> Limits:
    return Limits(max(one.charge_w, other.charge_w), max(one.discharge_w, other.discharge_w))


def _way(power_w: int) -> str:
    return f"{'discharge' if power_w > 0 else 'charge'} with {abs(power_w)} W"


def ramped(limits: SiteLimits, part_w: int, whole_w: int) -> SiteLimits:
    """5: a battery's part of the site's ramp is its part of the target."""
    if part_w == whole_w or whole_w == 0:
        return limits
    return replace(limits, ramp_w_per_s=limits.ramp_w_per_s * abs(part_w) // abs(whole_w))


def worst(members: list[Member], decided: dict[str, int], without: Member, now_ms: int) -> Limits:
    """1: what all others may be doing at most, each way: what they hold now and what was decided for them,
    whichever is more, because neither is written at the same moment."""
    charge_w = discharge_w = 0
    for member in members:
        if member is without:
            continue
        may, power_w = member.may_do(now_ms), decided.get(member.name, 0)
        charge_w += max(may.charge_w, -power_w)
        discharge_w += max(may.discharge_w, power_w)
    return Limits(charge_w, discharge_w)
