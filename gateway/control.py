"""The only road to a write: orders in, one decision a cycle, leases out.

Orders come in by intake.py. `run` decides every `site.control_ms`: which orders act, what their laws ask
together, what the envelope allows each battery; its hand gets a lease for that, or is told to go to the
fallback. The cycle itself never waits: store, chain and broker are reached through queues or not at all.
Invariants kept here: 3 and 10 (ends, in monotonic time), 8, 13 and 15; those of one battery are in member.py.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from gateway import batteries, envelope, ledger, meterlive, sense, services, stack
from gateway.batteries import Task
from gateway.clock import Clock
from gateway.errors import ServiceRefused
from gateway.gridwatch import GridWatch
from gateway.house import House
from gateway.intake import Intake
from gateway.islanding import Islands
from gateway.journal import Journal, Store
from gateway.latch import Latch
from gateway.lease import Hand, Hold
from gateway.loads import Loads
from gateway.member import Member
from gateway.meterlive import Meter
from gateway.model import (
    Cause,
    Command,
    Delivery,
    Limits,
    Quantity,
    ServiceKind,
    Stamp,
    Verdict,
)
from gateway.orders import Orders
from gateway.services import Inputs
from gateway.site import Site
from gateway.stack import Pile
from gateway.state import SiteState, View
from gateway.store import commands
from gateway.support import Support

LEASE_CYCLES = 3  # a hand whose lease is not renewed for so long goes to the fallback by itself
LEASE_MS_MIN = 2000  # of fast cycles: the exchange with a slow device must fit
HANDOVER_MS = 500  # of a cycle, which is at the very moment: half a second is a loaded machine's
FALLBACK_S = 5.0
FREE = frozenset({ServiceKind.FIXED_POWER, ServiceKind.FREQUENCY})  # they never look at the meter


@dataclass(frozen=True, slots=True)
class Status:
    """What control does, for screens. Powers in W, + discharge; `mode` and `fault` are for people."""

    mode: str = "fallback"  # running | fallback | stopped | fault | store lost
    command: Command | None = None  # the one with the first claim
    beside: tuple[Command, ...] = ()  # those that act with it
    remaining_ms: int = 0
    target_w: int = 0
    commanded_w: int = 0
    measured_w: int | None = None
    causes: tuple[Cause, ...] = ()
    fault: str = ""
    stop: str = ""
    holds: tuple[Hold, ...] = ()
    doubts: tuple[str, ...] = ()  # what is measured and not believed, in words
    shed: tuple[str, ...] = ()  # loads that are meant to be off
    reactive_var: int = 0  # told to the inverters together, + injected
    grid: str = ""  # "lost" | "island" (by order) | "returning": services for it wait
    open_orders: int = 0
    cycles: int = 0
    late_cycles: int = 0


def _ignore(_: object) -> None:
    """Nobody listens."""


class Control:
    """`hands` are the devices that can be commanded: none (the site is only watched), one, or several.

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
        loads: Loads | None = None,
        support: Support | None = None,
        islands: Islands | None = None,
        on_delivery: Callable[[Delivery], None] = _ignore,
        on_cycle: Callable[[bool], None] = _ignore,
    ) -> None:
        self._site = site
        self._state = state
        self._clock = clock
        self._store = store
        self._loads = loads or Loads((), {}, lambda: 0.0)
        self._support = support or Support({})
        self._islands = islands or Islands({})
        self._house, self._meter = House(), Meter()
        self._journal = Journal(store)
        self._grid = GridWatch(self._journal)
        self._on_cycle = on_cycle
        now_ms = clock.mono_ms()
        self._members = [Member(hand, site, self._journal, now_ms) for hand in hands]
        self._latch = Latch(site.id, [m.name for m in self._members], self._journal)
        self._kick = asyncio.Event()
        self._orders = Orders(clock, self._journal, self._kick.set, on_delivery)
        self._intake = Intake(
            site, clock, store, self._journal, self._latch, self._orders, self._members, self._loads,
            self._support, self._islands, self._kick.set,
        )  # fmt: skip
        self._reacting = self._blind = False
        self.status = Status()

    # -- orders -----------------------------------------------------------------------------------

    async def submit(self, command: Command) -> Verdict:
        """Admit or refuse, durably. The same id again gets the same verdict and does nothing more.

        A stop takes effect before it is stored. StoreError: not acknowledged, nothing will be done.
        """
        return await self._intake.submit(command)

    def clear(self) -> str:
        """An operator ends a stop and clears a latched fault; says what was ended. ServiceRefused if none."""
        ended = self._latch.clear(self._clock.now())
        if not ended:
            raise ServiceRefused("nothing is latched: there is no stop and no fault to clear")
        for member in self._members:
            member.clear()
        self._support.clear()
        self._islands.clear()
        self._kick.set()
        return ended

    # -- the cycle --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Take up what is stored, then decide until cancelled. StoreError if the store fails at the start;
        later failures of the store lead to the fallback, not to an error."""
        now, stored = self._clock.now(), await self._store.call(commands.open_commands)
        await self._grid.restore(self._store, now.mono_ms)
        lately = await self._store.call(commands.recent)
        begun = [order.command for order in (*stored, *lately) if order.began_mono_ms]
        if any(map(services.reach_var, begun)):
            self._support.take_up()
        for order in (o for o in stored if o.command.kind is ServiceKind.STOP):
            self._latch.restore(order, now)
        orders = (o for o in stored if o.command.kind is not ServiceKind.STOP)
        self._orders.recover(orders, self._intake.static(), now)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._journal.run())
            await self._cycles()

    async def fallback(self, timeout_s: float = FALLBACK_S) -> bool:
        """For the daemon's end: no more orders, open ones cut short, the devices in their fallback.

        Bounded by `timeout_s` for the devices and again for the store; True when all of them took it.
        """
        self._intake.closing = True
        self._orders.cut((), "the gateway was stopped")
        ends = [member.hand.fallback(timeout_s) for member in self._members]
        others = (self._support, self._islands, self._loads)
        taken = await asyncio.gather(*ends, *(other.fallback(timeout_s) for other in others))
        await self._journal.drain(timeout_s)
        return all(taken)

    async def _cycles(self) -> None:
        slot_ms = self._clock.mono_ms()
        cycle_ms = self._site.control_ms
        while True:
            self._kick.clear()
            self._cycle()
            late_ms = self._clock.mono_ms() - slot_ms
            self._finished(late_ms <= cycle_ms)
            slot_ms += (late_ms // cycle_ms + 1) * cycle_ms
            while slot_ms > self._clock.mono_ms():
                await self._kicked(slot_ms)
                if slot_ms > self._clock.mono_ms():
                    self._kick.clear()
                    self._cycle()  # something arrived: decide now, but the grid stays and is what feeds

    async def _kicked(self, slot_ms: int) -> None:
        """Until the slot, or something before it: a kick, the begin or the end of an order."""
        now_ms = self._clock.mono_ms()
        until_ms = min(slot_ms, self._orders.next_ms(now_ms) or slot_ms)
        with suppress(TimeoutError):
            async with asyncio.timeout((until_ms - now_ms) / 1000):
                await self._kick.wait()

    def measured(self) -> None:
        """A sample came: an order that must answer at once is served now."""
        if self._reacting:
            self._kick.set()

    def _finished(self, in_time: bool) -> None:
        """15: only a cycle that finished on time is a sign of life."""
        late = self.status.late_cycles + (not in_time)
        self.status = replace(self.status, cycles=self.status.cycles + 1, late_cycles=late)
        self._on_cycle(in_time)

    def _cycle(self) -> None:
        """One decision, synchronous from the process image to the leases."""
        view, now = self._state.view(), self._clock.now()
        self._watch_contact(view, now)
        self._grid.step(view)
        for member in self._members:
            aside = self._support.fault(member.name) or self._islands.fault(member.name)
            if trouble := member.watch(view, now, free=self._free()) or aside:
                self._latch.trip(member.name, trouble, now)
        self._meter = meterlive.step(self._meter, sense.metered(view, (m.source for m in self._members)))
        self._orders.expire(view.now_ms)
        halt = self._halt()
        if halt is not None:
            self._orders.cut((halt,), self._latch.text or self._journal.failed)
        worn_out = self._members and all(m.away() is Cause.BUDGET for m in self._members)
        may_begin = halt is None and not worn_out and not self._intake.closing
        runs = self._orders.due(view.now_ms, self._intake.static(), may_begin=may_begin)
        self._reacting = any(services.LAWS[run.command.kind].fast for run in runs)
        if not runs or self._intake.closing:
            self._rest(view)
        else:
            self._execute(runs, view, halt)

    def _free(self) -> bool:
        """Whether what was commanded had nothing to do with the meter: only then it is judged by that."""
        said = self.status
        alone = said.command is not None and said.command.kind in FREE and not said.beside
        return alone and Cause.GRID not in said.causes

    def _watch_contact(self, view: View, now: Stamp) -> None:
        """An emergency contact that opens is a stop, latched like any other; one that is not there to be read
        is none, but nothing is commanded while it is so."""
        contacts = view.all(Quantity.EMERGENCY_STOP)
        unread = {d.name for d in self._site.devices if d.contact} - view.declared
        self._blind = bool(unread) or any(contact.good is None for contact in contacts)
        pressed = next((contact.device for contact in contacts if contact.good), None)
        if pressed and not self._latch.stopped:
            self._latch.press(pressed, now)

    def _execute(self, runs: Sequence[ledger.Run], view: View, halt: Cause | None) -> None:
        able = [m for m in self._members if not self._latch.faulted(m.name) and m.away() is None]
        ours = [m for m in able if not m.blind] if len(self._members) > 1 else self._members
        metered = not self._meter.doubt  # 2: one that stands still is as good as none
        self._house = sense.house(self._house, view, (m.source for m in ours)) if metered else House()
        inputs = sense.inputs(view, self._house.power_w, [m.devices for m in ours], metered=metered)
        pile = stack.pile(runs, inputs)
        if self._loads:
            shed_w = self._loads.step(0 if halt else pile.shed_w, view.now_ms, self._until_ms(view, runs))
            inputs = replace(inputs, shed_w=shed_w)
        causes = self._causes(halt)
        until_ms = self._until_ms(view, runs)
        why_not = self._islands.step(pile.island and halt is None and not self._blind, view, until_ms)
        if pile.island and pile.target_w != 0:  # what is parted from the grid is at rest when it is
            pile, causes = replace(pile, target_w=0), (*causes, Cause.PRIORITY)
        if self._grid.outage:  # the batteries serve the house as their inverters will; no order has them
            pile, able, causes = replace(pile, unknown=True), [], (*causes, Cause.GRID_LOST)
        commanded_w = 0
        usable = not pile.unknown and not self._blind and halt is None and able
        if pile.target_w is None or not usable:
            causes += (Cause.STALE_LIMIT,) if self._blind or (pile.unknown and not self._grid.outage) else ()
            self._release(self._members, view)
        else:
            commanded_w, why = self._command(pile, runs, view, inputs, able)
            causes = why if able == self._members else tuple(dict.fromkeys(causes + why))
        lacking = self._react(pile, runs, view, able if usable else [])
        cycles = stack.shares(pile, commanded_w, inputs.battery_w, inputs, causes, lacking, why_not)
        acting = {part.run.command.id: cycle for part, cycle in zip(pile.parts, cycles, strict=True)}
        self._orders.book(view.now_ms, acting)
        self._show(view, runs, pile.target_w or 0, commanded_w, causes)

    def _command(
        self, pile: Pile, runs: Sequence[ledger.Run], view: View, inputs: Inputs, able: list[Member]
    ) -> tuple[int, tuple[Cause, ...]]:
        """The target to the batteries that can take it; what all are told together, and why it is another."""
        limits = replace(self._site.limits, soc_min_bp=max(self._site.limits.soc_min_bp, pile.soc_min_bp))
        bound, until_ms = self._bound(pile, runs), self._until_ms(view, runs)
        task = Task(pile.target_w or 0, limits, bound, inputs.house_w, until_ms)
        return batteries.command(task, self._members, able, view, self._site)

    def _react(
        self, pile: Pile, runs: Sequence[ledger.Run], view: View, able: Sequence[Member]
    ) -> tuple[Cause, ...]:
        """Reactive power, after the powers it gives way to; why it is not what is asked."""
        if not self._support:
            return ()
        if pile.reactive_var is None or not able:
            self._support.release()
            return ()
        holds = {member.name: member.hold for member in able}
        return self._support.step(pile.reactive_var, holds, view, self._until_ms(view, runs))

    def _bound(self, pile: Pile, runs: Sequence[ledger.Run]) -> Limits:
        """What the acting orders were admitted with, inside what the narrowing ones leave."""
        asking = [run.reach for run in runs if not run.narrows]
        charge_w = sum(r.charge_w for r in asking) if asking else envelope.POWER_MAX_W
        discharge_w = sum(r.discharge_w for r in asking) if asking else envelope.POWER_MAX_W
        return Limits(min(charge_w, pile.window.charge_w), min(discharge_w, pile.window.discharge_w))

    def _until_ms(self, view: View, runs: Sequence[ledger.Run]) -> int:
        """3: a lease outlives neither its cycles nor the last order it serves; where another takes over then,
        it is left the moment in which control says so, instead of the fallback between them."""
        end_ms = max(run.term.end_ms for run in runs)
        handover_ms = HANDOVER_MS if self._orders.followed(end_ms) else 0
        return min(view.now_ms + self._lease_ms, end_ms + handover_ms)

    @property
    def _lease_ms(self) -> int:
        return max(LEASE_CYCLES * self._site.control_ms, LEASE_MS_MIN)

    def _rest(self, view: View) -> None:
        """No order acts: the devices' own control, and all loads on."""
        self._release(self._members, view)
        self._support.release()
        self._islands.release()
        if self._loads:
            self._loads.step(0, view.now_ms, view.now_ms + self._lease_ms)
        self._show(view, (), 0, 0, ())

    def _release(self, members: Sequence[Member], view: View) -> None:
        for member in members:
            member.release()
            member.remember(view.of(member.devices))

    def _causes(self, halt: Cause | None) -> tuple[Cause, ...]:
        """Why the site cannot do all that is asked, whatever its limits are."""
        if halt is not None:
            return (halt,)
        away = (Cause.FAULT if self._latch.faulted(m.name) else m.away() for m in self._members)
        return tuple(dict.fromkeys(cause for cause in away if cause is not None))

    def _halt(self) -> Cause | None:
        """Why nothing may flow now, the gravest first. A battery's fault is the site's if none is left."""
        if self._latch.site_fault or (
            self._members and all(self._latch.faulted(m.name) for m in self._members)
        ):
            return Cause.FAULT
        if self._latch.stopped:
            return Cause.STOP
        return Cause.FAULT if self._journal.failed else None

    # -- screens ----------------------------------------------------------------------------------

    def _show(
        self,
        view: View,
        runs: Sequence[ledger.Run],
        target_w: int,
        power_w: int,
        causes: tuple[Cause, ...],
    ) -> None:
        first = runs[0] if runs else None
        self.status = replace(
            self.status,
            mode=self._mode(first),
            command=first.command if first else None,
            beside=tuple(run.command for run in runs[1:]),
            remaining_ms=first.term.end_ms - view.now_ms if first else 0,
            target_w=target_w,
            commanded_w=power_w,
            measured_w=view.good(Quantity.BATTERY_POWER),
            causes=causes,
            fault=self._latch.fault,
            stop=self._latch.stopped,
            holds=tuple(member.hold for member in self._members),
            doubts=tuple(filter(None, (self._meter.doubt, *self._doubts()))),
            shed=self._loads.off,
            reactive_var=self._support.var,
            grid="island" if self._grid.outage.lost and self._islands.apart else self._grid.outage.text,
            open_orders=len(self._orders),
        )

    def _doubts(self) -> Iterator[str]:
        for member in self._members:
            yield from member.doubts.values()

    def _mode(self, first: ledger.Run | None) -> str:
        halt = self._halt()
        if halt is Cause.FAULT:
            return "store lost" if self._journal.failed and not self._latch.fault else "fault"
        if halt is Cause.STOP:
            return "stopped"
        return "running" if first else "fallback"
