"""Control in virtual time, with mocks of the devices (tests/sim/mocks.py): the road from order to lease."""

import asyncio
from dataclasses import replace

import pytest

from gateway.attest import delivery_of
from gateway.errors import ServiceRefused, StoreError
from gateway.lease import Phase
from gateway.model import Cause, CommandState, Quantity, ServiceKind, Source
from gateway.orders import OPEN_MAX
from gateway.store import commands
from tests.sim.mocks import SPEC, link_lost, site
from tests.sim.world import World, play


def test_a_setpoint_from_order_to_account() -> None:
    async def script(w: World) -> None:
        assert w.inverter.done() == ["release"]
        command = await w.give(4000, 20)
        assert w.state_of(command) is CommandState.ADMITTED
        await w.wait(10)
        assert w.state_of(command) is CommandState.RUNNING
        status = w.status
        assert (status.mode, status.command, status.target_w) == ("running", command, 4000)
        assert (status.commanded_w, status.measured_w, status.causes) == (4000, 4000, ())
        assert 0 < status.remaining_ms <= 11_000
        assert status.holds[0].phase is Phase.HELD
        await w.wait(12)
        assert w.state_of(command) is CommandState.DONE
        assert w.status.mode == "fallback"
        assert w.inverter.power_now_w() == 0

    w = play(script)
    assert w.inverter.done()[1:3] == ["arm", "write"]
    assert w.inverter.done()[-1] == "release"
    powers = [power for _, power in w.inverter.writes]
    assert powers == sorted(powers)
    assert powers[-1] == 4000
    (told,) = w.deliveries
    assert told.outcome is CommandState.DONE
    assert 15 <= told.delivered_wh <= told.requested_wh <= 22
    assert (told.power_min_w, told.power_max_w) == (0, 4000)
    assert told.causes == (Cause.RAMP,)
    assert told.end_ms - told.start_ms in range(19_000, 20_001)


def test_the_stored_outcome_is_the_delivery() -> None:
    async def script(w: World) -> None:
        w.command = await w.give(-1000, 5)
        await w.wait(8)

    w = play(script)
    assert delivery_of(w.stored(w.command)) == w.deliveries[0]


def test_a_refused_order_is_stored_with_its_reason_and_writes_nothing() -> None:
    async def script(w: World) -> None:
        command = w.order(20_000)
        verdict = await w.control.submit(command)
        assert "nameplate" in verdict.reason
        assert w.stored(command).reason == verdict.reason
        assert await w.control.submit(command) == verdict
        wrong = w.order(kind=ServiceKind.PEAK_SHAVING)
        assert "exactly import_w" in (await w.control.submit(wrong)).reason
        await w.wait(5)

    assert play(script).inverter.writes == []


def test_a_waiting_order_begins_at_its_time() -> None:
    async def script(w: World) -> None:
        command = await w.give(1000, 10, after_s=30)
        await w.wait(20)
        assert w.state_of(command) is CommandState.ADMITTED
        await w.wait(9)
        assert w.inverter.writes == []
        await w.wait(8)
        assert w.inverter.power_now_w() == 1000

    play(script)


def test_frequency_response_follows_the_grid() -> None:
    async def script(w: World) -> None:
        droop = {"power_w": 5000, "deadband_mhz": 10, "full_mhz": 210}
        await w.give(kind=ServiceKind.FREQUENCY, seconds=120, parameters=droop)
        for mhz, power_w in ((49_910, 2000), (50_110, -2500), (50_000, 0)):
            w.inverter.values[Quantity.GRID_FREQUENCY] = mhz
            await w.wait(12)
            assert w.inverter.power_now_w() == power_w

    play(script)


def test_peak_shaving_holds_the_import() -> None:
    async def script(w: World) -> None:
        await w.give(kind=ServiceKind.PEAK_SHAVING, parameters={"import_w": 2000})
        await w.wait(10)
        assert w.meter.house_w - w.inverter.power_now_w() == 2000
        w.meter.house_w = 1500
        await w.wait(5)
        assert w.inverter.power_now_w() == 0

    play(script, house_w=4500)


