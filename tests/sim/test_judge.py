"""The judge of the seeded world finds what it is there for, and leaves alone what is right."""

import pytest
from rig.witness import Entry

from gateway.model import ServiceKind
from tests.sim.judge import REACH_MS, SICK_MS, TIMER_S, Judge, Order, order

WALL_MS = 1_000_000_000


def made(**orders: tuple[int, int]) -> Judge:
    """A judge of a life that began at 0 with its fallback, and orders by name: (power, seconds from 1 s)."""
    judge = Judge(5000, TIMER_S["sunspec"])
    judge.began(0, WALL_MS, {})
    judge.wrote(entry(100, None))
    for name, (power_w, seconds) in orders.items():
        given = fixed(name, power_w, 1000, seconds)
        judge.asked(given, 1000, WALL_MS + 1000, admitted=True)
    return judge


def fixed(name: str, power_w: int, at_ms: int, seconds: int, *, shared: bool = False) -> Order:
    begin_ms = WALL_MS + at_ms
    window = (begin_ms, begin_ms + seconds * 1000)
    return order(name, ServiceKind.FIXED_POWER, {"power_w": power_w}, window, 5000, shared)


def entry(at_ms: int, demand_w: int | None) -> Entry:
    return Entry(at_ms, 1, 40660, (0,), demand_w, 10_000, 10_000, outside=False)


