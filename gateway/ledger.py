"""The orders that are open: which of them act, what each asked for and what the battery did for it. Pure.

Invariants kept here: 9 (a lower source never acts beside a higher one that wants the battery alone; it
waits), 10 (an order is timed by its monotonic term alone), 11 (nothing acts before it is durably begun).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from gateway.admission import Term
from gateway.model import (
    NOTHING,
    UNKNOWN,
    Cause,
    Command,
    CommandState,
    Delivery,
    Limits,
    ServiceKind,
)
from gateway.services import LAWS, Memory

MS_PER_H = 3_600_000
ALL_BP = 10_000
UNCURTAILED = frozenset({Cause.ROUNDING})  # a step of the device is no curtailment
# Curtailed by these alone, the battery is still at the disposal of the order: limits agreed before it was
# given, and how fast a setpoint may move. Anything else is the battery's own state, or the gateway's.
AT_DISPOSAL = frozenset(
    {
        Cause.INVERTER,
        Cause.SITE,
        Cause.GRID,
        Cause.CONTRACT,
        Cause.RAMP,
        Cause.DWELL,
        Cause.ROUNDING,
        Cause.EXPIRED,
    }
)
TOLERANCE_W_MIN = 100  # metering of a small site
TOLERANCE_PART = 20  # of what is asked: within 5 % counts as delivered


class Stage(Enum):
    WAITING = 0  # durable, not begun
    BEGINNING = 1  # its begin is being made durable
    ARMED = 2  # durably begun, and has not acted: it may from `start_ms` on
    BEGUN = 3


@dataclass(frozen=True, slots=True)
class Run:
    """One open order. Energies in W·ms; `number` counts admissions, so that the newest is known."""

    command: Command
    term: Term
    number: int
    stage: Stage = Stage.WAITING
    reach: Limits = NOTHING
    start_wall_ms: int = 0  # 0: begun on a clock that was not trusted
    start_ms: int = 0  # monotonic, as all below; before it has BEGUN, what its begin is made durable for
    last_ms: int = 0
    requested_wms: int = 0
    delivered_wms: int = 0
    measured_ms: int = 0  # of the time: with a measured power
    power_min_w: int | None = None
    power_max_w: int | None = None
    response_ms: int = UNKNOWN
    error_wms: int = 0
    error_ms: int = 0  # of the time: with a known error
    available_ms: int = 0
    curtailed_ms: int = 0
    curtailments: tuple[tuple[Cause, int], ...] = ()
    memory: Memory = ()  # its law's, in this life and while it acts

    @property
    def narrows(self) -> bool:
        return LAWS[self.command.kind].narrows


@dataclass(frozen=True, slots=True)
class Cycle:
    """An order's part in one cycle: asked of the battery, measured for it (None: not known), how far the
    service is from its promise, what curtailed it, and what its law remembers."""

    asked_w: int = 0
    measured_w: int | None = None
    error_w: int | None = None
    causes: tuple[Cause, ...] = ()
    memory: Memory = ()


BEHIND = Cycle(0, 0, None, (Cause.PRIORITY,))  # of an order that waits behind another


def acting(runs: Iterable[Run], now_ms: int) -> tuple[Run, ...]:
    """9: the orders that act together now, first claim first.

    Those that only narrow always act. Of the others the highest source comes first, of one source the newest;
    it has the battery alone unless it is shared: then all shared ones act, in the order of source and age.
    """
    due = [run for run in runs if run.term.begin_ms <= now_ms < run.term.end_ms]
    narrowing = tuple(sorted((run for run in due if run.narrows), key=_claim))
    asking = [run for run in due if not run.narrows]
    first = min(asking, key=lambda run: (run.command.source, -run.number), default=None)
    if first is None:
        return narrowing
    if not first.command.shared:
        return (first, *narrowing)
    return (*sorted((run for run in asking if run.command.shared), key=_claim), *narrowing)


def coming(runs: Iterable[Run], now_ms: int, ahead_ms: int) -> dict[str, int]:
    """The ids of the orders that should act now, or at a begin or an end within `ahead_ms`, as things are;
    each with the first such moment."""
    runs = list(runs)
    edges = {ms for run in runs for ms in edges_ms(run) if now_ms < ms <= now_ms + ahead_ms}
    found: dict[str, int] = {}
    for at_ms in (now_ms, *sorted(edges)):
        for run in acting(runs, at_ms):
            found.setdefault(run.command.id, at_ms)
    return found


def edges_ms(run: Run) -> tuple[int, int]:
    return run.term.begin_ms, run.term.end_ms


def follows(run: Run, end_ms: int) -> bool:
    """Whether it can take over without a gap from orders that end then."""
    durable = run.stage in (Stage.ARMED, Stage.BEGUN)
    return durable and max(run.start_ms, run.term.begin_ms) <= end_ms < run.term.end_ms


def _claim(run: Run) -> tuple[int, int]:
    return run.command.source, run.number


def superseded(run: Run, runs: Iterable[Run], now_ms: int) -> bool:
    """Whether its own source has since ordered something else that is due and takes its place. What is for
    later keeps its own time."""
    return run.term.begin_ms <= now_ms and any(
        other.number > run.number
        and other.term.begin_ms <= now_ms
        and other.stage is Stage.BEGUN
        and _replaces(other.command, run.command)
        for other in runs
    )


def _replaces(newer: Command, older: Command) -> bool:
    if newer.kind is ServiceKind.RECONNECT and older.kind is ServiceKind.ISLAND:
        return newer.source <= older.source
    if newer.source is not older.source:
        return False
    if LAWS[newer.kind].narrows or LAWS[older.kind].narrows or (newer.shared and older.shared):
        return newer.kind is older.kind and newer.origin == older.origin
    return True


def promised(command: Command, term: Term, runs: Iterable[Run]) -> Limits:
    """What open shared orders may ask for while this shared one holds, each way; not what it replaces."""
    charge_w = discharge_w = 0
    for run in runs if command.shared and command.kind in LAWS else ():  # a stop shares nothing
        apart = run.term.end_ms <= term.begin_ms or term.end_ms <= run.term.begin_ms
        if not run.command.shared or apart or _replaces(command, run.command):
            continue
        charge_w, discharge_w = charge_w + run.reach.charge_w, discharge_w + run.reach.discharge_w
    return Limits(charge_w, discharge_w)


def begun(run: Run, wall_ms: int, now_ms: int) -> Run:
    return replace(run, stage=Stage.BEGUN, start_wall_ms=wall_ms, start_ms=now_ms, last_ms=now_ms)


def account(run: Run, now_ms: int, cycle: Cycle) -> Run:
    """Add what happened since the last cycle, at this cycle's figures. Never past the order's end."""
    if run.last_ms >= run.term.end_ms:
        return run
    until_ms = min(now_ms, run.term.end_ms)
    elapsed_ms = max(0, until_ms - run.last_ms)
    curtailed = not UNCURTAILED.issuperset(cycle.causes)
    available = AT_DISPOSAL.issuperset(cycle.causes) and cycle.measured_w is not None
    run = replace(
        run,
        last_ms=max(run.last_ms, until_ms),
        requested_wms=run.requested_wms + cycle.asked_w * elapsed_ms,
        available_ms=run.available_ms + (elapsed_ms if available else 0),
        curtailed_ms=run.curtailed_ms + (elapsed_ms if curtailed else 0),
        curtailments=_timed(run.curtailments, cycle.causes, elapsed_ms),
        memory=cycle.memory,
    )
    return _tracked(_measured(run, cycle.measured_w, elapsed_ms), cycle, until_ms, elapsed_ms)


def _timed(
    before: tuple[tuple[Cause, int], ...], causes: tuple[Cause, ...], elapsed_ms: int
) -> tuple[tuple[Cause, int], ...]:
    sums = dict(before)
    for cause in dict.fromkeys(causes):
        sums[cause] = sums.get(cause, 0) + elapsed_ms
    return tuple(sums.items())


def _measured(run: Run, measured_w: int | None, elapsed_ms: int) -> Run:
    if measured_w is None or not elapsed_ms:
        return run
    return replace(
        run,
        delivered_wms=run.delivered_wms + measured_w * elapsed_ms,
        measured_ms=run.measured_ms + elapsed_ms,
        power_min_w=measured_w if run.power_min_w is None else min(run.power_min_w, measured_w),
        power_max_w=measured_w if run.power_max_w is None else max(run.power_max_w, measured_w),
    )


def _tracked(run: Run, cycle: Cycle, until_ms: int, elapsed_ms: int) -> Run:
    if cycle.error_w is None:
        return run
    tolerance_w = max(TOLERANCE_W_MIN, abs(cycle.asked_w) // TOLERANCE_PART)
    arrived = run.response_ms == UNKNOWN and cycle.error_w <= tolerance_w
    return replace(
        run,
        error_wms=run.error_wms + cycle.error_w * elapsed_ms,
        error_ms=run.error_ms + elapsed_ms,
        response_ms=max(0, until_ms - run.start_ms) if arrived else run.response_ms,
    )


def delivery(run: Run, now_ms: int, wall_ms: int, state: CommandState, causes: tuple[Cause, ...]) -> Delivery:
    """The account of an ended order. Its end is its start plus monotonic time: steps do not stretch it.
    `wall_ms` is now, 0 while that is not trusted; `causes` are those that ended it."""
    start_ms, elapsed_ms = _span(run, now_ms, wall_ms)
    ordered_ms = max(1, run.command.not_after_ms - run.command.not_before_ms)
    return Delivery(
        command_id=run.command.id,
        start_ms=start_ms,
        end_ms=start_ms + elapsed_ms,
        requested_wh=_toward_zero(run.requested_wms, MS_PER_H),
        delivered_wh=_toward_zero(run.delivered_wms, MS_PER_H),
        power_min_w=run.power_min_w or 0,
        power_max_w=run.power_max_w or 0,
        power_mean_w=_toward_zero(run.delivered_wms, run.measured_ms),
        response_ms=run.response_ms,
        error_mean_w=-(-run.error_wms // run.error_ms) if run.error_ms else UNKNOWN,
        available_bp=min(ALL_BP, run.available_ms * ALL_BP // ordered_ms),
        curtailed_ms=run.curtailed_ms,
        curtailments=_timed(run.curtailments, causes, 0),
        outcome=state,
    )


def _span(run: Run, now_ms: int, wall_ms: int) -> tuple[int, int]:
    """When the account begins, in wall time, and how long it is. What began without a date gets the one that
    its end gives it, 0 if that has none either."""
    if run.stage is not Stage.BEGUN:
        return wall_ms, 0
    elapsed_ms = max(0, min(now_ms, run.term.end_ms) - run.start_ms)
    dated_ms = max(0, wall_ms - (now_ms - run.start_ms)) if wall_ms else 0
    return run.start_wall_ms or dated_ms, elapsed_ms


def nothing(command_id: str, start_ms: int, end_ms: int) -> Delivery:
    """The account of an order of which nothing is known, so that nothing is claimed for it."""
    return Delivery(
        command_id, start_ms, end_ms, 0, 0, 0, 0, 0, UNKNOWN, UNKNOWN, 0, 0, (), CommandState.CUT_SHORT
    )


def _toward_zero(product: int, divisor: int) -> int:
    """Never more than was delivered; 0 of nothing."""
    whole = abs(product) // divisor if divisor else 0
    return whole if product >= 0 else -whole