def test_a_new_order_of_the_same_source_replaces_the_old() -> None:
    async def script(w: World) -> None:
        old = await w.give(3000, 60)
        await w.wait(5)
        await w.give(1000, 60)
        await w.wait(3)
        assert w.state_of(old) is CommandState.CUT_SHORT
        assert w.inverter.power_now_w() == 1000

    assert Cause.PRIORITY in play(script).deliveries[0].causes


def test_the_direction_of_the_devices_own_control_is_dwelt_out() -> None:
    async def script(w: World) -> None:
        w.inverter.own_w = -3000
        await w.wait(2)
        w.begin = w.clock.mono_ms()
        await w.give(2000, 20)
        await w.wait(8)

    w = play(script)
    first = next(ms for ms, power in w.inverter.writes if power > 0)
    assert first - w.begin >= w.site.limits.dwell_ms
    assert w.inverter.writes[0][1] == 0


def test_the_device_gone_and_back_ramps_again_from_the_fallback() -> None:
    async def script(w: World) -> None:
        command = await w.give(6000, 120)
        await w.wait(8)
        assert w.inverter.power_now_w() == 6000
        w.inverter.failure = w.inverter.write_failure = w.inverter.connect_failure = link_lost()
        await w.wait(20)
        assert w.status.commanded_w == 0
        w.inverter.log.clear()
        w.inverter.failure = w.inverter.write_failure = w.inverter.connect_failure = None
        await w.wait(40)
        assert w.inverter.power_now_w() == 6000
        assert w.state_of(command) is CommandState.RUNNING

    w = play(script)
    done = w.inverter.done()
    assert done[:3] == ["release", "arm", "write"]
    first, second, third, *_ = [power for _, power in w.inverter.writes]
    assert first <= 2000 < second <= 4000 < third <= 6000


def test_limits_gone_means_fallback_and_limits_back_means_again() -> None:
    async def script(w: World) -> None:
        await w.give(2000, 120)
        await w.wait(6)
        w.bms.failure = link_lost()
        await w.wait(5)
        assert w.inverter.power_now_w() == 0
        assert w.inverter.done()[-1] == "release"
        assert Cause.STALE_LIMIT in w.status.causes
        w.bms.failure = None
        await w.wait(30)
        assert w.inverter.power_now_w() == 2000

    play(script)


def test_stop_and_clear() -> None:
    async def script(w: World) -> None:
        command = await w.give(2000, 300)
        await w.wait(5)
        stop = w.order(kind=ServiceKind.STOP, source=Source.REMOTE, seconds=0)
        assert (await w.control.submit(stop)).admitted
        await w.wait(1)
        assert w.inverter.power_now_w() == 0
        assert w.status.mode == "stopped"
        assert w.state_of(command) is CommandState.CUT_SHORT
        later = await w.give(1000, 300)
        await w.wait(5)
        assert w.state_of(later) is CommandState.ADMITTED
        assert (await w.control.submit(stop)).admitted  # again: nothing new
        assert "remote" in w.control.clear()
        with pytest.raises(ServiceRefused):
            w.control.clear()
        await w.wait(5)
        assert w.inverter.power_now_w() == 1000
        assert w.state_of(stop) is CommandState.DONE
        assert (await w.control.submit(stop)).admitted  # a replay of an ended stop stops nothing
        await w.wait(3)
        assert w.status.mode == "running"

    w = play(script)
    assert Cause.STOP in w.deliveries[0].causes


def test_a_stop_survives_a_restart_and_its_replay_after_the_end_does_not() -> None:
    async def script(w: World) -> None:
        stop = w.order(kind=ServiceKind.STOP)
        await w.control.submit(stop)
        await w.restart()
        await w.wait(3)
        assert w.status.mode == "stopped"
        w.control.clear()
        await w.wait(1)
        await w.restart()
        await w.wait(3)
        assert w.status.mode == "fallback"
        await w.control.submit(stop)
        await w.wait(1)
        assert w.status.mode == "fallback"

    play(script)


