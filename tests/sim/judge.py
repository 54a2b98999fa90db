"""Who judges a seeded run: what was asked, what reached the device, what the database holds between lives.

Everything is learnt from the rig's journal of writes, from the site's physics, from the answers to orders and
from copies of the database; nothing from what the daemon says of itself. All times are monotonic ms. It
refuses to forgive: each contradiction is a line in `wrong`, counted by kind.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field

from rig.witness import Entry

from gateway.model import ServiceKind

CYCLE_MS = 1000
EXCHANGE_MS = 1000  # of a healthy link: a poll in flight, then arm, write, read back
RAMP_W_PER_S = 1000
STEP_W = 120  # what a device rounds to, and the exchange between decision and wire
DWELL_MS = 2000
SOC_MIN_BP, SOC_MAX_BP, SOC_GRACE_MS = 1000, 9500, 8000
# A device whose link was bad is left alone for up to half a minute; then it is reached again.
SICK_MS = 45_000
REACH_MS = 3_000  # after a start, on a healthy link
# What each device of the rig has its own timer set to: what ends a power behind a dead link or gateway. None:
# nothing does. It keeps the power until a gateway has started, or has a link again, and hands it back.
TIMER_S: Mapping[str, int | None] = {
    "sunspec": 60,
    "sunspec_124": 60,
    "sunspec_hybrid": 60,
    "victron_gx": 60,
    "huawei_luna2000": 120,
    "solaredge_storedge": 90,
    "sma_sunny_island": 60,
    "victron_gx_3p": 60,
    "deye_3p_lv": 60,
    "kostal_plenticore": 30,
    "solax_g4": 120,
    "alpha_ess_smile": 240,
    "solis_hybrid": 300,
    "goodwe_et": None,
    "sungrow_sh": None,
    "sofar_g3": None,
    "sigenergy": None,
}
TIMER_SLACK_MS = 15_000
# Registers that are a part of the power only, and the next write holds the next part.
PARTS: Mapping[str, frozenset[int]] = {"victron_gx_3p": frozenset({37, 40})}
# Devices whose memory wears: found in their fallback, they are not written to for it.
SPARED = frozenset({"sungrow_sh", "sigenergy"})
# Devices that nothing hands back at once: their fallback is a 0 that their own timer ends.
ZEROED = frozenset({"kostal_plenticore"})
# What a life finds, now (monotonic): an order that was begun for a moment to come may still be carried out.
STATES = "SELECT id, iif(state = 'running' AND began_mono_ms > ?, 'admitted', state) FROM command"
WHOLE = {ServiceKind.PEAK_SHAVING, ServiceKind.SELF_CONSUMPTION, ServiceKind.GRID_LIMIT, ServiceKind.RESERVE}


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for, as the one who asked knows it. Times are Unix ms; powers are magnitudes."""

    id: str
    charge_w: int
    discharge_w: int
    begin_wall_ms: int
    end_wall_ms: int
    shared: bool
    kind: ServiceKind = ServiceKind.FIXED_POWER
    parameters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Window:
    """When an order may act, by the calendar as it was when it was admitted or taken up again."""

    order: Order
    begin_ms: int
    end_ms: int


def order(
    name: str,
    kind: ServiceKind,
    parameters: Mapping[str, int],
    wall: tuple[int, int],
    limit_w: int,
    shared: bool,
) -> Order:
    """The greatest powers that this kind with these parameters can mean."""
    whole = kind in WHOLE or bool(parameters.get("watt_to_mv"))
    power_w = limit_w if whole else parameters.get("power_w", 0)
    both = kind not in (ServiceKind.FIXED_POWER, ServiceKind.TRIGGERED)
    charge_w = abs(power_w) if both or power_w < 0 else 0
    discharge_w = abs(power_w) if both or power_w > 0 else 0
    return Order(name, charge_w, discharge_w, *wall, shared, kind, parameters)


