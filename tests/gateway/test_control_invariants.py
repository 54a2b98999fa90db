"""Invariants of the device's side of control: limits, ends, timers, read-back, starts, other hands, stalls.

Those that the envelope alone keeps (1, 2, 5, 6 and parts of 3, 8, 11, 12) are in test_envelope*.py, the
choice of 9 in test_ledger.py, those of orders in test_control_orders.py. Devices are mocks
(tests/sim/mocks.py) in virtual time.
"""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.lease import Phase
from gateway.model import Cause, CommandState, Quality, Quantity
from tests.gateway.control_bench import CYCLE_MS, EXCHANGE_MS, few, nonzero, powers
from tests.sim.mocks import LIMITS, SPEC, link_lost, site
from tests.sim.world import World, play

events = st.lists(
    st.tuples(
        st.sampled_from(
            ["order", "bms limit", "bms sentinel", "bms silent", "bms back", "house", "soc", "link", "wait"]
        ),
        st.integers(0, 100),
        st.integers(1, 8),
    ),
    min_size=3,
    max_size=10,
)


@given(events)
@settings(max_examples=20, deadline=None)
def test_invariant_01_02_05_06_every_write_of_a_whole_site_is_inside_the_limits(
    script: list[tuple[str, int, int]],
) -> None:
    """An independent check at the register: limits as the mocks state them when the write begins."""
    found: list[str] = []

    def audit(w: World) -> None:
        written = w.inverter.write_power
        last = {"power": 0, "ms": 0, "flow": 0, "zero_ms": 0}

        async def write_power(power_w: int) -> None:
            now = w.clock.mono_ms()
            amps = w.bms.values[
                Quantity.DISCHARGE_LIMIT_CURRENT if power_w > 0 else Quantity.CHARGE_LIMIT_CURRENT
            ]
            # One poll and one cycle may lie between the device's word and our write.
            recent = amps if now - w.changed_ms > 2500 else max(amps, w.recent_amps)
            if abs(power_w) > max(0, recent) * 50 // 1000:
                found.append(f"{power_w} W beyond {recent} mA")
            if abs(power_w) > min(LIMITS.charge_w, LIMITS.discharge_w):
                found.append(f"{power_w} W beyond the site")
            base = abs(w.inverter.register_w) if w.inverter.register_w * power_w > 0 else 0
            if (
                w.inverter.active
                and abs(power_w) - base > LIMITS.ramp_w_per_s * (now - last["ms"]) / 1000 + 1
            ):
                found.append(f"ramp {base} to {power_w} in {now - last['ms']} ms")
            if power_w * last["flow"] < 0 and (last["power"] or now - last["zero_ms"] < LIMITS.dwell_ms - 1):
                found.append(f"turned to {power_w} without a rest")
            if power_w == 0 and last["power"]:
                last["zero_ms"] = now
            if power_w != last["power"]:
                last["ms"] = now
            last["power"], last["flow"] = power_w, power_w or last["flow"]
            await written(power_w)

        released = w.inverter.release

        async def release() -> None:
            if last["power"]:
                last["zero_ms"] = w.clock.mono_ms()
            last.update(power=0, ms=w.clock.mono_ms())
            await released()

        w.inverter.write_power, w.inverter.release = write_power, release
        w.recent_amps, w.changed_ms = 180_000, 0

    async def run(w: World) -> None:
        audit(w)
        for what, figure, pause in script:
            w.recent_amps = w.bms.values[Quantity.DISCHARGE_LIMIT_CURRENT]
            if what == "order":
                await w.control.submit(w.order((figure - 50) * 190, 40))
            elif what == "bms limit":
                for q in (Quantity.CHARGE_LIMIT_CURRENT, Quantity.DISCHARGE_LIMIT_CURRENT):
                    w.bms.values[q] = figure * 2000
                w.changed_ms = w.clock.mono_ms()
            elif what == "bms sentinel":
                for q in (Quantity.CHARGE_LIMIT_CURRENT, Quantity.DISCHARGE_LIMIT_CURRENT):
                    w.bms.quality[q] = Quality.ABSENT if figure % 2 else Quality.GOOD
            elif what in ("bms silent", "bms back"):
                w.bms.failure = link_lost() if what == "bms silent" else None
            elif what == "house":
                w.meter.house_w = (figure - 50) * 100
            elif what == "soc":
                w.bms.values[Quantity.BATTERY_SOC] = figure * 100
            elif what == "link":
                w.inverter.write_failure = link_lost() if figure % 2 else None
            await w.wait(pause)

    play(run)
    assert found == []