def test_a_stop_works_without_a_store() -> None:
    async def script(w: World) -> None:
        await w.give(2000, 300)
        await w.wait(5)
        w.store.failure = "the disk is gone"
        with pytest.raises(StoreError):
            await w.control.submit(w.order(kind=ServiceKind.STOP))
        await w.wait(0.5)
        assert w.inverter.power_now_w() == 0

    play(script)


def test_shutdown_leaves_the_fallback_and_the_accounts() -> None:
    async def script(w: World) -> None:
        running = await w.give(3000, 300)
        waiting = await w.give(1000, 60, after_s=600, source=Source.SCHEDULE)
        await w.wait(5)
        assert await w.stop()
        assert w.inverter.power_now_w() == 0
        assert w.state_of(running) is CommandState.CUT_SHORT
        assert w.state_of(waiting) is CommandState.ADMITTED
        assert "stopping" in (await w.control.submit(w.order(1))).reason

    w = play(script)
    assert w.deliveries[0].delivered_wh > 0
    assert w.inverter.done()[-1] == "release"


def test_shutdown_is_bounded_when_the_device_does_not_answer() -> None:
    async def script(w: World) -> None:
        await w.give(3000, 300)
        await w.wait(5)
        w.inverter.write_failure = link_lost()
        before = w.clock.mono_ms()
        assert not await w.stop()
        assert w.clock.mono_ms() - before <= 10_000

    play(script)


def test_a_site_without_a_hand_is_watched_and_refuses_powers() -> None:
    base = site()
    watched = replace(base, devices=tuple(replace(d, control=False) for d in base.devices))

    async def script(w: World) -> None:
        assert "no inverter" in (await w.control.submit(w.order(100))).reason
        assert (await w.control.submit(w.order(kind=ServiceKind.STOP))).admitted
        assert await w.stop()

    w = play(script, at=watched)
    assert w.inverter.log == []
    assert all(good for _, good in w.fed)


def test_too_many_open_orders_are_refused() -> None:
    async def script(w: World) -> None:
        for number in range(OPEN_MAX):
            if number % 25 == 0:
                await w.wait(61)
            await w.give(1, 60, after_s=3600 + number)
        await w.wait(61)
        assert f"{OPEN_MAX} orders" in (await w.control.submit(w.order(1))).reason

    play(script)


def test_an_order_that_cannot_begin_in_its_time_is_cut_short() -> None:
    async def script(w: World) -> None:
        await w.control.submit(w.order(kind=ServiceKind.STOP))
        command = await w.give(1000, 5)
        await w.wait(10)
        assert w.state_of(command) is CommandState.CUT_SHORT
        assert "passed" in w.stored(command).reason

    assert play(script).deliveries[0].delivered_wh == 0


def test_a_nameplate_that_shrank_is_seen_before_the_begin() -> None:
    async def script(w: World) -> None:
        command = await w.give(5000, 60, after_s=20)
        w.inverter.setpoint = replace(SPEC, discharge_max_w=3000)
        await w.restart()
        await w.wait(25)
        assert w.state_of(command) is CommandState.CUT_SHORT
        assert "nameplate" in w.stored(command).reason

    assert play(script).inverter.writes == []


def test_concurrent_deliveries_of_one_order_are_one_order() -> None:
    async def script(w: World) -> None:
        w.store.delay_s = 0.2
        command = w.order(1000, 10)
        verdicts = await asyncio.gather(*(w.control.submit(command) for _ in range(5)))
        assert all(v.admitted for v in verdicts)
        await w.wait(20)
        assert len(w.deliveries) == 1
        assert len(commands.open_commands(w.store.conn)) == 0

    play(script)


def test_a_bms_that_was_never_reached_forbids_everything() -> None:
    async def script(w: World) -> None:
        w.bms.connect_failure = link_lost()
        await w.restart()
        await w.wait(3)
        await w.give(1000, 20)
        await w.wait(5)
        assert Cause.STALE_LIMIT in w.status.causes

    w = play(script)
    assert w.inverter.writes == []
