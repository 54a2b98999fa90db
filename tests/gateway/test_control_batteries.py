"""Several batteries under one control: divided by energy, one limit for all, none commanded that failed."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model import Cause, CommandClass, CommandState, Quantity, ServiceKind, Source
from tests.sim.fleet import LIMITS, A, B, Fleet, play
from tests.sim.mocks import SPEC, MockInverter, link_lost

TIGHT = replace(LIMITS, charge_w=6000, discharge_w=6000, ramp_w_per_s=20_000)


def test_an_order_is_divided_by_the_energy_of_each() -> None:
    async def script(f: Fleet) -> None:
        await f.give(4000, 60)
        await asyncio.sleep(10)
        assert f.told() == {A: 3000, B: 1000}
        assert (f.control.status.commanded_w, f.control.status.causes) == (4000, ())
        assert f.control.status.measured_w == 4000

    play(script, soc_bp=(7000, 3000))  # 60 % and 20 % above the site's minimum


def test_what_one_may_not_do_the_other_does() -> None:
    async def script(f: Fleet) -> None:
        f.bms[A].values[Quantity.DISCHARGE_LIMIT_CURRENT] = 20_000  # at 50 V: 1 kW
        await asyncio.sleep(2)
        await f.give(6000, 60)
        await asyncio.sleep(10)
        assert f.told() == {A: 1000, B: 5000}
        assert f.control.status.causes == ()

    play(script)


def test_the_loss_of_one_is_made_up_by_the_other_at_once() -> None:
    async def script(f: Fleet) -> None:
        await f.give(4000, 120)
        await asyncio.sleep(10)
        assert f.told() == {A: 2000, B: 2000}
        f.bms[B].values[Quantity.DISCHARGE_LIMIT_CURRENT] = 0
        await asyncio.sleep(4)
        assert f.told() == {A: 4000, B: 0}

    play(script)


def test_a_lost_one_keeps_its_part_of_the_limit_until_its_own_timer_has_ended_it() -> None:
    async def script(f: Fleet) -> None:
        await f.give(10_000, 300)
        await asyncio.sleep(10)
        assert f.told() == {A: 5000, B: 5000}
        lost = f.inverters[B]
        lost.failure = lost.write_failure = lost.connect_failure = link_lost()
        await asyncio.sleep(12)  # its timer of 30 s still runs: it may be doing its 5 kW
        assert f.told()[A] == 5000
        await asyncio.sleep(60)
        assert f.told() == {A: 9000, B: 0}  # all that its BMS allows

    fleet = play(script)
    assert all(power <= LIMITS.discharge_w for _, power in fleet.sums)


def test_a_latching_one_that_is_lost_keeps_its_part_for_good() -> None:
    spec = replace(SPEC, command_class=CommandClass.LATCHING, timeout_s=0, refresh_s=0)

    async def script(f: Fleet) -> None:
        await f.give(10_000, 600)
        await asyncio.sleep(10)
        lost = f.inverters[B]
        lost.failure = lost.write_failure = lost.connect_failure = link_lost()
        await asyncio.sleep(300)
        assert f.told() == {A: 5000, B: 5000}  # together what was ordered

    play(script, spec=spec)


def test_a_faulted_one_is_never_commanded_and_the_other_goes_on() -> None:
    async def script(f: Fleet) -> None:
        command = await f.give(4000, 120)
        await asyncio.sleep(10)
        f.inverters[B].obeys = False  # it holds the value and does nothing
        await asyncio.sleep(30)
        assert "second" in f.control.status.fault
        at = f.clock.mono_ms()
        await asyncio.sleep(10)
        assert f.told() == {A: 4000, B: 0}
        assert not [power for ms, power in f.inverters[B].writes if ms > at and power]
        assert f.control.status.mode == "running"
        assert command.id == f.control.status.command.id

    play(script)


def test_what_one_delivers_is_credited_while_the_other_is_away() -> None:
    async def script(f: Fleet) -> None:
        await f.give(4000, 120)
        await asyncio.sleep(10)
        lost = f.inverters[B]
        lost.failure = lost.write_failure = lost.connect_failure = link_lost()
        await asyncio.sleep(130)

    (delivery,) = play(script).deliveries
    assert delivery.power_max_w >= 4000
    assert delivery.delivered_wh > 90  # of 133 Wh: the timer of the lost one keeps its part for half a minute
    assert 7000 < delivery.available_bp < 8000  # short for that half minute, whole again after it


def test_when_the_last_one_faults_the_order_is_cut() -> None:
    async def script(f: Fleet) -> None:
        await f.give(4000, 120)
        await asyncio.sleep(10)
        for inverter in f.inverters.values():
            inverter.obeys = False
        await asyncio.sleep(30)
        assert f.control.status.mode == "fault"
        assert [d.outcome for d in f.deliveries] == [CommandState.CUT_SHORT]
        assert f.control.clear()
        for inverter in f.inverters.values():
            inverter.obeys = True
        await asyncio.sleep(5)
        await f.give(2000, 60)
        await asyncio.sleep(10)
        assert f.told() == {A: 1000, B: 1000}

    play(script)


def test_more_than_all_nameplates_is_refused() -> None:
    async def script(f: Fleet) -> None:
        verdict = await f.control.submit(f.order(12_001, 60))
        assert "above the site's limit" in verdict.reason
        assert (await f.control.submit(f.order(12_000, 60))).admitted

    play(script)


def test_shared_orders_add_up_and_each_is_accounted_apart() -> None:
    async def script(f: Fleet) -> None:
        await f.give(-2000, 60, shared=True, origin="a")
        await f.give(5000, 60, shared=True, origin="b")
        await asyncio.sleep(20)
        assert sum(f.told().values()) == 3000
        assert len(f.control.status.beside) == 1
        refused = await f.control.submit(f.order(7500, 60, shared=True, origin="c"))
        assert "with what is promised to others" in refused.reason
        await asyncio.sleep(60)

    fleet = play(script)
    told = {d.requested_wh: d for d in fleet.deliveries}
    assert set(told) == {-33, 83}  # a minute of -2 and of 5 kW
    for requested_wh, delivery in told.items():
        assert delivery.delivered_wh == pytest.approx(requested_wh, abs=8)  # the ramp at its begin
        assert delivery.outcome is CommandState.DONE


@pytest.mark.parametrize("source", Source)
def test_a_stop_that_says_it_is_shared_is_a_stop(source: Source) -> None:
    """Contracts' orders are all shared, their stops too."""

    async def script(f: Fleet) -> None:
        await f.give(3000, 60, shared=True, source=source)
        await asyncio.sleep(6)
        assert sum(f.told().values()) == 3000
        stop = f.order(0, 60, kind=ServiceKind.STOP, parameters={}, shared=True, source=source)
        assert (await f.control.submit(stop)).admitted
        await asyncio.sleep(1)
        assert f.told() == {A: 0, B: 0}
        assert f.control.status.mode == "stopped"

    play(script)


