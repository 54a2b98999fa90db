"""Invariants of orders in control: priority, the calendar, at most once, rates and budgets, a lost store.

As properties over scripted sites; devices are mocks (tests/sim/mocks.py) in virtual time.
"""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import StoreError
from gateway.model import Cause, CommandClass, CommandState, ServiceKind, Source
from tests.gateway.control_bench import EXCHANGE_MS, few, nonzero, powers
from tests.sim.mocks import LIMITS, SPEC
from tests.sim.world import World, play


@given(st.lists(st.tuples(st.sampled_from(Source), powers), min_size=2, max_size=5), st.integers(1, 4))
@few
def test_invariant_09_a_lower_source_never_changes_what_a_higher_one_runs(
    orders: list[tuple[Source, int]], pause: int
) -> None:
    async def script(w: World) -> None:
        given_: list[tuple[Source, int]] = []
        for source, power in orders:
            await w.give(power, 200, source=source)
            given_.append((source, power))
            await w.wait(pause)
            best = min(source for source, _ in given_)
            assert w.status.command.source is best
        await w.wait(20)
        expected = [power for source, power in given_ if source is best][-1]
        assert w.inverter.power_now_w() == int(expected / 10) * 10
        for source in Source:  # and any source at all can stop it
            stop = w.order(kind=ServiceKind.STOP, source=source)
            await w.control.submit(stop)
            await w.wait(0.3)
            assert w.inverter.power_now_w() == 0
            w.control.clear()

    play(script)


@given(
    powers,
    st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=4),
    st.integers(3, 12),
)
@few
def test_invariant_10_steps_of_the_wall_clock_move_no_end(power: int, steps: list[int], seconds: int) -> None:
    async def script(w: World) -> None:
        w.began = w.clock.mono_ms()
        command = await w.give(power, seconds)
        for step in steps:
            w.clock.step(step)
            await w.wait(seconds / len(steps) + 0.5)
        await w.wait(5)
        assert w.state_of(command) is CommandState.DONE
        assert w.inverter.power_now_w() == 0
        w.inverter.log.clear()
        w.clock.step(-(10**11))
        await w.wait(10)
        assert w.inverter.writes == []

    w = play(script)
    told = w.deliveries[0]
    assert 0 < told.end_ms - told.start_ms <= seconds * 1000


@given(powers, st.lists(st.tuples(st.floats(0.0, 4), st.booleans()), min_size=1, max_size=5))
@few
def test_invariant_11_an_order_is_carried_out_at_most_once(
    power: int, deaths: list[tuple[float, bool]]
) -> None:
    """Crashes at any moment, each followed by the same order again: it runs in one life at most."""

    async def script(w: World) -> None:
        w.store.delay_s = 0.05
        command = w.order(power, 120)
        lives = []
        for alive_s, replay_twice in deaths:
            w.inverter.log.clear()
            await w.control.submit(command)
            if replay_twice:
                await w.control.submit(command)
            await w.wait(alive_s)
            lives.append(bool(nonzero(w)))
            await w.restart()
            await w.wait(3)
        assert sum(lives) <= 1

    play(script)


def test_invariant_11_nothing_is_written_before_the_order_is_durable() -> None:
    async def script(w: World) -> None:
        written = w.inverter.write_power

        async def write_power(power_w: int) -> None:
            if power_w:
                assert w.state_of(w.command) is CommandState.RUNNING
            await written(power_w)

        w.inverter.write_power = write_power
        w.store.delay_s = 1.7
        w.command = w.order(3000, 30)
        await w.control.submit(w.command)
        await w.wait(10)

    assert nonzero(play(script))


@given(st.integers(31, 90))
@few
def test_invariant_12_a_flood_is_refused_and_not_stored(number: int) -> None:
    async def script(w: World) -> None:
        verdicts = [await w.control.submit(w.order(100, source=Source.REMOTE)) for _ in range(number)]
        assert sum(v.admitted for v in verdicts) == LIMITS.commands_per_minute
        (stored,) = w.store.conn.execute("SELECT count(*) FROM command").fetchone()
        assert stored == LIMITS.commands_per_minute
        assert (await w.control.submit(w.order(100, source=Source.CHAIN))).admitted
        await w.wait(61)
        assert (await w.control.submit(w.order(100, source=Source.REMOTE))).admitted

    play(script)


@given(powers, st.sampled_from([CommandClass.LATCHING, CommandClass.LATCHING_EEPROM]))
@few
def test_invariant_12_an_unchanged_persistent_value_is_written_once(power: int, kind: CommandClass) -> None:
    spec = replace(SPEC, command_class=kind, timeout_s=0, refresh_s=0, writes_per_day=500)

    async def script(w: World) -> None:
        await w.give(power, 200)
        await w.wait(180)

    w = play(script, spec=spec)
    written = [figure for _, figure in w.inverter.writes]
    assert written
    assert len(written) == len(set(written))


@given(st.integers(10, 30), st.integers(0, 2))
@settings(max_examples=4, deadline=None)
def test_invariant_12_the_write_budget_survives_restarts(per_day: int, crashes: int) -> None:
    spec = replace(
        SPEC,
        command_class=CommandClass.LATCHING_EEPROM,
        timeout_s=0,
        refresh_s=0,
        writes_per_day=per_day,
    )

    async def script(w: World) -> None:
        for _ in range(crashes + 1):
            for power in (1000, 500, 900, 400, 800, 300) * 3:
                await w.give(power, 30)
                await w.wait(1.5)
            await w.restart()
            await w.wait(61)
        await w.give(1000, 30)
        await w.wait(3)
        w.causes = w.status.causes

    w = play(script, spec=spec)
    day = w.clock.now().wall_ms // 86_400_000
    (counted,) = w.store.conn.execute("SELECT writes FROM budget WHERE day = ?", (day,)).fetchone()
    assert len(w.inverter.writes) <= per_day
    assert counted >= len(w.inverter.writes)
    if len(w.inverter.writes) == per_day:
        assert Cause.BUDGET in w.causes


@given(powers, st.floats(0, 20))
@few
def test_invariant_13_without_a_store_nothing_is_acknowledged_and_the_fallback_holds(
    power: int, seconds: float
) -> None:
    async def script(w: World) -> None:
        await w.give(power, 300)
        await w.wait(5)
        assert w.inverter.power_now_w() == power // 10 * 10
        w.store.delay_s = seconds  # slow is not gone: control does not wait for it
        w.store.failure = "the disk is gone"
        with pytest.raises(StoreError):
            await w.control.submit(w.order(-power, 10, source=Source.CHAIN))
        w.gone = w.clock.mono_ms()
        with pytest.raises(StoreError, match="nothing is accepted"):
            await w.control.submit(w.order(-power, 10, source=Source.CHAIN))
        await w.wait(1)
        assert w.inverter.power_now_w() == 0
        assert w.status.mode == "store lost"
        await w.wait(5)

    w = play(script)
    assert all(ms <= w.gone + EXCHANGE_MS for ms, _ in nonzero(w))
    assert all(good for _, good in w.fed)
