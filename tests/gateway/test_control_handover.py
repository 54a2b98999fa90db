"""One order after another: the power goes from the one to the next by the ramp, not through the fallback."""

from itertools import pairwise

import pytest

from gateway.model import CommandState, ServiceKind, Source
from gateway.orders import AHEAD_MS
from tests.sim.mocks import VAR, MockReactive
from tests.sim.world import World, play


def between(w: World, from_ms: int, until_ms: int) -> list[tuple[int, str, int]]:
    return [entry for entry in w.inverter.log if from_ms <= entry[0] < until_ms and entry[1] != "arm"]


@pytest.mark.parametrize("delay_s", [0.0, 0.3, 1.2])
@pytest.mark.parametrize("source", [Source.SCHEDULE, Source.CHAIN])
def test_slots_that_touch_never_pass_through_the_fallback(source: Source, delay_s: float) -> None:
    async def script(w: World) -> None:
        powers = (2000, 6000, 3000, 3000)
        slots = [await w.give(p, 20, after_s=5 + 20 * i, source=source) for i, p in enumerate(powers)]
        w.store.delay_s = delay_s
        await w.wait(95)
        assert [w.state_of(slot) for slot in slots] == [CommandState.DONE] * 4
        w.edges = [w.clock.mono_ms() - w.clock.now().wall_ms + slot.not_before_ms for slot in slots]

    w = play(script)
    first, *_, last = w.edges
    done = between(w, first, last + 20_000)
    assert {what for _, what, _ in done} == {"write"}
    powers = [power for _, _, power in done]
    assert all(abs(b - a) <= 2000 for a, b in pairwise(powers) if abs(b) > abs(a)), "by the ramp"
    for begin_ms, power in zip(w.edges[1:], (6000, 3000, 3000), strict=True):
        held = [p for ms, _, p in done if ms < begin_ms + 5000][-1]
        assert held == power
    assert all(d.requested_wh == d.delivered_wh or d.available_bp > 9500 for d in w.deliveries)


def test_a_slot_acts_neither_before_its_begin_nor_after_its_end() -> None:
    async def script(w: World) -> None:
        await w.give(2000, 10, after_s=5)
        await w.give(-2000, 10, after_s=15)
        await w.wait(40)

    w = play(script)
    begin_ms = 3000 + 5000
    assert all(begin_ms <= ms for ms, _ in w.inverter.writes)
    assert all(ms < begin_ms + 10_000 or power <= 0 for ms, power in w.inverter.writes)
    assert w.inverter.done()[-1] == "release"


def test_an_order_without_one_after_it_ends_in_the_fallback_at_its_end() -> None:
    async def script(w: World) -> None:
        await w.give(2000, 10)
        await w.give(2000, 10, after_s=10.6)
        await w.wait(10.5)
        assert not w.inverter.active
        await w.wait(3)
        assert w.inverter.power_now_w() == 2000

    play(script)


def test_control_that_stops_deciding_at_the_change_leaves_the_fallback() -> None:
    """The moment that a lease is left for the change is no way past its end."""

    async def script(w: World) -> None:
        await w.give(2000, 10)
        await w.give(2000, 100, after_s=10)
        await w.wait(9.5)
        assert w.inverter.power_now_w() == 2000
        w.control._cycle = lambda: None
        await w.wait(1.2)
        assert not w.inverter.active

    play(script)


def test_a_lower_order_takes_over_when_the_one_before_it_ends() -> None:
    async def script(w: World) -> None:
        await w.give(1000, 60, source=Source.REMOTE)
        await w.wait(5)
        await w.give(4000, 15)
        await w.wait(10)
        w.inverter.log.clear()
        await w.wait(10)
        assert w.inverter.power_now_w() == 1000

    assert "release" not in play(script).inverter.done()[:-1]


def test_a_crash_just_before_the_change_loses_no_slot_that_has_not_acted() -> None:
    async def script(w: World) -> None:
        running = await w.give(2000, 30)
        coming = await w.give(3000, 30, after_s=30)
        await w.wait(30 - AHEAD_MS / 2000)
        assert w.state_of(coming) is CommandState.RUNNING
        await w.restart()
        await w.wait(10)
        assert w.state_of(running) is CommandState.CUT_SHORT
        assert w.inverter.power_now_w() == 3000
        await w.wait(30)
        assert w.state_of(coming) is CommandState.DONE

    play(script)


def test_reactive_power_and_limits_follow_each_other_too() -> None:
    async def script(w: World) -> None:
        for i, var in enumerate((1000, -2000)):
            await w.give(
                kind=ServiceKind.REACTIVE, seconds=10, after_s=5 + 10 * i, parameters={"reactive_var": var}
            )
        await w.wait(30)

    w = play(script, inverter=MockReactive)
    assert w.inverter.done(*VAR)[1:-1].count("release var") == 0
    assert [figure for _, what, figure in w.inverter.log if what == "write var"][-1] == -2000