def test_an_order_that_wants_the_battery_alone_suspends_the_shared_ones() -> None:
    async def script(f: Fleet) -> None:
        await f.give(1000, 100, shared=True, source=Source.CHAIN)
        await asyncio.sleep(10)
        await f.give(-3000, 20)
        await asyncio.sleep(15)
        assert sum(f.told().values()) == -3000
        await asyncio.sleep(15)
        assert sum(f.told().values()) == 1000

    fleet = play(script)
    assert all(Cause.PRIORITY not in d.causes for d in fleet.deliveries if d.power_min_w < 0)


def test_an_emergency_contact_is_a_stop_that_a_person_ends_when_it_is_closed_again() -> None:
    async def script(f: Fleet) -> None:
        await f.give(4000, 120)
        await asyncio.sleep(10)
        f.pins.values[Quantity.EMERGENCY_STOP] = 1
        await asyncio.sleep(2.5)
        assert f.told() == {A: 0, B: 0}
        assert (f.control.status.mode, f.control.status.stop) == ("stopped", "emergency contact at pins")
        f.control.clear()
        await asyncio.sleep(2)
        assert f.control.status.mode == "stopped"  # it is open still
        f.pins.values[Quantity.EMERGENCY_STOP] = 0
        await asyncio.sleep(2)
        f.control.clear()
        await asyncio.sleep(2)
        assert f.control.status.mode == "fallback"

    play(script, contact=True)


