"""Open orders and their way through the store: admitted, begun, ended, with the account of each.

Invariants kept here: 3 (past its end an order is over), 8 (fresh checks before a begin), 10 (terms are
monotonic), 11 (an order is durably begun before it is carried out, and never twice). A begin is made durable
a moment ahead, for the moment it is stored with, so that one order follows another without a gap. Pure
bookkeeping is in ledger.py; this file moves orders and tells the journal. It refuses to decide powers.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from gateway import admission, envelope, ledger, services
from gateway.admission import Static, Term
from gateway.clock import Clock
from gateway.journal import Journal
from gateway.ledger import Cycle, Run, Stage
from gateway.model import (
    NOTHING,
    Cause,
    ClockTrust,
    Command,
    CommandState,
    Delivery,
    Limits,
    ServiceKind,
    Stamp,
)
from gateway.store import commands

AHEAD_MS = 5000  # a begin is made durable so long before it: a slow card takes a second
OPEN_MAX = 128  # orders admitted and not ended: a day of quarter-hour schedules, and what else is ordered


def reach(command: Command, static: Static) -> Limits:
    """The greatest power the order can ask for at this site."""
    if command.kind is ServiceKind.STOP:
        return NOTHING
    site, plate = static.site, static.nameplate or envelope.EVERYTHING
    most = Limits(min(site.charge_w, plate.charge_w), min(site.discharge_w, plate.discharge_w))
    return services.LAWS[command.kind].reach(command.parameters, most)


def ready(command: Command, static: Static) -> bool:
    """Whether what it is for has been reached. Until then it waits, inside its term."""
    if services.reach_var(command) > static.able_var and not static.var_complete:
        return False
    return services.LAWS[command.kind].narrows or static.nameplate is not None


class Orders:
    """`kick` asks for a cycle at once; `on_delivery` gets each account when it is stored."""

    def __init__(
        self,
        clock: Clock,
        journal: Journal,
        kick: Callable[[], None],
        on_delivery: Callable[[Delivery], None],
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._kick = kick
        self._on_delivery = on_delivery
        self._runs: dict[str, Run] = {}
        self._number = 0
        self._cycle: dict[str, Cycle] = {}  # of the last cycle, for the rest of an order's last one

    def __len__(self) -> int:
        return len(self._runs)

    def __contains__(self, command_id: str) -> bool:
        return command_id in self._runs

    def add(self, command: Command, term: Term, reach: Limits) -> None:
        """An order that is stored as admitted."""
        self._number += 1
        self._runs[command.id] = Run(command, term, self._number, reach=reach)
        self._kick()

    def promised(self, command: Command, term: Term) -> Limits:
        """What shared orders of the same time may ask for already."""
        return ledger.promised(command, term, self._runs.values())

    def due(self, now_ms: int, static: Static, *, may_begin: bool) -> tuple[Run, ...]:
        """The orders to carry out now. What should act soon and has not begun is first made durable."""
        coming = ledger.coming(self._runs.values(), now_ms, AHEAD_MS) if may_begin else {}
        for command_id, at_ms in coming.items():
            run = self._runs.get(command_id)
            if run is None or not ready(run.command, static):
                continue
            if run.stage is Stage.WAITING:
                self._begin(run, at_ms, static)
            elif run.stage is Stage.ARMED and max(at_ms, run.start_ms) <= now_ms:
                self._start(run, static)
        return ledger.acting([run for run in self._runs.values() if run.stage is Stage.BEGUN], now_ms)

    def followed(self, end_ms: int) -> bool:
        """Whether another order takes over, without a gap, from those that end then."""
        return any(ledger.follows(run, end_ms) for run in self._runs.values())

    def next_ms(self, now_ms: int) -> int | None:
        """When an order is to be begun, begins or ends next (monotonic): a cycle is made just then."""
        edges = [ms for run in self._runs.values() for ms in ledger.edges_ms(run)]
        return min((ms for edge in edges for ms in (edge - AHEAD_MS, edge) if ms > now_ms), default=None)

    def book(self, now_ms: int, cycles: Mapping[str, Cycle]) -> None:
        """One cycle of the orders that act (by id), and of those that wait behind them."""
        self._cycle = dict(cycles)
        for run in list(self._runs.values()):
            if run.stage is Stage.BEGUN:
                cycle = cycles.get(run.command.id, ledger.BEHIND)
                self._runs[run.command.id] = ledger.account(run, now_ms, cycle)

    def expire(self, now_ms: int) -> None:
        """3: in the first cycle that sees it."""
        for run in list(self._runs.values()):
            if now_ms < run.term.end_ms:
                continue
            if run.stage is Stage.BEGUN:
                self._end(run, CommandState.DONE, (), "")
            else:
                self._end(run, CommandState.CUT_SHORT, (), "its time passed before it could begin")

    def cut(self, causes: tuple[Cause, ...], reason: str) -> None:
        """End what runs. What has not begun waits inside its term, also through a restart."""
        now_ms = self._clock.mono_ms()
        for run in list(self._runs.values()):
            if run.stage is not Stage.WAITING and run.start_ms <= now_ms:
                self._end(run, CommandState.CUT_SHORT, causes, reason)

    def recover(self, stored: Iterable[commands.Order], static: Static, now: Stamp) -> None:
        """8, 11: what ran when the last process ended is over; what had not begun may still begin."""
        for order in stored:
            command, begun = order.command, order.state is CommandState.RUNNING
            if begun and not admission.untouched(order.began_ms, order.began_mono_ms, now):
                self._store_end(_interrupted(order, now), now, "the gateway was restarted")
            elif reason := services.problem(command) or admission.lapsed(command, now):
                never = Run(command, Term(0, 0), 0)
                ended = ledger.delivery(never, now.mono_ms, _date_ms(now), CommandState.CUT_SHORT, ())
                self._store_end(ended, now, reason)
            else:
                self.add(command, admission.term(command, now), reach(command, static))
                if begun:
                    self._change(self._runs[command.id], stage=Stage.ARMED, start_ms=order.began_mono_ms)

    def _begin(self, run: Run, at_ms: int, static: Static) -> None:
        """Have it made durable that it begins at `at_ms`; it acts no sooner, so that a restart before then
        finds an order that has not acted."""
        if self._is_too_much(run, static):
            return
        now = self._clock.now()
        moment = Stamp(at_ms, now.wall_ms + at_ms - now.mono_ms, now.trust)
        self._change(run, stage=Stage.BEGINNING, start_ms=at_ms)

        def stored(_: object) -> None:
            if (beginning := self._runs.get(run.command.id)) is not None:
                self._change(beginning, stage=Stage.ARMED)
                self._kick()

        self._journal.put(commands.set_state, run.command.id, CommandState.RUNNING, moment, done=stored)

    def _start(self, run: Run, static: Static) -> None:
        """It acts from now on."""
        if self._is_too_much(run, static):
            return
        now, wanted = self._clock.now(), reach(run.command, static)
        self._runs[run.command.id] = ledger.begun(replace(run, reach=wanted), _date_ms(now), now.mono_ms)
        self._supersede()

    def _is_too_much(self, run: Run, static: Static) -> bool:
        """8: asked again with what is known of the inverters by now; then it is ended."""
        reason = admission.too_much(reach(run.command, static), static)
        reason = reason or admission.too_much_var(services.reach_var(run.command), static)
        if reason:
            self._end(run, CommandState.CUT_SHORT, (Cause.INVERTER,), reason)
        return bool(reason)

    def _change(self, run: Run, **changes: Any) -> None:
        self._runs[run.command.id] = replace(run, **changes)

    def _supersede(self) -> None:
        now_ms = self._clock.mono_ms()
        for run in list(self._runs.values()):
            if ledger.superseded(run, self._runs.values(), now_ms):
                self._end(run, CommandState.CUT_SHORT, (Cause.PRIORITY,), "its source ordered something else")

    def _end(self, run: Run, state: CommandState, causes: tuple[Cause, ...], reason: str) -> None:
        now = self._clock.now()
        if run.stage is Stage.BEGUN:  # the part since the last cycle, at its figures and what curtailed them
            last = self._cycle.get(run.command.id, ledger.BEHIND)
            run = ledger.account(run, now.mono_ms, replace(last, causes=last.causes + causes))
        self._runs.pop(run.command.id, None)
        self._store_end(ledger.delivery(run, now.mono_ms, _date_ms(now), state, causes), now, reason)

    def _store_end(self, delivery: Delivery, now: Stamp, reason: str) -> None:
        self._journal.put(
            commands.set_state,
            delivery.command_id,
            delivery.outcome,
            now,
            reason,
            outcome_json(delivery),
            done=lambda _: self._on_delivery(delivery),
        )


def outcome_json(delivery: Delivery) -> Mapping[str, object]:
    """The delivery as the command's row holds it; the proof of its readings is added by the attestor."""
    fields = asdict(delivery)
    del fields["merkle_root"], fields["count"]
    fields["curtailments"] = [[cause.value, ms] for cause, ms in delivery.curtailments]
    fields["outcome"] = delivery.outcome.value
    return fields


def _date_ms(now: Stamp) -> int:
    """The wall clock where it is trusted, else 0: an account never claims a date that nobody knows."""
    return now.wall_ms if now.trust is ClockTrust.TRUSTED else 0


def _interrupted(order: commands.Order, now: Stamp) -> Delivery:
    """A process that died kept no account. Without a date of its begin there is none of its end either."""
    known_ms = _date_ms(now) if order.began_ms else 0
    end_ms = max(order.began_ms, min(known_ms, order.command.not_after_ms))
    return ledger.nothing(order.command.id, order.began_ms, end_ms)
