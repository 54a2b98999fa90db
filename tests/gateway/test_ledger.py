"""The ledger: who runs, what is accounted, what a delivery says."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway import ledger
from gateway.admission import Term
from gateway.ledger import Cycle, Run, Stage
from gateway.model import Cause, Command, CommandState, Limits, ServiceKind, Source

WALL = 1_790_000_000_000


FIXED, SHAVING, RESERVE = ServiceKind.FIXED_POWER, ServiceKind.PEAK_SHAVING, ServiceKind.RESERVE


def run(
    source: Source = Source.CHAIN,
    number: int = 1,
    begin: int = 0,
    end: int = 10_000,
    kind: ServiceKind = FIXED,
    shared: bool = False,
    origin: str = "",
) -> Run:
    command = Command(f"{number:064x}", source, kind, 0, 10_000, {"power_w": 1}, origin, shared=shared)
    return Run(command, Term(begin, end), number, Stage.BEGUN, Limits(1000, 2000), start_wall_ms=WALL)


runs = st.lists(
    st.builds(
        run,
        st.sampled_from(Source),
        st.integers(1, 50),
        st.integers(0, 20),
        st.integers(21, 40),
        st.sampled_from([FIXED, SHAVING, RESERVE]),
        st.booleans(),
        st.sampled_from(["", "a", "b"]),
    ),
    max_size=8,
    unique_by=lambda r: r.number,
)


@given(runs, st.integers(0, 45))
def test_invariant_09_who_wants_the_battery_alone_has_it_unless_a_higher_source_asks(
    found: list[Run], now: int
) -> None:
    due = [r for r in found if r.term.begin_ms <= now < r.term.end_ms]
    acting = ledger.acting(found, now)
    assert {r.number for r in acting} <= {r.number for r in due}
    assert {r.number for r in due if r.narrows} <= {r.number for r in acting}, "what narrows always acts"
    asking = [r for r in acting if not r.narrows]
    first = min((r for r in due if not r.narrows), key=lambda r: (r.command.source, -r.number), default=None)
    if first is None:
        assert asking == []
    elif not first.command.shared:
        assert asking == [first]
    else:
        assert {r.number for r in asking} == {r.number for r in due if r.command.shared and not r.narrows}
    claims = [(r.command.source, r.number) for r in asking]
    assert claims == sorted(claims)
    assert all(r.narrows for r in acting[len(asking) :])


@given(runs, st.integers(0, 45))
def test_what_takes_a_place_is_newer_begun_and_of_the_same_source(found: list[Run], now: int) -> None:
    for one in found:
        newer = [
            r
            for r in found
            if r.command.source is one.command.source and r.number > one.number and r.term.begin_ms <= now
        ]
        if ledger.superseded(one, found, now):
            assert newer
        alone = [r for r in newer if not r.narrows and not (r.command.shared and one.command.shared)]
        if one.term.begin_ms > now:
            assert not ledger.superseded(one, found, now), "what is for later keeps its time"
        elif alone and not one.narrows:
            assert ledger.superseded(one, found, now), "of one source the newest has the battery"
        waiting = [replace(r, stage=Stage.BEGINNING) for r in found]
        assert not ledger.superseded(one, waiting, now)


def test_shared_and_narrowing_orders_give_way_only_to_their_own_like() -> None:
    def gives_way(older: Run, newer: Run) -> bool:
        return ledger.superseded(older, [older, newer], 0)

    a, b = {"shared": True, "origin": "a"}, {"shared": True, "origin": "b"}
    assert gives_way(run(number=1, **a), run(number=2, **a))
    assert not gives_way(run(number=1, **a), run(number=2, **b))
    assert not gives_way(run(number=1, **a), run(number=2, kind=SHAVING, **a))
    assert gives_way(run(number=1, **a), run(number=2, kind=SHAVING, origin="a"))  # it wants it alone
    reserve = run(number=1, kind=RESERVE, origin="a")
    assert gives_way(reserve, run(number=2, kind=RESERVE, origin="a"))
    assert not gives_way(reserve, run(number=2, kind=RESERVE, origin="b"))
    assert not gives_way(reserve, run(number=2))
    assert not gives_way(run(number=1), run(number=2, kind=RESERVE))


def test_what_is_promised_is_what_other_shared_orders_of_that_time_may_ask() -> None:
    new = run(number=9, shared=True, origin="new").command
    open_ = [
        run(number=1, shared=True, origin="a"),
        run(number=2, shared=True, origin="b", begin=5000, end=9000),
        run(number=3, shared=True, origin="c", begin=10_000, end=20_000),  # after it
        run(number=4, origin="d"),  # alone: it waits or is waited for
        run(number=5, shared=True, origin="new"),  # what it replaces
    ]
    assert ledger.promised(new, Term(0, 10_000), open_) == Limits(2000, 4000)
    assert ledger.promised(new, Term(0, 5000), open_) == Limits(1000, 2000)
    assert ledger.promised(replace(new, shared=False), Term(0, 10_000), open_) == Limits(0, 0)
    stop = replace(new, kind=ServiceKind.STOP, parameters={})
    assert ledger.promised(stop, Term(0, 10_000), open_) == Limits(0, 0)
    elsewhere = replace(new, source=Source.REMOTE)  # replaces nothing: the like of it has another source
    assert ledger.promised(elsewhere, Term(0, 5000), open_) == Limits(2000, 4000)


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(-5000, 5000)), max_size=30))
def test_energy_is_power_times_time_and_never_past_the_end(steps: list[tuple[int, int]]) -> None:
    one, now, energy = run(), 0, 0
    for elapsed, power in steps:
        until = min(now + elapsed, 10_000)
        energy += power * max(0, until - min(now, 10_000))
        now += elapsed
        one = ledger.account(one, now, Cycle(power, power))
    assert one.delivered_wms == one.requested_wms == energy
    assert one.curtailed_ms == 0
    told = ledger.delivery(one, now, WALL + 5, CommandState.DONE, ())
    assert told.delivered_wh == int(energy / 3_600_000)
    assert told.end_ms - told.start_ms == min(now, 10_000)


def test_curtailment_is_timed_and_named_but_rounding_is_none() -> None:
    one = ledger.account(run(), 1000, Cycle(500, 400, None, (Cause.ROUNDING,)))
    assert one.curtailed_ms == 0
    one = ledger.account(one, 3000, Cycle(500, -100, None, (Cause.BMS, Cause.ROUNDING)))
    one = ledger.account(one, 4000, Cycle(500, None, None, (Cause.BMS,)))
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
