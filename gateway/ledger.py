"""The orders that are open: which one runs, what it asked for and what the battery did. Pure.

Invariants kept here: 9 (a lower source never runs while a higher one does; it waits), 10 (an order is
timed by its monotonic term alone), 11 (nothing runs before it is durably marked as begun).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from gateway.envelope import NOTHING, Term
from gateway.model import Cause, Command, CommandState, Delivery, Limits

MS_PER_H = 3_600_000
UNCURTAILED = frozenset({Cause.ROUNDING})  # a step of the device is no curtailment


class Stage(Enum):
    WAITING = 0  # durable, not begun
    BEGINNING = 1  # its begin is being made durable
    BEGUN = 2


@dataclass(frozen=True, slots=True)
class Run:
    """One open order. Energies in W·ms; `number` counts admissions, so that the newest is known."""

    command: Command
    term: Term
    number: int
    stage: Stage = Stage.WAITING
    reach: Limits = NOTHING
    start_wall_ms: int = 0
    start_ms: int = 0  # monotonic, as all below
    last_ms: int = 0
    requested_wms: int = 0
    delivered_wms: int = 0
    power_min_w: int | None = None
    power_max_w: int | None = None
    curtailed_ms: int = 0
    causes: tuple[Cause, ...] = ()


def winner(runs: Iterable[Run], now_ms: int) -> Run | None:
    """9: of those in their term the highest source; of one source the newest order."""
    due = (run for run in runs if run.term.begin_ms <= now_ms < run.term.end_ms)
    return min(due, key=lambda run: (run.command.source, -run.number), default=None)


def superseded(run: Run, runs: Iterable[Run], now_ms: int) -> bool:
    """Whether its own source has since ordered something else that is due."""
    return any(
        other.command.source is run.command.source
        and other.number > run.number
        and other.term.begin_ms <= now_ms
        and other.stage is Stage.BEGUN
        for other in runs
    )


def begun(run: Run, wall_ms: int, now_ms: int) -> Run:
    return replace(run, stage=Stage.BEGUN, start_wall_ms=wall_ms, start_ms=now_ms, last_ms=now_ms)


def account(run: Run, now_ms: int, target_w: int, measured_w: int | None, causes: tuple[Cause, ...]) -> Run:
    """Add what happened since the last cycle, at this cycle's figures. Never past the order's end."""
    until_ms = min(now_ms, run.term.end_ms)
    elapsed_ms = max(0, until_ms - run.last_ms)
    curtailed = not UNCURTAILED.issuperset(causes)
    run = replace(
        run,
        last_ms=max(run.last_ms, until_ms),
        requested_wms=run.requested_wms + target_w * elapsed_ms,
        curtailed_ms=run.curtailed_ms + (elapsed_ms if curtailed else 0),
        causes=tuple(dict.fromkeys(run.causes + causes)),
    )
    if measured_w is None:
        return run
    return replace(
        run,
        delivered_wms=run.delivered_wms + measured_w * elapsed_ms,
        power_min_w=measured_w if run.power_min_w is None else min(run.power_min_w, measured_w),
        power_max_w=measured_w if run.power_max_w is None else max(run.power_max_w, measured_w),
    )


def delivery(run: Run, now_ms: int, wall_ms: int, state: CommandState, causes: tuple[Cause, ...]) -> Delivery:
    """The account of an ended order. Its end is its start plus monotonic time: steps do not stretch it."""
    start_ms, elapsed_ms = run.start_wall_ms, min(now_ms, run.term.end_ms) - run.start_ms
    if run.stage is not Stage.BEGUN:
        start_ms, elapsed_ms = wall_ms, 0
    return Delivery(
        command_id=run.command.id,
        start_ms=start_ms,
        end_ms=start_ms + max(0, elapsed_ms),
        requested_wh=_wh(run.requested_wms),
        delivered_wh=_wh(run.delivered_wms),
        power_min_w=run.power_min_w or 0,
        power_max_w=run.power_max_w or 0,
        curtailed_ms=run.curtailed_ms,
        causes=tuple(dict.fromkeys(run.causes + causes)),
        outcome=state,
    )


def _wh(energy_wms: int) -> int:
    """W·ms to Wh, toward zero: never more than was delivered."""
    whole = abs(energy_wms) // MS_PER_H
    return whole if energy_wms >= 0 else -whole