@pytest.mark.parametrize("from_the_start", [True, False])
def test_a_contact_that_cannot_be_read_is_no_stop_but_nothing_is_commanded(from_the_start: bool) -> None:
    async def script(f: Fleet) -> None:
        if not from_the_start:
            f.pins.connect_failure = None
            await asyncio.sleep(40)
        await f.give(4000, 200)
        await asyncio.sleep(10)
        if not from_the_start:
            assert sum(f.told().values()) == 4000
            f.pins.failure = f.pins.connect_failure = link_lost()
            await asyncio.sleep(10)
        assert f.told() == {A: 0, B: 0}
        assert f.control.status.mode == "running" and Cause.STALE_LIMIT in f.control.status.causes
        f.pins.failure = f.pins.connect_failure = None
        await asyncio.sleep(60)
        assert sum(f.told().values()) == 4000

    def away(fleet: Fleet) -> None:
        fleet.pins.connect_failure = link_lost()

    play(script, contact=True, before=away)


def test_a_reserve_narrows_whatever_runs() -> None:
    async def script(f: Fleet) -> None:
        await f.give(3000, 300)
        await f.give(0, 300, kind=ServiceKind.RESERVE, parameters={"soc_bp": 4995})
        await asyncio.sleep(10)
        assert sum(f.told().values()) == 3000
        for bms in f.bms.values():
            bms.values[Quantity.BATTERY_SOC] = 4990
        await asyncio.sleep(3)
        assert sum(f.told().values()) == 0
        assert Cause.SOC in f.control.status.causes

    play(script)


def test_invariant_01_a_power_under_way_takes_the_others_room_until_it_was_read_back() -> None:
    """On a slow link: what A gives up is B's only when A has really given it up."""

    async def script(f: Fleet) -> None:
        f.bms[B].values[Quantity.DISCHARGE_LIMIT_CURRENT] = 0
        await asyncio.sleep(2)
        await f.give(6000, 300)
        await asyncio.sleep(8)
        assert f.told() == {A: 6000, B: 0}
        f.inverters[A].delay_s = 1.7
        await asyncio.sleep(3)
        f.bms[A].values[Quantity.DISCHARGE_LIMIT_CURRENT] = 0
        f.bms[B].values[Quantity.DISCHARGE_LIMIT_CURRENT] = 160_000
        await asyncio.sleep(50)  # its limit fell to nothing and recovers slowly
        assert f.told() == {A: 0, B: 6000}

    fleet = play(script, limits=TIGHT)
    assert max(power for _, power in fleet.sums) <= TIGHT.discharge_w


@pytest.mark.parametrize("kind", [CommandClass.SELF_EXPIRING, CommandClass.LATCHING])
def test_invariant_01_a_power_that_arrived_without_an_answer_takes_the_others_room(
    kind: CommandClass,
) -> None:
    latching = replace(SPEC, command_class=kind, timeout_s=0, refresh_s=0)
    spec = SPEC if kind is CommandClass.SELF_EXPIRING else latching

    async def script(f: Fleet) -> None:
        a = f.inverters[A]
        arrived = a.write_power

        async def write_power(power_w: int) -> None:
            await arrived(power_w)
            if power_w:
                a.failure = a.write_failure = a.connect_failure = link_lost()
                raise link_lost()

        a.write_power = write_power  # type: ignore[method-assign]
        f.bms[B].values[Quantity.BATTERY_SOC] = 1010  # nearly empty: A is to do it
        await asyncio.sleep(2)
        await f.give(6000, 300)
        await asyncio.sleep(20)
        assert f.told()[A] > 5000  # its own timer still holds it
        assert sum(f.told().values()) <= TIGHT.discharge_w
        await asyncio.sleep(40)
        assert (f.told()[A] == 0) == (f.told()[B] == 6000) == (kind is CommandClass.SELF_EXPIRING)

    fleet = play(script, spec=spec, limits=TIGHT)
    assert max(power for _, power in fleet.sums) <= TIGHT.discharge_w