def climb(judge: Judge, power_w: int, at_ms: int = 2000) -> None:
    """To that power by the ramp, a step a second."""
    sign = 1 if power_w > 0 else -1
    for step in range(1, -(-abs(power_w) // 1000) + 1):
        judge.wrote(entry(at_ms + step * 1000, sign * min(abs(power_w), step * 1000)))


def test_an_order_inside_its_window_is_nothing_wrong() -> None:
    judge = made(a=(2500, 60))
    climb(judge, 2500)
    for second in range(6, 62):
        judge.saw(second * 1000, 2500, sick=False, soc_bp=5000)
    judge.wrote(entry(61_000, None))
    judge.saw(62_000, 0, sick=False, soc_bp=5000)
    assert judge.wrong == []
    assert judge.executed == {"a": 1}


@pytest.mark.parametrize(
    ("power_w", "at_ms"), [(900, 62_500), (900, 500), (-900, 30_000), (3100, 30_000)], ids=str
)
def test_what_no_order_covers_is_an_overrun(power_w: int, at_ms: int) -> None:
    judge = made(a=(2500, 60))
    climb(judge, 2500 if abs(power_w) > 1000 else 500 * (1 if power_w > 0 else -1), at_ms=at_ms - 9000)
    judge.kinds.clear()
    judge.wrote(entry(at_ms, power_w))
    assert judge.kinds["overrun"] == 1


def test_shared_orders_add_up_and_others_do_not() -> None:
    judge = Judge(5000, TIMER_S["sunspec"])
    for shared, wrong in ((False, 1), (True, 0)):
        judge.began(0, WALL_MS, {})
        judge.wrote(entry(0, None))
        for name in ("a", "b"):
            judge.asked(fixed(name, 600, 0, 60, shared=shared), 0, WALL_MS, admitted=True)
        judge.kinds.clear()
        judge.wrote(entry(5000, 1000))
        assert judge.kinds["overrun"] == wrong


def test_a_step_of_the_calendar_moves_no_window() -> None:
    judge = made(a=(900, 60))
    judge.wrote(entry(2000, 900))
    late = fixed("b", 900, 100_000_000, 60)  # of a calendar that is a day ahead by now
    judge.asked(late, 70_000, WALL_MS + 100_000_000, admitted=True)
    judge.wrote(entry(80_000, 900))
    assert judge.wrong == []
    judge.wrote(entry(140_000, 900))
    assert judge.kinds["overrun"] == 1


def test_what_was_carried_out_and_is_open_again_is_found_at_the_start() -> None:
    judge = made(a=(900, 600), b=(-900, 600))
    judge.wrote(entry(2000, 900))
    judge.ended()
    judge.executed = {"a": 1}
    judge.began(10_000, WALL_MS + 10_000, {"a": "running", "b": "admitted"})
    assert judge.kinds == {}
    judge.wrote(entry(11_000, None))
    judge.wrote(entry(12_000, 900))
    assert judge.kinds["overrun"] == 1, "nothing of it is taken up again"
    judge.began(20_000, WALL_MS + 20_000, {"a": "admitted", "b": "admitted"})
    assert judge.kinds["executed_twice"] == 1


def test_what_was_acknowledged_may_not_be_missing_nor_refused() -> None:
    judge = made(a=(900, 600), b=(900, 600))
    judge.began(10_000, WALL_MS, {"a": "refused"})
    assert judge.kinds["lost"] == 2
    judge.asked(fixed("a", 900, 1000, 600), 11_000, WALL_MS, admitted=False)
    assert judge.kinds["unsaid"] == 1


def test_power_before_the_fallback_and_after_death_is_found() -> None:
    judge = Judge(5000, TIMER_S["sunspec"])
    judge.began(0, WALL_MS, {})
    judge.asked(fixed("a", 900, 0, 60), 0, WALL_MS, admitted=None)  # no answer: it may be known
    judge.wrote(entry(1000, 900))
    assert judge.kinds == {"not_fallback_first": 1}
    judge.ended()
    judge.wrote(entry(2000, 900))
    assert judge.kinds["written_dead"] == 1


def test_nothing_flows_while_stopped() -> None:
    judge = made(a=(900, 600))
    judge.stopped(5000)
    judge.wrote(entry(5500, 900))  # it was on its way
    assert judge.kinds == {}
    judge.wrote(entry(6500, 900))
    assert judge.kinds["while_stopped"] == 1
    judge.released()
    judge.wrote(entry(7500, 900))
    assert judge.kinds["while_stopped"] == 1


@pytest.mark.parametrize(
    ("powers", "wrong"), [((900, 1900), 0), ((900, 2200), 1), ((2200,), 1), ((900, -100), 0)]
)
def test_the_ramp_is_measured_at_the_wire(powers: tuple[int, ...], wrong: int) -> None:
    judge = made(a=(5000, 600), b=(-5000, 600))
    for number, power_w in enumerate(powers):
        judge.wrote(entry(5000 + number * 1000, power_w))
    assert judge.kinds["ramp"] == wrong


def test_a_turn_needs_its_rest() -> None:
    for rest_ms, wrong in ((1000, 1), (2000, 0)):
        judge = made(a=(900, 600), b=(-900, 600))
        judge.wrote(entry(5000, 900))
        judge.wrote(entry(6000, 0))
        judge.wrote(entry(6000 + rest_ms, -900))
        assert judge.kinds["dwell"] == wrong


@pytest.mark.parametrize(
    ("soc_bp", "power_w", "wrong"), [(900, 500, 1), (900, -500, 0), (9600, -500, 1), (9600, 500, 0)]
)
def test_an_empty_battery_gives_nothing_and_a_full_one_takes_nothing(
    soc_bp: int, power_w: int, wrong: int
) -> None:
    judge = made(a=(500, 600), b=(-500, 600))
    for second in range(2, 20):
        judge.saw(second * 1000, 0, sick=False, soc_bp=soc_bp)
    judge.wrote(entry(20_000, power_w))
    assert judge.kinds["soc"] == wrong


def test_a_power_that_is_held_past_its_end_is_forgiven_only_behind_a_dead_link_and_for_the_timer() -> None:
    for sick in (False, True):
        judge = made(a=(900, 60))
        judge.wrote(entry(2000, 900))
        timer_ms = (TIMER_S["sunspec"] or 0) * 1000
        for at_ms in range(3000, 61_000 + timer_ms, 1000):
            judge.saw(at_ms, 900, sick=sick, soc_bp=5000)
        assert (judge.kinds["overrun"] == 0) == sick
        assert judge.behind_s > 0
        for at_ms in range(61_000 + timer_ms, 100_000 + timer_ms, 1000):
            judge.saw(at_ms, 900, sick=sick, soc_bp=5000)
        assert judge.kinds["overrun"] > 0


def test_a_device_that_latches_keeps_its_power_until_the_next_start_or_its_link_is_well_and_no_longer() -> (
    None
):
    judge = latched()
    judge.ended()
    for at_ms in range(3000, 2_000_000, 1000):  # half an hour behind a dead gateway
        judge.saw(at_ms, 900, sick=False, soc_bp=5000)
    judge.began(2_000_000, WALL_MS + 2_000_000, {"a": "interrupted"})
    for at_ms in range(2_001_000, 2_000_001 + REACH_MS, 1000):
        judge.saw(at_ms, 900, sick=False, soc_bp=5000)
    assert judge.wrong == []
    judge.saw(2_001_000 + REACH_MS, 900, sick=False, soc_bp=5000)
    assert judge.kinds == {"overrun": 1}


def test_nor_behind_a_link_that_is_well_again() -> None:
    judge = latched()
    for at_ms in range(3000, 1_001_000, 1000):
        judge.saw(at_ms, 900, sick=True, soc_bp=5000)
    for at_ms in range(1_001_000, 1_000_001 + SICK_MS, 1000):
        judge.saw(at_ms, 900, sick=False, soc_bp=5000)
    assert judge.wrong == []
    judge.saw(1_001_000 + SICK_MS, 900, sick=False, soc_bp=5000)
    assert judge.kinds == {"overrun": 1}


def latched() -> Judge:
    """A device without a timer, told a power by an order of a minute."""
    judge = made(a=(900, 60))
    judge.timer_s = TIMER_S["goodwe_et"]
    judge.wrote(entry(2000, 900))
    return judge


def test_another_masters_power_is_not_ours() -> None:
    judge = made(a=(900, 60))
    judge.wrote(entry(2000, 900))
    judge.foreign()
    judge.saw(100_000, 1100, sick=False, soc_bp=5000)
    assert judge.wrong == []
    judge.saw(101_000, 0, sick=False, soc_bp=5000)
    judge.saw(102_000, 900, sick=False, soc_bp=5000)
    assert judge.kinds["overrun"] == 1
