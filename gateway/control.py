"""The only road to a write: orders in, one decision a cycle, leases out.

`submit` admits an order and makes it durable before anything can come of it. `run` decides every
`site.control_ms`: which order runs, what its law asks, what the envelope allows; the device's hand gets a
lease for it, or is told to go to the fallback. The cycle itself never waits: store, chain and broker are
reached through queues or not at all. Invariants kept here: 3 and 10 (ends, in monotonic time), 8, 11, 12
(the budget), 13, 15 and, of 7, the battery that does not follow.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gateway import envelope, sense, services
from gateway.clock import Clock
from gateway.errors import ConfigError, ServiceRefused, StoreError
from gateway.follow import Trace, follow
from gateway.journal import Journal, Store
from gateway.latch import Latch
from gateway.lease import Hand, Hold
from gateway.ledger import Run
from gateway.model import Cause, Command, CommandState, Delivery, Quantity, ServiceKind, Stamp, Verdict
from gateway.orders import OPEN_MAX, Orders, reach
from gateway.rates import Budget, Rates
from gateway.site import Site
from gateway.state import SiteState, View
from gateway.store import commands

LEASE_CYCLES = 3  # a hand whose lease is not renewed for so long goes to the fallback by itself
LEASE_MS_MIN = 2000  # of fast cycles: the exchange with a slow device must fit
FALLBACK_S = 5.0


@dataclass(frozen=True, slots=True)
class Status:
    """What control does, for screens. Powers in W, + discharge; `mode` and `fault` are for people."""

    mode: str = "fallback"  # running | fallback | stopped | fault | store lost
    command: Command | None = None
    remaining_ms: int = 0
    target_w: int = 0
    commanded_w: int = 0
    measured_w: int | None = None
    causes: tuple[Cause, ...] = ()
    fault: str = ""
    stop: str = ""
    hold: Hold | None = None
    open_orders: int = 0
    cycles: int = 0
    late_cycles: int = 0


def _ignore(_: object) -> None:
    """Nobody listens."""


class Control:
    """`hands` are the devices that can be commanded: none (the site is only watched) or one.

    `on_delivery` gets each ended order's account once it is stored; `on_cycle(in_time)` is called after each
    cycle of the grid and feeds the watchdog. Both are synchronous and quick.
    """

    def __init__(
        self,
        site: Site,
        state: SiteState,
        clock: Clock,
        hands: Sequence[Hand],
        store: Store,
        *,
        on_delivery: Callable[[Delivery], None] = _ignore,
        on_cycle: Callable[[bool], None] = _ignore,
    ) -> None:
        if len(hands) > 1:
            names = ", ".join(hand.hold.device for hand in hands)
            raise ConfigError(f"{names} can all be commanded: write `control: false` at all but one")
        self._site = site
        self._state = state
        self._clock = clock
        self._hand = hands[0] if hands else None
        self._store = store
        self._journal = Journal(store)
        self._on_cycle = on_cycle
        self._rates = Rates(site.limits.commands_per_minute)
        self._budget = Budget(self._journal, self._hand)
        self._latch = Latch(site.id, self._journal)
        self._kick = asyncio.Event()
        self._orders = Orders(clock, self._journal, self._kick.set, on_delivery)
        now_ms = clock.mono_ms()
        self._memory = envelope.Memory(now_ms, now_ms)
        self._before_ms = now_ms
        self._trace = Trace()
        self._closing = False
        self.status = Status()

    # -- orders -----------------------------------------------------------------------------------

    async def submit(self, command: Command) -> Verdict:
        """Admit or refuse, durably. The same id again gets the same verdict and does nothing more.

        A stop takes effect before it is stored. StoreError: not acknowledged, nothing will be done.
        """
        now = self._clock.now()
        if command.kind is ServiceKind.STOP:
            self._stop(command, now)
        elif not self._rates.take(command.source, now.mono_ms):
            # 12: not stored: a flood must not wear the card.
            return self._judge(command, now, recent=self._site.limits.commands_per_minute)
        if self._journal.failed:
            raise StoreError(f"nothing is accepted: {self._journal.failed}")
        try:
            return await self._enter(command, now)
        except StoreError as error:
            self._journal.fail(str(error))
            self._kick.set()
            raise

    async def _enter(self, command: Command, now: Stamp) -> Verdict:
        """11: durable, then open; an id that is stored already is only answered."""
        known = await self._store.call(commands.get, command.id)
        if known is not None:
            return self._known(known)
        verdict = self._judge(command, now)
        if not await self._store.call(commands.insert, command, verdict, now.wall_ms):
            return self._known(await self._store.call(commands.get, command.id))
        if verdict.admitted and command.kind is ServiceKind.STOP:
            self._latch.stored(command, now)
        elif verdict.admitted:
            self._orders.add(command, envelope.term(command, now))
        return verdict

    def clear(self) -> str:
        """An operator ends a stop and clears a latched fault; says what was ended. ServiceRefused if none."""
        ended = self._latch.clear(self._clock.now())
        if not ended:
            raise ServiceRefused("nothing is latched: there is no stop and no fault to clear")
        if self._hand is not None:
            self._hand.clear()
        self._trace = Trace()
        self._kick.set()
        return ended

    def _known(self, order: commands.Order) -> Verdict:
        """11: an id that was seen before is answered, never carried out again."""
        if order.command.kind is ServiceKind.STOP and order.state not in self._latch.OPEN:
            self._latch.forget(order.command.id)  # a replay of a stop that was ended long ago
        return Verdict(order.state is not CommandState.REFUSED, order.reason)

    def _stop(self, command: Command, now: Stamp) -> None:
        if self._judge(command, now).admitted:
            self._latch.stop(command)
            self._kick.set()

    def _judge(self, command: Command, now: Stamp, *, recent: int = 0) -> Verdict:
        if reason := services.problem(command) or self._no_room(command):
            return Verdict(False, reason)
        static, known = self._static(), command.id in self._orders
        return envelope.admit(command, reach(command, static), static, now, known=known, recent=recent)

    def _no_room(self, command: Command) -> str:
        if command.kind is ServiceKind.STOP:
            return ""
        if self._closing:
            return "the gateway is stopping"
        return f"{OPEN_MAX} orders are open already" if len(self._orders) >= OPEN_MAX else ""

    def _static(self) -> envelope.Static:
        return envelope.Static(self._site.limits, sense.nameplate(self._hold.spec if self._hold else None))

    # -- the cycle --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Take up what is stored, then decide until cancelled. StoreError if the store fails at the start;
        later failures of the store lead to the fallback, not to an error."""
        now, stored = self._clock.now(), await self._store.call(commands.open_commands)
        for order in (o for o in stored if o.command.kind is ServiceKind.STOP):
            self._latch.restore(order, now)
        orders = (o for o in stored if o.command.kind is not ServiceKind.STOP)
        self._orders.recover(orders, self._static(), now)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._journal.run())
            await self._cycles()

    async def fallback(self, timeout_s: float = FALLBACK_S) -> bool:
        """For the daemon's end: no more orders, open ones cut short, the device in its fallback.

        Bounded by `timeout_s` for the device and again for the store; True when the device took it.
        """
        self._closing = True
        self._orders.cut((), "the gateway was stopped")
        taken = True if self._hand is None else await self._hand.fallback(timeout_s)
        await self._journal.drain(timeout_s)
        return taken

    async def _cycles(self) -> None:
        slot_ms = self._clock.mono_ms()
        cycle_ms = self._site.control_ms
        while True:
            self._kick.clear()
            self._cycle()
            late_ms = self._clock.mono_ms() - slot_ms
            self._finished(late_ms <= cycle_ms)
            slot_ms += (late_ms // cycle_ms + 1) * cycle_ms
            while (wait_ms := slot_ms - self._clock.mono_ms()) > 0 and await self._kicked(wait_ms):
                self._kick.clear()
                self._cycle()  # something arrived: decide now, but the grid stays and is what feeds

    async def _kicked(self, wait_ms: int) -> bool:
        try:
            async with asyncio.timeout(wait_ms / 1000):
                await self._kick.wait()
        except TimeoutError:
            return False
        return True

    def _finished(self, in_time: bool) -> None:
        """15: only a cycle that finished on time is a sign of life."""
        late = self.status.late_cycles + (not in_time)
        self.status = replace(self.status, cycles=self.status.cycles + 1, late_cycles=late)
        self._on_cycle(in_time)

    def _cycle(self) -> None:
        """One decision, synchronous from the process image to the lease."""
        view, now = self._state.view(), self._clock.now()
        hold = self._hold
        if hold is not None:
            self._budget.settle(hold, now)
            self._watch(hold, view, now)
        self._orders.expire(view.now_ms)
        halt = self._halt(hold)
        if halt in (Cause.FAULT, Cause.STOP):
            self._orders.cut((halt,), self._latch.text or self._journal.failed)
        run = self._orders.due(view.now_ms, self._static(), may_begin=halt is None)
        if run is None or hold is None or self._hand is None or self._closing:
            self._rest(view)
        else:
            self._execute(run, view, self._hand, halt)
        self._before_ms = view.now_ms

    def _execute(self, run: Run, view: View, hand: Hand, halt: Cause | None) -> None:
        hold = hand.hold
        wanted = services.LAWS[run.command.kind].target(run.command.parameters, sense.inputs(view))
        self._memory = sense.remember(self._memory, hold, view, self._before_ms)
        last_w = hold.power_w if hold.phase in sense.WRITTEN else 0
        moment = sense.moment(view, self._site, hand, run.reach, halt)
        outcome, self._memory = envelope.limit(wanted or 0, last_w, moment, self._memory)
        causes = outcome.causes
        if wanted is None:
            causes = (*causes, Cause.STALE_LIMIT)
        if not hold.online:
            causes = (*causes, Cause.INVERTER)
        # 2, 13: a limit or a measurement that is needed and not known leads to the fallback at once.
        if Cause.STALE_LIMIT in causes or halt is not None or not hold.online:
            hand.release()
            power_w = 0
        else:
            lease_ms = max(LEASE_CYCLES * self._site.control_ms, LEASE_MS_MIN)
            hand.desire(outcome.power_w, min(view.now_ms + lease_ms, run.term.end_ms))  # 3
            power_w = outcome.power_w
        self._orders.book(run, view.now_ms, wanted or 0, view.good(Quantity.BATTERY_POWER), causes)
        self._show(view, run, wanted or 0, power_w, causes)

    def _rest(self, view: View) -> None:
        """No order runs: the device's own control."""
        if self._hand is not None:
            self._hand.release()
            self._memory = sense.remember(self._memory, self._hand.hold, view, self._before_ms)
        self._show(view, None, 0, 0, ())

    def _halt(self, hold: Hold | None) -> Cause | None:
        """Why nothing may flow now, the gravest first."""
        if self._latch.fault:
            return Cause.FAULT
        if self._latch.stopped:
            return Cause.STOP
        if self._journal.failed:
            return Cause.FAULT
        return Cause.BUDGET if hold is not None and self._budget.used_up(hold) else None

    def _watch(self, hold: Hold, view: View, now: Stamp) -> None:
        """7, 14: what the hand found, and whether the battery follows; a fault is latched, durably."""
        if hold.fault:
            self._latch.trip(hold.fault, now)
        if hold.phase not in sense.WRITTEN or hold.spec is None:
            self._trace = Trace()
            return
        self._trace, lost = follow(
            self._trace,
            view.now_ms,
            hold.power_w,
            view.good(Quantity.BATTERY_POWER),
            nameplate_w=max(hold.spec.charge_max_w, hold.spec.discharge_max_w),
            settle_ms=hold.spec.settle_s * 1000,
        )
        if lost:
            measured_w = view.good(Quantity.BATTERY_POWER)
            self._latch.trip(f"{hold.device} holds {hold.power_w} W but the battery does {measured_w} W", now)

    # -- screens ----------------------------------------------------------------------------------

    @property
    def _hold(self) -> Hold | None:
        return self._hand.hold if self._hand is not None else None

    def _show(
        self, view: View, run: Run | None, target_w: int, power_w: int, causes: tuple[Cause, ...]
    ) -> None:
        self.status = replace(
            self.status,
            mode=self._mode(run),
            command=run.command if run else None,
            remaining_ms=run.term.end_ms - view.now_ms if run else 0,
            target_w=target_w,
            commanded_w=power_w,
            measured_w=view.good(Quantity.BATTERY_POWER),
            causes=causes,
            fault=self._latch.fault,
            stop=self._latch.stopped,
            hold=self._hold,
            open_orders=len(self._orders),
        )

    def _mode(self, run: Run | None) -> str:
        if self._latch.fault:
            return "fault"
        if self._latch.stopped:
            return "stopped"
        if self._journal.failed:
            return "store lost"
        return "running" if run else "fallback"
