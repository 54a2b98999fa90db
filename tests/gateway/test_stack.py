"""Several orders as one and back: sums, floors, windows, and shares that add up to what was done."""

from hypothesis import given
from hypothesis import strategies as st

from gateway import ledger, stack
from gateway.admission import Term
from gateway.envelope import EVERYTHING
from gateway.ledger import Run, Stage
from gateway.model import Cause, Command, Limits, ServiceKind, Source
from gateway.services import Inputs, complete

HOUSE = Inputs(house_w=6000, grid_w=6000, battery_w=0, soc_bp=5000, frequency_mhz=49_800)


def run(kind: ServiceKind, number: int = 1, source: Source = Source.CHAIN, **parameters: int) -> Run:
    command = Command(f"{number:064x}", source, kind, 0, 1, complete(kind, parameters), shared=True)
    return Run(command, Term(0, 10_000), number, Stage.BEGUN)


def fixed(power_w: int, number: int = 1) -> Run:
    return run(ServiceKind.FIXED_POWER, number, power_w=power_w)


def droop(number: int = 2) -> Run:
    return run(ServiceKind.FREQUENCY, number, power_w=2000, deadband_mhz=0, full_mhz=200)


def test_what_is_asked_is_added_up() -> None:
    pile = stack.pile([fixed(-500), droop()], HOUSE)
    assert [(part.run.number, part.asked_w) for part in pile.parts] == [(1, -500), (2, 2000)]
    assert (pile.target_w, pile.unknown, pile.window) == (1500, False, EVERYTHING)


def test_a_floor_lifts_the_sum_and_only_as_far_as_needed() -> None:
    shaving = run(ServiceKind.PEAK_SHAVING, 3, import_w=4000)
    pile = stack.pile([fixed(500), shaving], HOUSE)
    assert [part.asked_w for part in pile.parts] == [500, 1500]
    assert pile.target_w == 2000
    assert stack.pile([fixed(3000), shaving], HOUSE).target_w == 3000
    held = stack.pile([fixed(-5000), shaving], Inputs(house_w=1000))
    assert held.target_w == -3000, "charging is held back before the peak grows"


def test_what_narrows_holds_for_all_and_takes_no_part_of_the_power() -> None:
    limit = run(ServiceKind.GRID_LIMIT, 3, import_w=6500, export_w=0)
    reserve = run(ServiceKind.RESERVE, 4, soc_bp=3000)
    pile = stack.pile([fixed(-5000), limit, reserve], HOUSE)
    assert (pile.target_w, pile.window, pile.soc_min_bp) == (-5000, Limits(500, 6000), 3000)
    assert [part.asked_w for part in pile.parts] == [-5000, 0, 0]


def test_a_limit_alone_lets_the_battery_serve_the_house() -> None:
    pile = stack.pile([run(ServiceKind.RESERVE, soc_bp=3000)], HOUSE)
    assert (pile.target_w, pile.unknown) == (6000, False)
    blind = stack.pile([run(ServiceKind.RESERVE, soc_bp=3000)], Inputs())
    assert (blind.target_w, blind.unknown) == (None, True)


def test_what_asks_nothing_of_the_battery_leaves_it_to_itself() -> None:
    pile = stack.pile([run(ServiceKind.DEMAND_RESPONSE, shed_w=700)], HOUSE)
    assert (pile.target_w, pile.unknown, pile.shed_w) == (None, False, 700)
    pile = stack.pile([run(ServiceKind.REACTIVE, reactive_var=-300)], HOUSE)
    assert (pile.target_w, pile.unknown, pile.reactive_var) == (None, False, -300)


def test_one_order_that_sees_nothing_does_not_stop_the_others() -> None:
    pile = stack.pile([fixed(1000), droop()], Inputs(house_w=0))
    assert (pile.target_w, pile.unknown) == (1000, False)
    shares = stack.shares(pile, 1000, 900, Inputs(house_w=0, battery_w=900), ())
    assert [share.measured_w for share in shares] == [900, 0]
    assert [share.causes for share in shares] == [(), (Cause.STALE_LIMIT,)]
    alone = stack.pile([droop()], Inputs())
    assert (alone.target_w, alone.unknown) == (None, True)


def test_a_limit_that_cannot_be_judged_stops_all() -> None:
    limit = run(ServiceKind.GRID_LIMIT, 3, import_w=1000, export_w=0)
    assert stack.pile([fixed(1000), limit], Inputs()).unknown