@dataclass
class Judge:
    limit_w: int
    timer_s: int | None  # of the device
    _: KW_ONLY
    zeroed: bool = False  # one of ZEROED
    ramp_w_per_s: int = RAMP_W_PER_S
    wrong: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    orders: dict[str, Order] = field(default_factory=dict)
    promised: set[str] = field(default_factory=set)  # answered with yes
    executed: dict[str, int] = field(default_factory=dict)  # id -> the life in which it alone was written
    life: int = 0
    behind_s: int = 0  # seconds of power past an end, behind a dead link or gateway
    _alive: bool = False
    _windows: list[Window] = field(default_factory=list)
    _began_ms: int = 0
    _released: bool = False  # the fallback was written in this life, or found
    _stopped_ms: int | None = None
    _sick_ms: int = -SICK_MS
    _foreign: bool = False
    _uncovered_ms: int | None = None
    _demand_w: int = 0
    _changed_ms: int = 0
    _flow: tuple[int, int] = (0, 0)  # sign of the last power, since when there is none of it
    _low_ms: int | None = None  # since when the charge is outside its bounds
    _high_ms: int | None = None

    # -- what was asked -------------------------------------------------------------------------------

    def asked(self, order: Order, now_ms: int, wall_ms: int, admitted: bool | None) -> None:
        """An order was given; `admitted` None: no answer, so it may or may not be known."""
        self.orders[order.id] = order
        if admitted is False:
            if order.id in self.promised:
                self._complain("unsaid", f"{order.id[:8]} was admitted and is refused now")
            return
        if admitted:
            self.promised.add(order.id)
        if not any(window.order.id == order.id for window in self._windows):
            self._open(order, now_ms, wall_ms)

    def may_act(self, order: Order, now_ms: int, wall_ms: int) -> None:
        """An order that may have been heard, by this calendar as well as by those said before."""
        self.orders[order.id] = order
        self._open(order, now_ms, wall_ms)

    def may_not(self, name: str) -> None:
        """The database says that it was refused."""
        self._windows = [window for window in self._windows if window.order.id != name]

    def stopped(self, now_ms: int) -> None:
        self._stopped_ms = now_ms if self._stopped_ms is None else self._stopped_ms

    def released(self) -> None:
        self._stopped_ms = None

    def _open(self, order: Order, now_ms: int, wall_ms: int) -> None:
        begin_ms, end_ms = now_ms + order.begin_wall_ms - wall_ms, now_ms + order.end_wall_ms - wall_ms
        self._windows.append(Window(order, max(now_ms, begin_ms), end_ms))

    # -- lives of the daemon --------------------------------------------------------------------------

    def began(self, now_ms: int, wall_ms: int, states: Mapping[str, str]) -> None:
        """A life begins on a database with these states of commands (as STATES asks for them)."""
        self.life += 1
        self._alive, self._began_ms, self._released, self._windows = True, now_ms, False, []
        self.kept(states)
        for name, order in self.orders.items():
            if states.get(name) != "admitted":
                continue
            if name in self.executed:
                self._complain("executed_twice", f"{name[:8]} was carried out and is open again")
            self._open(order, now_ms, wall_ms)

    def at_rest(self) -> None:
        """A life begins, and the device is found to be left to itself."""
        self._released = True

    def kept(self, states: Mapping[str, str]) -> None:
        """Nothing that was answered with yes may be missing."""
        for name in self.promised:
            if states.get(name, "refused") == "refused":
                self._complain("lost", f"{name[:8]} was acknowledged and is {states.get(name)}")

    def ended(self) -> None:
        self._alive = False

    # -- what reached the device ----------------------------------------------------------------------

    @property
    def demand_w(self) -> int:
        """The power of the last write that was judged."""
        return self._demand_w

    @property
    def yielded(self) -> bool:
        """Whether what the device holds is somebody else's."""
        return self._foreign

    def foreign(self) -> None:
        """Somebody else has written to the device: what it holds is not ours until it is at rest again."""
        self._foreign = True

    def wrote(self, entry: Entry) -> None:
        """One write at the device, in their order."""
        demand_w = entry.demand_w or 0
        if entry.demand_w is None:  # the device's own control decides until we write again
            self._released, self._flow = True, (0, 0)
        self._released |= self.zeroed and not demand_w
        if demand_w and not self._foreign:
            self._power(entry.at_ms, demand_w)
        if not demand_w:
            self._foreign = False
        self._note(entry.at_ms, demand_w)

    def _power(self, now_ms: int, power_w: int) -> None:
        if not self._released:
            self._complain("not_fallback_first", f"{power_w} W before the fallback, at {now_ms}")
        if not self._alive:
            self._complain("written_dead", f"{power_w} W while no daemon runs, at {now_ms}")
        if self._stopped_ms is not None and now_ms > self._stopped_ms + EXCHANGE_MS:
            self._complain("while_stopped", f"{power_w} W at {now_ms}, stopped since {self._stopped_ms}")
        self._inside(now_ms, power_w)
        if power_w != self._demand_w:
            self._moved(now_ms, power_w)
        for since_ms, forbidden, what in (
            (self._low_ms, power_w > 0, "empty"),
            (self._high_ms, power_w < 0, "full"),
        ):
            if forbidden and since_ms is not None and now_ms - since_ms > SOC_GRACE_MS:
                self._complain("soc", f"{power_w} W at {now_ms}, {what} since {since_ms}")

    def _inside(self, now_ms: int, power_w: int) -> None:
        """3, 10, 11: an order that may act now must cover it."""
        acting = [o for o in self._acting(now_ms, CYCLE_MS) if o.charge_w or o.discharge_w]
        charge_w, discharge_w = self.covered(now_ms)
        if -charge_w <= power_w <= discharge_w:
            if len(acting) == 1:
                self.executed.setdefault(acting[0].id, self.life)
        else:
            open_ = ", ".join(o.id[:8] for o in acting)
            self._complain(
                "overrun", f"{power_w} W at {now_ms}, covered is {-charge_w} to {discharge_w} ({open_})"
            )

    def covered(self, now_ms: int) -> tuple[int, int]:
        """The most that the orders of now can mean, charge and discharge."""
        acting = self._acting(now_ms, CYCLE_MS)
        charges = [(o.charge_w, o.shared) for o in acting]
        return _most(charges), _most([(o.discharge_w, o.shared) for o in acting])

    def _acting(self, now_ms: int, slack_ms: int) -> list[Order]:
        open_ = [w.order for w in self._windows if w.begin_ms <= now_ms <= w.end_ms + slack_ms]
        return list({order.id: order for order in open_}.values())

    def _moved(self, now_ms: int, power_w: int) -> None:
        """5 and 6, at the wire."""
        base_w = abs(self._demand_w) if self._demand_w * power_w > 0 else 0
        elapsed_ms = min(CYCLE_MS, now_ms - self._changed_ms)
        if abs(power_w) - base_w > self.ramp_w_per_s * elapsed_ms // 1000 + STEP_W:
            self._complain(
                "ramp", f"{self._demand_w} to {power_w} W in {now_ms - self._changed_ms} ms, at {now_ms}"
            )
        sign, since_ms = self._flow
        if sign * power_w < 0 and now_ms - since_ms < DWELL_MS - EXCHANGE_MS // 5:
            self._complain(
                "dwell", f"turned to {power_w} W {now_ms - since_ms} ms after the other way, at {now_ms}"
            )

    def _note(self, now_ms: int, demand_w: int) -> None:
        if demand_w != self._demand_w:
            if not demand_w and self._demand_w:
                self._flow = (self._flow[0], now_ms)
            self._changed_ms = now_ms
        if demand_w:
            self._flow = (1 if demand_w > 0 else -1, now_ms)
        self._demand_w = demand_w

    # -- what the site does, each second --------------------------------------------------------------

    def saw(self, now_ms: int, demand_w: int, *, sick: bool, soc_bp: int) -> None:
        """The power the device is told to do now; `sick`: its link is disturbed."""
        if sick:
            self._sick_ms = now_ms
        self._low_ms = (self._low_ms or now_ms) if soc_bp < SOC_MIN_BP else None
        self._high_ms = (self._high_ms or now_ms) if soc_bp > SOC_MAX_BP else None
        if not demand_w:
            self._foreign, self._uncovered_ms = False, None
            if self._demand_w:
                self._note(now_ms, 0)  # its own timer ended it
            return
        covered = self._alive and self._acting(now_ms, CYCLE_MS + EXCHANGE_MS)
        if covered or self._foreign:
            self._uncovered_ms = None
            return
        if self._uncovered_ms is None:
            self._uncovered_ms = now_ms
        self._held(now_ms, demand_w, self._uncovered_ms)

    def _held(self, now_ms: int, demand_w: int, since_ms: int) -> None:
        """A power that no order covers: only behind a dead gateway or link, while the device keeps it."""
        self.behind_s += 1
        reached = self._alive and now_ms > self._began_ms + REACH_MS
        if reached and self._sick_ms < now_ms - SICK_MS:
            self._complain("overrun", f"{demand_w} W is held at {now_ms}, the link is well")
        elif self.timer_s is not None and now_ms - since_ms > self.timer_s * 1000 + TIMER_SLACK_MS:
            self._complain("overrun", f"{demand_w} W is held at {now_ms}, longer than the device's own timer")

    def _complain(self, kind: str, text: str) -> None:
        self.kinds[kind] += 1
        self.wrong.append(f"{kind}: {text} (life {self.life})")


def _most(reaches: list[tuple[int, bool]]) -> int:
    """One order alone, or all shared ones together."""
    alone = [power_w for power_w, _ in reaches]
    return max([0, *alone, sum(power_w for power_w, shared in reaches if shared)])
