"""The figures of a delivery, cycle by cycle: response, error, availability, curtailments, dates."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import ledger
from gateway.admission import Term
from gateway.ledger import AT_DISPOSAL, Cycle, Run, Stage
from gateway.model import UNKNOWN, Cause, Command, CommandState, Delivery, ServiceKind, Source

WALL = 1_790_000_000_000
ORDERED_MS = 100_000


def run(**changes: object) -> Run:
    """Of an order of 100 s that acts since its begin, at 5 s on the monotonic clock."""
    command = Command(
        "ab" * 32, Source.CHAIN, ServiceKind.FIXED_POWER, WALL, WALL + ORDERED_MS, {"power_w": 1}
    )
    base = Run(command, Term(5000, 105_000), 1)
    return replace(ledger.begun(base, WALL, 5000), **changes)


def told(one: Run, *cycles: tuple[int, Cycle], causes: tuple[Cause, ...] = ()) -> Delivery:
    """The account after cycles that end at these times."""
    for now_ms, cycle in cycles:
        one = ledger.account(one, now_ms, cycle)
    return ledger.delivery(one, cycles[-1][0], WALL + 999, CommandState.DONE, causes)


def tracked(asked_w: int, error_w: int | None) -> Cycle:
    return Cycle(asked_w, asked_w, error_w)


@pytest.mark.parametrize(
    ("asked_w", "error_w", "within"),
    [(1000, 100, True), (1000, 101, False), (-4000, 200, True), (-4000, 201, False), (0, 100, True)],
)
def test_the_tolerance_is_the_greater_of_its_watts_and_its_part(
    asked_w: int, error_w: int, within: bool
) -> None:
    found = told(run(), (6000, tracked(asked_w, error_w)))
    assert found.response_ms == (1000 if within else UNKNOWN)
    assert found.error_mean_w == error_w


def test_the_response_is_the_first_arrival_and_stays() -> None:
    steps = [(6000, 3000), (7000, 1000), (8500, 90), (9000, 2000)]
    found = told(run(), *((ms, tracked(3000, error)) for ms, error in steps))
    assert found.response_ms == 3500


def test_the_error_is_the_mean_over_the_time_in_which_it_was_known_rounded_up() -> None:
    found = told(run(), (6000, tracked(0, 300)), (9000, tracked(0, None)), (11_000, tracked(0, 1)))
    assert found.error_mean_w == 101  # (300 x 1 s + 1 x 2 s) / 3 s
    assert told(run(), (6000, tracked(0, None))).error_mean_w == UNKNOWN


def test_the_mean_power_is_over_the_measured_time_toward_zero() -> None:
    found = told(run(), (6000, Cycle(0, -1000)), (9000, Cycle(0, None)), (11_000, Cycle(0, -499)))
    assert (found.power_mean_w, found.power_min_w, found.power_max_w) == (-666, -1000, -499)
    assert told(run(), (6000, Cycle(0, None))).power_mean_w == 0


def test_what_is_measured_past_the_end_or_for_no_time_is_no_part_of_it() -> None:
    found = told(run(), (5000, tracked(0, 900)), (105_000, tracked(7, 900)), (106_000, tracked(900, 0)))
    assert (found.power_min_w, found.power_max_w, found.response_ms) == (7, 7, UNKNOWN)


def test_what_is_within_its_tolerance_at_the_begin_has_arrived() -> None:
    assert told(run(), (5000, tracked(0, 0)), (6000, tracked(0, 500))).response_ms == 0


@pytest.mark.parametrize("cause", Cause)
def test_what_was_agreed_or_moves_the_setpoint_leaves_the_battery_available(cause: Cause) -> None:
    found = told(run(), (55_000, Cycle(100, 0, 100, (cause,))))
    assert found.available_bp == (5000 if cause in AT_DISPOSAL else 0)
    assert found.curtailments == ((cause, 50_000),)
    assert found.curtailed_ms == (0 if cause is Cause.ROUNDING else 50_000)


def test_what_is_not_measured_is_not_available_even_if_nothing_was_asked() -> None:
    assert told(run(), (55_000, Cycle(0, None))).available_bp == 0


def test_availability_is_a_share_of_the_order_as_given_however_late_it_came() -> None:
    late = replace(run(), start_ms=55_000, last_ms=55_000)
    assert told(late, (105_000, Cycle(0, 0))).available_bp == 5000
    assert told(run(), (400_000, Cycle(0, 0))).available_bp == 10_000


def test_causes_are_timed_each_and_those_that_ended_it_come_last() -> None:
    found = told(
        run(),
        (6000, Cycle(9, 0, 9, (Cause.RAMP, Cause.BMS))),
        (8000, Cycle(9, 0, 9, (Cause.RAMP, Cause.RAMP))),
        (9000, Cycle(9, 9, 0)),
        causes=(Cause.RAMP, Cause.STOP),
    )
    assert found.curtailments == ((Cause.RAMP, 3000), (Cause.BMS, 1000), (Cause.STOP, 0))
    assert found.causes == (Cause.RAMP, Cause.BMS, Cause.STOP)
    assert (found.curtailed_ms, found.available_bp) == (3000, 300)


cycles = st.lists(
    st.tuples(
        st.integers(0, 40_000),
        st.builds(
            Cycle,
            st.integers(-5000, 5000),
            st.none() | st.integers(-5000, 5000),
            st.none() | st.integers(0, 9000),
            st.lists(st.sampled_from(Cause), max_size=4).map(tuple),
        ),
    ),
    max_size=12,
)


@given(cycles)
def test_no_figure_is_beyond_the_time_it_is_of(history: list[tuple[int, Cycle]]) -> None:
    one, now_ms = run(), 5000
    for elapsed_ms, cycle in history:
        now_ms += elapsed_ms
        one = ledger.account(one, now_ms, cycle)
    found = ledger.delivery(one, now_ms, WALL, CommandState.DONE, ())
    lasted_ms = found.end_ms - found.start_ms
    assert lasted_ms == min(now_ms, 105_000) - 5000
    assert all(0 <= ms <= lasted_ms for _, ms in found.curtailments)
    assert len(set(found.causes)) == len(found.causes)
    assert found.curtailed_ms <= min(lasted_ms, sum(ms for _, ms in found.curtailments))
    assert 0 <= found.available_bp <= lasted_ms * 10_000 // ORDERED_MS
    assert found.response_ms == UNKNOWN or found.response_ms <= lasted_ms
    assert found.power_min_w <= found.power_mean_w <= found.power_max_w
    assert found.error_mean_w == UNKNOWN or found.error_mean_w <= 9000


@pytest.mark.parametrize(
    ("began_wall_ms", "wall_ms", "span"),
    [
        (WALL, WALL + 777_777, (WALL, WALL + 40_000)),  # a step of the clock stretches nothing
        (WALL, 0, (WALL, WALL + 40_000)),
        (0, WALL + 42_000, (WALL, WALL + 40_000)),  # two seconds after its last cycle
        (0, 0, (0, 40_000)),
    ],
)
def test_what_began_without_a_date_gets_it_from_its_end_or_has_none(
    began_wall_ms: int, wall_ms: int, span: tuple[int, int]
) -> None:
    one = replace(ledger.begun(run(), began_wall_ms, 5000), term=Term(5000, 45_000))
    found = ledger.delivery(one, 47_000, wall_ms, CommandState.DONE, ())
    assert (found.start_ms, found.end_ms) == span


def test_what_never_began_has_the_date_of_its_end_or_none() -> None:
    for wall_ms in (WALL, 0):
        waiting = replace(run(), stage=Stage.WAITING)
        found = ledger.delivery(waiting, 47_000, wall_ms, CommandState.CUT_SHORT, ())
        assert (found.start_ms, found.end_ms) == (wall_ms, wall_ms)
        assert (found.response_ms, found.error_mean_w, found.available_bp) == (UNKNOWN, UNKNOWN, 0)


def test_an_account_of_nothing_claims_nothing() -> None:
    found = ledger.nothing("ab" * 32, 1, 2)
    assert (found.requested_wh, found.delivered_wh, found.available_bp, found.curtailments) == (0, 0, 0, ())
    assert (found.response_ms, found.error_mean_w) == (UNKNOWN, UNKNOWN)