def test_what_is_missing_is_taken_from_the_last_claim_first() -> None:
    pile = stack.pile([fixed(1000, 1), fixed(2000, 2), fixed(3000, 3)], HOUSE)
    shares = stack.shares(pile, 2500, 2500, HOUSE, (Cause.BMS,))
    assert [share.measured_w for share in shares] == [1000, 1500, 0]
    assert [share.causes for share in shares] == [(), (Cause.BMS,), (Cause.BMS,)]
    against = stack.pile([fixed(3000, 1), fixed(-5000, 2)], HOUSE)
    shares = stack.shares(against, -1000, -1000, HOUSE, (Cause.SOC,))
    assert [share.measured_w for share in shares] == [3000, -4000]


def test_what_is_measured_beyond_the_order_is_shared_by_size() -> None:
    pile = stack.pile([fixed(1000, 1), fixed(3000, 2)], HOUSE)
    assert [s.measured_w for s in stack.shares(pile, 4000, 4400, HOUSE, ())] == [1100, 3300]
    assert [s.measured_w for s in stack.shares(pile, 4000, None, HOUSE, ())] == [None, None]
    idle = stack.pile([fixed(0, 1), fixed(0, 2)], HOUSE)
    assert [s.measured_w for s in stack.shares(idle, 0, 60, HOUSE, ())] == [60, 0]


def test_what_rounding_leaves_is_measured_for_nobody_who_asks_nothing() -> None:
    pile = stack.pile([fixed(0, 1), fixed(1000, 2), fixed(2000, 3)], HOUSE)
    assert [s.measured_w for s in stack.shares(pile, 3000, 2999, HOUSE, ())] == [0, 999, 2000]


def test_what_a_law_remembers_comes_back_to_it_in_the_next_cycle() -> None:
    low, back = Inputs(frequency_mhz=49_600, now_ms=1000), Inputs(frequency_mhz=50_000, now_ms=5000)
    reserve = run(ServiceKind.TRIGGERED, 1, power_w=4000, trigger_mhz=49_700, support_s=30)
    assert stack.pile([reserve], back).target_w == 0
    begun = stack.pile([reserve], low)
    (cycle,) = stack.shares(begun, 4000, 4000, low, ())
    held = ledger.account(reserve, 1000, cycle)
    assert (begun.target_w, stack.pile([held], back).target_w) == (4000, 4000)
    unknown = Inputs(now_ms=32_000)
    (cycle,) = stack.shares(stack.pile([held], unknown), 0, 0, unknown, ())
    assert cycle.memory == held.memory, "kept where the law has no answer"
    waited = ledger.account(held, 6000, ledger.BEHIND)
    assert stack.pile([waited], back).target_w == 0, "an order that waits behind another begins anew"


def test_what_only_narrows_delivers_nothing_also_where_nobody_asks() -> None:
    reserve = run(ServiceKind.RESERVE, 1, soc_bp=3000)
    limit = run(ServiceKind.GRID_LIMIT, 2, import_w=9000, export_w=9000)
    alone = stack.pile([reserve, limit], HOUSE)
    assert alone.target_w == 6000
    shares = stack.shares(alone, 6000, 5900, HOUSE, ())
    assert [(s.asked_w, s.measured_w, s.causes) for s in shares] == [(0, 0, ())] * 2
    assert [s.measured_w for s in stack.shares(alone, 6000, None, HOUSE, ())] == [None, None]
    beside = stack.pile([fixed(0, 3), reserve], HOUSE)
    assert [s.measured_w for s in stack.shares(beside, 0, 60, HOUSE, ())] == [60, 0]


powers = st.lists(st.integers(-5000, 5000), min_size=1, max_size=5)


@given(powers, st.integers(-9000, 9000), st.integers(-9000, 9000))
def test_shares_add_up_to_what_was_measured_whatever_was_commanded(
    asked: list[int], commanded_w: int, measured_w: int
) -> None:
    pile = stack.pile([fixed(power, n) for n, power in enumerate(asked, 1)], HOUSE)
    shares = stack.shares(pile, commanded_w, measured_w, HOUSE, (Cause.SITE,))
    assert sum(share.measured_w or 0 for share in shares) == measured_w
    assert [share.asked_w for share in shares] == asked
    if commanded_w == sum(asked):
        assert not any(share.causes for share in shares)
