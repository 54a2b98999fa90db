"""The ledger: who runs, what is accounted, what a delivery says."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway import ledger
from gateway.envelope import Term
from gateway.ledger import Run, Stage
from gateway.model import Cause, Command, CommandState, ServiceKind, Source

WALL = 1_790_000_000_000


def run(source: Source = Source.CHAIN, number: int = 1, begin: int = 0, end: int = 10_000) -> Run:
    command = Command(f"{number:064x}", source, ServiceKind.FIXED_POWER, 0, 1, {"power_w": 1})
    return Run(command, Term(begin, end), number, Stage.BEGUN, start_wall_ms=WALL)


runs = st.lists(
    st.builds(run, st.sampled_from(Source), st.integers(1, 50), st.integers(0, 20), st.integers(21, 40)),
    max_size=8,
    unique_by=lambda r: r.number,
)


@given(runs, st.integers(0, 45))
def test_invariant_09_the_highest_source_runs_and_of_one_source_the_newest(
    found: list[Run], now: int
) -> None:
    due = [r for r in found if r.term.begin_ms <= now < r.term.end_ms]
    chosen = ledger.winner(found, now)
    assert (chosen is None) == (not due)
    for other in due:
        assert chosen.command.source <= other.command.source
        if chosen.command.source is other.command.source:
            assert chosen.number >= other.number


@given(runs, st.integers(0, 45))
def test_only_a_newer_begun_order_of_the_same_source_supersedes(found: list[Run], now: int) -> None:
    for one in found:
        newer = [
            r
            for r in found
            if r.command.source is one.command.source and r.number > one.number and r.term.begin_ms <= now
        ]
        assert ledger.superseded(one, found, now) == bool(newer)
        waiting = [replace(r, stage=Stage.BEGINNING) for r in found]
        assert not ledger.superseded(one, waiting, now)


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(-5000, 5000)), max_size=30))
def test_energy_is_power_times_time_and_never_past_the_end(steps: list[tuple[int, int]]) -> None:
    one, now, energy = run(), 0, 0
    for elapsed, power in steps:
        until = min(now + elapsed, 10_000)
        energy += power * max(0, until - min(now, 10_000))
        now += elapsed
        one = ledger.account(one, now, power, power, ())
    assert one.delivered_wms == one.requested_wms == energy
    assert one.curtailed_ms == 0
    told = ledger.delivery(one, now, WALL + 5, CommandState.DONE, ())
    assert told.delivered_wh == int(energy / 3_600_000)
    assert told.end_ms - told.start_ms == min(now, 10_000)


def test_curtailment_is_timed_and_named_but_rounding_is_none() -> None:
    one = ledger.account(run(), 1000, 500, 400, (Cause.ROUNDING,))
    assert one.curtailed_ms == 0
    one = ledger.account(one, 3000, 500, -100, (Cause.BMS, Cause.ROUNDING))
    one = ledger.account(one, 4000, 500, None, (Cause.BMS,))
    told = ledger.delivery(one, 4000, WALL, CommandState.CUT_SHORT, (Cause.STOP,))
    assert told.curtailed_ms == 3000
    assert told.causes == (Cause.ROUNDING, Cause.BMS, Cause.STOP)
    assert (told.power_min_w, told.power_max_w) == (-100, 400)
    assert told.outcome is CommandState.CUT_SHORT


def test_an_order_that_never_began_claims_nothing() -> None:
    told = ledger.delivery(replace(run(), stage=Stage.WAITING), 9999, WALL + 7, CommandState.CUT_SHORT, ())
    assert (told.start_ms, told.end_ms, told.delivered_wh) == (WALL + 7, WALL + 7, 0)


def test_begun_starts_the_account() -> None:
    begun = ledger.begun(replace(run(), stage=Stage.BEGINNING), WALL, 500)
    assert (begun.stage, begun.start_ms, begun.last_ms) == (Stage.BEGUN, 500, 500)