def test_invariant_05_the_ramp_is_kept_by_the_sum() -> None:
    limits = replace(LIMITS, ramp_w_per_s=1000)

    async def script(f: Fleet) -> None:
        for power_w in (8000, 2000, 6000, -6000):
            await f.give(power_w, 60)
            await asyncio.sleep(14)

    fleet = play(script, limits=limits, soc_bp=(7000, 2500))
    assert -6000 <= min(power for _, power in fleet.sums) <= -6000 + 2 * SPEC.step_w
    for (_, before_w), (_, power_w) in pairwise(fleet.cycles()):
        if abs(power_w) > abs(before_w):
            assert abs(power_w - before_w) <= 1000 + 2 * SPEC.step_w


events = st.lists(
    st.tuples(
        st.sampled_from(
            ["order", "current", "soc", "lose", "find", "house", "capacity", "slow", "mute", "shared", "stop"]
        ),
        st.sampled_from([A, B]),
        st.integers(-12_000, 12_000),
        st.integers(1, 15),
    ),
    min_size=1,
    max_size=12,
)


def mutable(inverter: MockInverter) -> None:
    """Once `mute` is set, what is written arrives and its answer does not."""
    arrived = inverter.write_power
    inverter.mute = False

    async def write_power(power_w: int) -> None:
        await arrived(power_w)
        if inverter.mute:
            raise link_lost()

    inverter.write_power = write_power


@given(events, st.booleans())
@settings(max_examples=40, deadline=None)
def test_invariant_01_at_no_write_are_all_together_beyond_a_limit(
    history: list[tuple[str, str, int, int]], latching: bool
) -> None:
    """Each write is counted with what the other holds at that moment, also while it is away."""
    spec = SPEC
    if latching:
        spec = replace(SPEC, command_class=CommandClass.LATCHING, timeout_s=0, refresh_s=0)
    limits = replace(LIMITS, charge_w=7000, discharge_w=6000)

    async def script(f: Fleet) -> None:
        for inverter in f.inverters.values():
            mutable(inverter)
        for what, name, figure, seconds in history:
            inverter, bms = f.inverters[name], f.bms[name]
            if what in ("order", "shared"):
                power_w = max(-7000, min(6000, figure))
                shared, origin = what == "shared", str(figure % 3)
                await f.control.submit(f.order(power_w, 40, shared=shared, origin=origin))
            elif what == "stop":
                await f.control.submit(f.order(0, 1, kind=ServiceKind.STOP, parameters={}))
                await asyncio.sleep(1)
                f.control.clear()
            elif what == "slow":
                inverter.delay_s = abs(figure) / 6000
            elif what == "mute":
                inverter.mute = figure > 0
            elif what == "current":
                for quantity in (Quantity.CHARGE_LIMIT_CURRENT, Quantity.DISCHARGE_LIMIT_CURRENT):
                    bms.values[quantity] = abs(figure) * 10
            elif what == "soc":
                bms.values[Quantity.BATTERY_SOC] = 1000 + abs(figure) // 2
            elif what == "capacity":
                bms.values[Quantity.BATTERY_CAPACITY] = abs(figure) * 3
            elif what == "house":
                f.meter.house_w = figure
            else:
                gone = link_lost() if what == "lose" else None
                inverter.failure = inverter.write_failure = inverter.connect_failure = gone
            await asyncio.sleep(seconds)

    fleet = play(script, spec=spec, limits=limits)
    for at_ms, power_w in fleet.sums:
        assert -limits.charge_w <= power_w <= limits.discharge_w, at_ms