@given(powers, st.floats(1, 15), st.floats(0, 0.999))
@few
def test_invariant_03_past_its_end_the_fallback_follows_within_a_cycle(
    power: int, seconds: float, phase: float
) -> None:
    async def script(w: World) -> None:
        await w.wait(phase)
        w.end = w.clock.mono_ms() + int(seconds * 1000)
        await w.give(power, seconds)
        await w.wait(seconds + 5)
        assert w.inverter.power_now_w() == 0
        assert w.inverter.done()[-1] == "release"
        (ended_ms,) = w.store.conn.execute("SELECT ended_ms FROM command").fetchone()
        assert 0 <= ended_ms - w.clock.wall_offset_ms - w.end <= CYCLE_MS

    w = play(script)
    assert all(ms < w.end for ms, _ in nonzero(w))
    released = [ms for ms, what, _ in w.inverter.log if what == "release" and ms > 2500]
    assert released
    assert released[-1] <= w.end + CYCLE_MS + EXCHANGE_MS


@given(powers, st.floats(1, 15))
@few
def test_invariant_03_a_hand_ends_a_lease_that_nobody_renews(power: int, seconds: float) -> None:
    async def script(w: World) -> None:
        await w.give(power, 300)
        await w.wait(seconds)
        w.stalled = w.clock.mono_ms()
        w.control._cycle = lambda: None  # control lives but decides nothing
        await w.wait(4)
        assert w.inverter.power_now_w() == 0

    w = play(script)
    assert all(ms <= w.stalled + 3 * CYCLE_MS + EXCHANGE_MS for ms, _ in nonzero(w))


