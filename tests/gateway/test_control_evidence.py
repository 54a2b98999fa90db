"""What a delivery says of a service that control rendered in virtual time: response, error, availability."""

from gateway.model import UNKNOWN, Cause, ClockTrust, CommandState, Delivery, ServiceKind
from gateway.services import complete
from tests.sim.mocks import link_lost
from tests.sim.world import World, play

SEEN_MS = 2000  # a poll that measures it, and a cycle that accounts it


def only(w: World) -> Delivery:
    (told,) = w.deliveries
    return told


def test_the_response_to_a_step_is_its_ramp_and_the_mean_is_what_flowed() -> None:
    async def script(w: World) -> None:
        await w.give(6000, 60)
        await w.wait(65)

    w = play(script)
    told = only(w)
    assert 3000 <= told.response_ms <= 3000 + SEEN_MS  # 6 kW at 2 kW/s
    assert 5000 < told.power_mean_w < told.power_max_w == 6000
    assert told.available_bp > 9500
    assert told.causes == (Cause.RAMP,)
    assert told.curtailments == ((Cause.RAMP, told.curtailed_ms),)


def test_a_fixed_powers_error_is_measured_at_the_battery() -> None:
    """Whatever the house does: the meter has no part in it."""

    async def script(w: World) -> None:
        await w.give(1000, 60)
        for house_w in (6000, -2000, 4500):
            w.meter.house_w = house_w
            await w.wait(20)
        await w.wait(5)

    told = only(play(script))
    assert told.error_mean_w < 100
    assert told.response_ms <= 1000 + SEEN_MS


def test_peak_shavings_error_is_measured_at_the_meter() -> None:
    """The battery does all that is asked of it, and the import is still 1500 W above its limit."""

    async def script(w: World) -> None:
        shave = {"import_w": 2000, "power_w": 1000}
        await w.give(kind=ServiceKind.PEAK_SHAVING, seconds=60, parameters=shave)
        await w.wait(65)
        assert w.inverter.writes[-1][1] in (0, 1000)

    told = only(play(script, house_w=4500))
    assert told.power_max_w == 1000
    assert 1500 <= told.error_mean_w < 1600
    assert told.response_ms == UNKNOWN


def test_peak_shaving_that_holds_the_limit_has_arrived() -> None:
    async def script(w: World) -> None:
        shave = {"import_w": 2000, "power_w": 0}
        await w.give(kind=ServiceKind.PEAK_SHAVING, seconds=120, parameters=shave)
        await w.wait(125)

    told = only(play(script, house_w=4500))
    assert told.response_ms <= 2000 + SEEN_MS
    assert told.error_mean_w < 100


def outage(w: World, failure: Exception | None) -> None:
    w.inverter.failure = w.inverter.write_failure = w.inverter.connect_failure = failure


def test_an_outage_in_the_middle_is_time_in_which_the_battery_was_not_there() -> None:
    async def script(w: World) -> None:
        await w.give(3000, 200)
        await w.wait(60)
        outage(w, link_lost())
        await w.wait(60)
        outage(w, None)
        await w.wait(90)

    told = only(play(script))
    assert told.outcome is CommandState.DONE
    away_ms = dict(told.curtailments).get(Cause.STALE_LIMIT, 0) + dict(told.curtailments).get(
        Cause.OFFLINE, 0
    )
    assert 50_000 < away_ms < 90_000
    lost_bp = 10_000 - told.available_bp
    assert 2500 < lost_bp < 4500  # 60 of 200 s, and the way back
    assert told.response_ms <= 2000 + SEEN_MS, "the first arrival counts"
    assert told.power_mean_w <= 3000


def test_a_quiet_order_is_available_although_nothing_was_asked() -> None:
    async def script(w: World) -> None:
        droop = complete(ServiceKind.FREQUENCY, {"power_w": 5000, "deadband_mhz": 10, "full_mhz": 210})
        await w.give(kind=ServiceKind.FREQUENCY, seconds=60, parameters=droop)
        await w.wait(65)

    told = only(play(script))
    assert (told.requested_wh, told.power_max_w, told.error_mean_w) == (0, 0, 0)
    assert told.available_bp > 9500
    assert told.curtailments == ()


def test_an_empty_battery_is_not_available() -> None:
    async def script(w: World) -> None:
        await w.give(3000, 100)
        await w.wait(49)
        w.bms.values["battery_soc_bp"] = 500
        await w.wait(60)

    told = only(play(script))
    assert Cause.SOC in told.causes
    assert 4500 < told.available_bp < 5500


def test_an_order_that_began_on_an_untrusted_clock_is_dated_from_its_end() -> None:
    async def script(w: World) -> None:
        w.clock.trust = ClockTrust.UNTRUSTED
        await w.give(1000, 30)
        w.began_mono_ms = w.clock.mono_ms()
        await w.wait(15)
        w.clock.step(86_400_000)
        w.clock.trust = ClockTrust.TRUSTED
        await w.wait(20)

    w = play(script)
    told = only(w)
    right_ms = w.began_mono_ms + w.clock.wall_offset_ms
    assert right_ms <= told.start_ms <= right_ms + 1500
    assert told.end_ms - told.start_ms in range(28_000, 30_001)


def test_an_order_whose_clock_was_never_trusted_has_no_date() -> None:
    async def script(w: World) -> None:
        w.clock.trust = ClockTrust.UNTRUSTED
        await w.give(1000, 30)
        await w.wait(35)

    told = only(play(script))
    assert told.start_ms == 0
    assert told.end_ms in range(28_000, 30_001)
    assert told.delivered_wh > 5


def test_a_crash_on_an_untrusted_clock_leaves_an_account_without_a_date() -> None:
    async def script(w: World) -> None:
        w.clock.trust = ClockTrust.UNTRUSTED
        await w.give(1000, 60)
        await w.wait(10)
        w.clock.trust = ClockTrust.TRUSTED
        await w.restart()
        await w.wait(5)

    told = only(play(script))
    assert (told.start_ms, told.end_ms, told.delivered_wh) == (0, 0, 0)
