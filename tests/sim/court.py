"""All judges of one seeded run behind the face of one: what is told to it goes to those whom it concerns.

Each battery has its own `Judge`, and one for its reactive power; the site has those of the meter and of the
island, and here the sum of several batteries is judged. They share one list of what is wrong.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rig.faults import Faults
from rig.witness import Entry

from gateway.model import ServiceKind
from tests.sim.island_judge import IslandJudge
from tests.sim.judge import EXCHANGE_MS, PARTS, SPARED, TIMER_S, ZEROED, Judge, Order
from tests.sim.meter_judge import Limit, MeterJudge, Seen
from tests.sim.rigged import Part
from tests.sim.sites import Site
from tests.sim.var_judge import VarJudge

APART_W, APART_MS = 1500, 40_000  # beyond every tolerance, settling time and patience of `follow`
HALF_BP = 5_000
ORDER_MS = 5_000  # from an order's begin until it surely narrows


@dataclass
class Told:
    """What one battery is told, as its writes and its timer have it."""

    power_w: int = 0
    var: int = 0
    reached: bool = False  # written in this life: what it held before is not known to a new one
    apart_ms: int | None = None  # since when its battery does something else


@dataclass
class Court:
    site: Site
    parts: Sequence[Part]
    wrong: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        shared = {"wrong": self.wrong, "kinds": self.kinds}
        kinds = [battery.kind for battery in self.site.batteries]
        timers = [TIMER_S[kind] for kind in kinds]
        self.members = [
            Judge(self.site.limit_w, TIMER_S[kind], zeroed=kind in ZEROED, **shared) for kind in kinds
        ]
        self.vars = [
            VarJudge(
                part.plant.spec.var_max,
                timer_s,
                **shared,
                apparent_va=part.plant.spec.ac_max_w,
                addresses=part.var_addresses,
            )
            for part, timer_s in zip(self.parts, timers, strict=True)
        ]
        self.meter = MeterJudge(Limit(self.site.import_w, self.site.export_w), self._complain)
        self.island = IslandJudge(self._complain)
        self.told = [Told() for _ in self.parts]
        self._all = [*self.members, *self.vars]
        self._parts: dict[int, Entry] = {}  # of a power that is not whole yet, by member

    @property
    def executed(self) -> frozenset[str]:
        """The orders of which some battery was given a power."""
        return frozenset().union(*(member.executed for member in self.members))

    def behind_s(self, *, timed: bool) -> int:
        """Seconds of power past an end at devices that end it by themselves, or at those that do not."""
        return sum(judge.behind_s for judge in self.members if (judge.timer_s is not None) == timed)

    # -- what was asked -------------------------------------------------------------------------------

    def asked(self, order: Order, now_ms: int, wall_ms: int, admitted: bool | None) -> None:
        first, *others = self.members
        new = order.id not in first.orders  # one that is asked again is answered as it was, and may be over
        first.asked(order, now_ms, wall_ms, admitted)  # that it is kept is asked of one
        for judge in others:
            judge.asked(order, now_ms, wall_ms, None if admitted else admitted)
        for judge in self.vars:
            judge.asked_var(order, now_ms, wall_ms, admitted)
        if admitted and new and order.kind is ServiceKind.GRID_LIMIT:
            self.meter.ordered(_limit(order, now_ms, wall_ms))

    def may_act(self, order: Order, now_ms: int, wall_ms: int) -> None:
        for judge in self.members:
            judge.may_act(order, now_ms, wall_ms)

    def may_not(self, name: str) -> None:
        for judge in self._all:
            judge.may_not(name)

    def stopped(self, now_ms: int) -> None:
        for judge in self._all:
            judge.stopped(now_ms)
        self.cut()

    def released(self) -> None:
        for judge in self._all:
            judge.released()

    def cut(self) -> None:
        """What runs may be over before its time: a stop, a fault, a full disk."""
        self.meter.cut()

    # -- lives of the daemon --------------------------------------------------------------------------

    def began(self, now_ms: int, wall_ms: int, states: Mapping[str, str]) -> None:
        for judge in self._all:
            judge.began(now_ms, wall_ms, states)
        for battery, judge, part in zip(self.site.batteries, self.members, self.parts, strict=True):
            if battery.kind in SPARED and part.plant.demand_w(part.told(now_ms)) is None:
                judge.at_rest()
        self.meter.began(now_ms)
        self.island.began(now_ms)
        for told in self.told:
            told.reached = False

    def kept(self, states: Mapping[str, str]) -> None:
        self.members[0].kept(states)

    def ended(self, *, stored: bool = True) -> None:
        """`stored`: nothing that it knew was lost by a full disk."""
        for judge in (*self._all, self.meter):
            judge.ended()
        self.island.ended(stored=stored)

    # -- what goes wrong at the site ------------------------------------------------------------------

    def foreign(self, member: int) -> None:
        self.members[member].foreign()
        self.cut()

    # -- what reached the devices ---------------------------------------------------------------------

    def wrote(self, member: int, entry: Entry) -> None:
        """One write at one of the devices, in their order. Of a power in parts the last is judged: before it
        the device is somewhere between the old power and the new, for the milliseconds of an exchange."""
        if entry.address in PARTS.get(self.site.batteries[member].kind, ()):
            self._parts[member] = entry
            return
        self._parts.pop(member, None)
        self._wrote(member, entry)

    def _left_in_parts(self, now_ms: int) -> None:
        """What was not made whole is judged as it is, unless it is less than what was there before."""
        for member, entry in list(self._parts.items()):
            if now_ms <= entry.at_ms + EXCHANGE_MS:
                continue
            del self._parts[member]
            power_w, before_w = entry.demand_w or 0, self.members[member].demand_w
            if 0 <= power_w <= before_w or before_w <= power_w <= 0:
                self.members[member]._note(entry.at_ms, power_w)
            else:
                self._wrote(member, entry)

    def _wrote(self, member: int, entry: Entry) -> None:
        told, power_w = self.told[member], entry.demand_w or 0
        new_w = power_w != told.power_w
        foreign = self.members[member].yielded
        new_var, told.power_w, told.var, told.reached = entry.var != told.var, power_w, entry.var, True
        self.members[member].wrote(entry)
        self.vars[member].wrote(entry)
        if entry.outside:
            self._complain("outside", f"{power_w} W at {entry.at_ms}, allowed is {_allowed(entry)}")
        if power_w and not foreign:
            self._together(entry.at_ms, power_w, new_w)
        if (power_w and not foreign) or (entry.var and new_var):
            self.island.wrote(entry.at_ms)

    def _together(self, now_ms: int, power_w: int, new: bool) -> None:
        """1: the sum, and at the meter. Those that go the same way are what it is limited for. `new`: it is
        another power than before, and not one of the registers that make it up or its refresh."""
        sum_w = sum(t.power_w for t in self.told if t.reached and t.power_w * power_w > 0)
        charge_w, discharge_w = self.members[0].covered(now_ms)
        most_w = min(self.site.limit_w, discharge_w if power_w > 0 else charge_w)
        if len(self.parts) > 1 and abs(sum_w) > most_w:
            told = ", ".join(str(t.power_w) for t in self.told)
            self._complain("sum", f"{told} W together at {now_ms}, {most_w} W are covered")
        if new:
            self.meter.wrote(now_ms, sum_w)

    # -- what the site does, each second --------------------------------------------------------------

    def saw(self, now_ms: int, faults: Sequence[Faults]) -> None:
        """`faults`: of each battery's link, and then of the meter's."""
        self._left_in_parts(now_ms)
        sick = [bool(link._set) for link in faults]
        stuck = any(link.is_set("stuck") for link in faults)
        for number, part in enumerate(self.parts):
            self._saw_one(number, part, now_ms, sick[number])
        loads = self.parts[0].plant.state
        house_w = loads.load_w - sum(part.plant.state.pv_w for part in self.parts)
        powers = [part.plant.state.battery_ac_w for part in self.parts]
        # One out of reach looks like a part of the house to the others, its end like a step of the load.
        several = len(self.parts) > 1
        own = [not told.power_w or (several and sick[number]) for number, told in enumerate(self.told)]
        own_w = sum(power_w for power_w, alone in zip(powers, own, strict=True) if alone)
        power_w = sum(told.power_w for told in self.told if told.reached)
        foreign = any(member.yielded for member in self.members)
        meter_alone = len(faults) > len(self.parts) and faults[-1].is_set("stuck") and not any(sick[:-1])
        frozen = meter_alone and not foreign and all(t.reached and t.power_w for t in self.told)
        seen = Seen(now_ms, (house_w, house_w - own_w), sum(powers), any(sick), stuck, frozen)
        self.meter.saw(seen, 0 if foreign else power_w)
        told = any(t.power_w for t in self.told if t.reached)
        told = told or any(t.var for t in self.told if t.reached)
        self.island.saw(now_ms, told and not foreign, sick=any(sick))

    def _saw_one(self, number: int, part: Part, now_ms: int, sick: bool) -> None:
        told, order, plant = self.told[number], part.told(now_ms), part.plant
        told.power_w, told.var = plant.demand_w(order) or 0, order.var
        soc_bp = round(plant.state.soc * 10_000)
        self.members[number].saw(now_ms, told.power_w, sick=sick, soc_bp=soc_bp)
        self.vars[number].saw(now_ms, order.var, sick=sick, soc_bp=HALF_BP)  # no matter of the charge
        self.vars[number].flowed(now_ms, plant.state.battery_ac_w)
        foreign = self.members[number].yielded
        self._heeds(told, now_ms, plant.state.battery_ac_w, judged=told.reached and not sick and not foreign)

    def _heeds(self, told: Told, now_ms: int, battery_w: int, *, judged: bool) -> None:
        """7: a battery that does something else for long enough has failed, and is told nothing any more."""
        if not judged or not told.power_w or abs(battery_w - told.power_w) <= APART_W:
            told.apart_ms = None
            return
        told.apart_ms = told.apart_ms or now_ms
        if now_ms - told.apart_ms > APART_MS:
            self._complain("failed", f"{told.power_w} W at {now_ms}, but {battery_w} W since {told.apart_ms}")

    def _complain(self, kind: str, text: str) -> None:
        self.members[0]._complain(kind, text)


def _allowed(entry: Entry) -> str:
    return f"-{entry.charge_w} to {entry.discharge_w} W by inverter and BMS"


def _limit(order: Order, now_ms: int, wall_ms: int) -> Limit:
    """A grid limit, from when it surely holds."""
    begin_ms, end_ms = (now_ms + at_ms - wall_ms for at_ms in (order.begin_wall_ms, order.end_wall_ms))
    given = order.parameters
    return Limit(given["import_w"], given["export_w"], max(now_ms, begin_ms) + ORDER_MS, end_ms)