@given(powers, st.sampled_from([9, 15, 30, 60]), st.sampled_from([0, 12, 40]))
@few
def test_invariant_04_the_timer_is_armed_before_power_and_refreshed_inside_a_third(
    power: int, timeout_s: int, measured_s: int
) -> None:
    spec = replace(SPEC, timeout_s=timeout_s, refresh_s=timeout_s // 3)
    base = site()
    devices = tuple(replace(d, timer_s=measured_s) for d in base.devices)

    async def script(w: World) -> None:
        await w.give(power, 100)
        await w.wait(90)
        w.end = w.clock.mono_ms()

    w = play(script, spec=spec, at=replace(base, devices=devices))
    done = w.inverter.done()
    assert done.index("arm") < done.index("write")
    third_ms = min(timeout_s, measured_s or timeout_s) * 1000 / 3
    fed = [ms for ms, what, _ in w.inverter.log if what in ("arm", "write")]
    assert max(later - earlier for earlier, later in pairwise([*fed, w.end])) <= third_ms


@given(powers)
@few
def test_invariant_04_no_power_when_the_timer_does_not_start(power: int) -> None:
    async def script(w: World) -> None:
        w.inverter.arms = False
        await w.give(power, 100)
        await w.wait(10)
        assert "reversion timer" in w.status.fault

    assert play(script).inverter.writes == []


@given(powers, st.sampled_from(["takes", "obeys", "refuses", "clips"]))
@few
def test_invariant_07_what_does_not_hold_or_follow_is_made_safe_and_latched(power: int, how: str) -> None:
    async def script(w: World) -> None:
        if how == "refuses":
            w.inverter.refuses = bool
        elif how == "clips":
            w.inverter.clips_w = 300
        else:
            setattr(w.inverter, how, False)
        power_w = power if abs(power) > 1500 else 1500
        command = await w.give(power_w, 300)
        await w.wait(45)
        assert w.status.mode == "fault"
        assert w.status.fault
        assert not w.inverter.active
        assert w.state_of(command) is CommandState.CUT_SHORT
        w.inverter.takes = w.inverter.obeys = True
        w.inverter.refuses, w.inverter.clips_w = (lambda _: False), 0
        w.inverter.log.clear()
        later = await w.give(power_w, 300)
        await w.wait(10)
        assert w.inverter.writes == []  # latched: the trouble is gone, the latch is not
        await w.restart()
        await w.wait(10)
        assert w.inverter.writes == []  # and a restart does not clear it
        assert w.status.mode == "fault"
        w.control.clear()
        await w.wait(12)
        assert w.inverter.power_now_w() == power_w
        assert w.state_of(later) is CommandState.RUNNING

    w = play(script)
    assert Cause.FAULT in w.deliveries[0].causes


@given(powers, st.floats(0.2, 10), st.booleans())
@few
def test_invariant_08_the_first_write_after_any_start_is_the_fallback(
    power: int, seconds: float, crash: bool
) -> None:
    async def script(w: World) -> None:
        await w.give(power, 300)
        await w.wait(seconds)
        if not crash:
            await w.stop()
        w.inverter.log.clear()
        await w.restart()
        await w.wait(2)
        assert w.inverter.done()[0] == "release"
        await w.wait(20)

    w = play(script)
    if seconds > 1:  # it had begun: nothing of it is taken up again
        assert nonzero(w) == []


@given(powers, st.integers(-90, 90).map(lambda n: n * 100), st.floats(2.0, 14), st.booleans())
@few
def test_invariant_14_a_foreign_write_makes_us_yield_and_say_so(
    power: int, other: int, seconds: float, moving: bool
) -> None:
    async def script(w: World) -> None:
        await w.give(power, 300)
        await w.wait(seconds)
        # Not while ours is being written or refreshed: what then differs may be a write that did not take.
        while w.status.causes or not 200 < w.clock.mono_ms() - w.inverter.writes[-1][0] < 6000:
            await w.wait(0.1)
        assert w.status.holds[0].phase is Phase.HELD
        if abs(w.inverter.register_w - other) <= SPEC.step_w:
            return
        w.inverter.register_w = other
        at = w.clock.mono_ms()
        if moving:
            await w.give(power // 2, 300)
        await w.wait(5)
        assert w.status.mode == "fault"
        assert "somebody else" in w.status.fault
        assert [what for ms, what, _ in w.inverter.log if ms > at and what != "close"] == []
        assert w.inverter.register_w == other
        assert not await w.stop()  # yielded is yielded, also at the end
        assert w.inverter.register_w == other

    play(script)


@given(st.lists(st.tuples(st.floats(0.1, 5), st.integers(0, 3500)), max_size=6))
@few
def test_invariant_15_only_a_cycle_that_finished_on_time_feeds(stalls: list[tuple[float, int]]) -> None:
    """A stall of the whole process, as a swapping Pi has: time passes while nothing runs."""

    async def script(w: World) -> None:
        selector = w.clock._loop._time
        w.stalls = []
        for wait_s, stall_ms in stalls:
            await w.wait(wait_s)
            w.stalls.append((w.clock.mono_ms(), stall_ms))
            selector.now_s += stall_ms / 1000
        await w.wait(5)

    w = play(script)
    for began, stall_ms in w.stalls:
        good = [ms for ms, in_time in w.fed if in_time and began <= ms <= began + stall_ms]
        slots = [slot for slot in range(0, 60_000, CYCLE_MS) if began <= slot <= began + stall_ms - CYCLE_MS]
        assert all(ms - slot <= CYCLE_MS for ms in good for slot in [ms // CYCLE_MS * CYCLE_MS])
        if slots[:1] and stall_ms > 2 * CYCLE_MS:
            assert any(not in_time for ms, in_time in w.fed if ms >= began + stall_ms)
    assert w.fed[-1][1]
