"""Reactive power and grid loss through control, on a mocked site in virtual time."""

import pytest

from gateway.beside_model import ReactiveSpec
from gateway.model import Cause, CommandState, Quality, Quantity, ServiceKind
from gateway.outage import STABLE_MS
from tests.sim.mocks import VAR, VAR_SPEC, MockReactive, link_lost
from tests.sim.world import World, play

CURVE = {"v1_mv": 215_000, "v2_mv": 222_000, "v3_mv": 238_000, "v4_mv": 245_000, "limit_var": 3_000}
STABLE_S = STABLE_MS / 1000


async def reactive(w: World, var: int, seconds: float = 60):
    return await w.give(kind=ServiceKind.REACTIVE, seconds=seconds, parameters={"reactive_var": var})


async def voltage(w: World, seconds: float = 60):
    return await w.give(kind=ServiceKind.VOLTAGE, seconds=seconds, parameters=CURVE)


def site(script, **how):
    return play(script, inverter=MockReactive, **how)


def test_a_fixed_reactive_power_leaves_the_battery_to_itself_and_ends() -> None:
    async def script(w: World) -> None:
        order = await reactive(w, 2_000, seconds=20)
        await w.wait(5)
        assert w.inverter.var_now() == 2_000 and w.status.reactive_var == 2_000
        assert not w.inverter.active and w.inverter.writes == []
        await w.wait(17)
        assert w.inverter.var_now() == 0 and w.inverter.done(*VAR)[-1] == "release var"
        assert w.state_of(order) is CommandState.DONE and w.status.reactive_var == 0
        assert w.deliveries[-1].causes == ()

    site(script)


def test_it_gives_way_to_the_power_beside_it() -> None:
    async def script(w: World) -> None:
        order = await reactive(w, 6_000)
        await w.wait(5)
        assert w.inverter.var_now() == 6_000
        power = await w.give(9_000, 60)
        await w.wait(20)
        assert (w.inverter.power_now_w(), w.inverter.var_now()) == (9_000, 4_350)  # of 10 kVA
        await w.wait(45)
        causes = {delivery.command_id: delivery.causes for delivery in w.deliveries}
        assert Cause.INVERTER in causes[order.id] and Cause.INVERTER not in causes[power.id]

    site(script)


def test_volt_var_follows_the_voltage_and_a_stale_one_releases() -> None:
    async def script(w: World) -> None:
        w.inverter.values[Quantity.GRID_VOLTAGE] = 245_000
        await voltage(w, 120)
        await w.wait(6)
        assert w.inverter.var_now() == -3_000
        w.inverter.values[Quantity.GRID_VOLTAGE] = 215_000
        await w.wait(4)
        assert w.inverter.var_now() == 3_000
        w.inverter.quality[Quantity.GRID_VOLTAGE] = Quality.STALE
        await w.wait(4)
        assert w.inverter.var_now() == 0 and w.inverter.done(*VAR)[-1] == "release var"
        w.inverter.quality[Quantity.GRID_VOLTAGE] = Quality.GOOD
        await w.wait(4)
        assert w.inverter.var_now() == 3_000

    site(script)


def test_beside_an_active_power_that_is_not_measured_there_is_none() -> None:
    async def script(w: World) -> None:
        await reactive(w, 1_000)
        await w.wait(5)
        w.inverter.quality[Quantity.INVERTER_POWER] = Quality.ABSENT
        await w.wait(5)
        assert w.inverter.var_now() == 0
        await w.wait(60)
        assert Cause.STALE_LIMIT in w.deliveries[-1].causes

    site(script)


def test_more_than_the_inverters_can_is_refused() -> None:
    async def script(w: World) -> None:
        order = w.order(kind=ServiceKind.REACTIVE, parameters={"reactive_var": -6_001})
        verdict = await w.control.submit(order)
        assert verdict.reason == "6001 var is more than the 6000 var of the inverters reached that take them"

    site(script)


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        (ServiceKind.REACTIVE, {"reactive_var": 1}),
        (ServiceKind.REACTIVE, {"power_factor_bp": 9_500}),
        (ServiceKind.VOLTAGE, CURVE),
    ],
)
def test_a_site_without_such_an_inverter_refuses(kind, parameters) -> None:
    async def script(w: World) -> None:
        verdict = await w.control.submit(w.order(kind=kind, parameters=parameters))
        assert not verdict.admitted and "more than the 0 var" in verdict.reason

    play(script)


def unreached(script, reactive: ReactiveSpec | None = VAR_SPEC):
    """A site whose inverter does not answer until the script lets it."""

    async def begun(w: World) -> None:
        w.inverter.connect_failure = link_lost()
        w.inverter.reactive = reactive
        await w.restart()
        await w.wait(3)
        await script(w)

    return site(begun)


def test_an_order_for_an_inverter_that_is_not_reached_yet_waits_for_it() -> None:
    async def script(w: World) -> None:
        order = await voltage(w, 120)
        await w.wait(5)
        assert w.state_of(order) is CommandState.ADMITTED and w.status.mode == "fallback"
        w.inverter.values[Quantity.GRID_VOLTAGE] = 245_000
        w.inverter.connect_failure = None
        await w.wait(35)
        assert w.state_of(order) is CommandState.RUNNING and w.inverter.var_now() == -3_000

    unreached(script)


@pytest.mark.parametrize("reactive", [None, VAR_SPEC])
def test_one_that_turns_out_to_be_too_much_for_it_is_ended_with_the_reason(reactive) -> None:
    async def script(w: World) -> None:
        asked = w.order(kind=ServiceKind.REACTIVE, seconds=120, parameters={"reactive_var": 7_000})
        assert (await w.control.submit(asked)).admitted
        await w.wait(3)
        w.inverter.connect_failure = None
        await w.wait(35)
        able = reactive.var_max if reactive else 0
        assert w.state_of(asked) is CommandState.CUT_SHORT
        assert f"7000 var is more than the {able} var" in w.stored(asked).reason
        assert w.inverter.done(*VAR) == []

    unreached(script, reactive)


def test_one_whose_inverter_is_not_reached_in_its_time_never_began() -> None:
    async def script(w: World) -> None:
        order = await reactive(w, 1_000, seconds=20)
        await w.wait(22)
        assert w.stored(order).reason == "its time passed before it could begin"

    unreached(script)


def test_volt_watt_alone_needs_no_reactive_power() -> None:
    async def script(w: World) -> None:
        watt = {**CURVE, "limit_var": 0, "watt_from_mv": 240_000, "watt_to_mv": 250_000, "discharge_w": 5_000}
        assert (await w.control.submit(w.order(kind=ServiceKind.VOLTAGE, parameters=watt))).admitted

    play(script)


def test_a_fault_of_reactive_power_is_latched_and_stops_all() -> None:
    async def script(w: World) -> None:
        await w.give(1_000, 120)
        await reactive(w, 1_000, 120)
        await w.wait(5)
        w.inverter.var = -2_000  # somebody else
        await w.wait(5)
        assert w.status.mode == "fault" and "somebody else" in w.status.fault
        assert not w.inverter.active and w.inverter.var_now() == -2_000
        w.control.clear()
        await w.wait(3)
        assert w.status.fault == ""

    site(script)


def test_a_stop_and_the_end_of_the_daemon_release_it() -> None:
    async def script(w: World) -> None:
        await reactive(w, 1_000)
        await w.wait(5)
        await w.give(kind=ServiceKind.STOP)
        await w.wait(2)
        assert w.inverter.var_now() == 0
        w.control.clear()
        await reactive(w, 1_000)
        await w.wait(5)
        assert w.inverter.var_now() == 1_000
        assert await w.stop() and w.inverter.var_now() == 0

    site(script)


def test_control_that_hangs_ends_it() -> None:
    async def script(w: World) -> None:
        await reactive(w, 1_000, 600)
        await w.wait(5)
        w.control._cycle = lambda: None
        await w.wait(6)
        assert w.inverter.var_now() == 0

    site(script)


# -- the grid ------------------------------------------------------------------------------------------


class MockIslanding(MockReactive):
    """It says whether it is connected to the grid."""

    def __init__(self, clock, spec) -> None:
        super().__init__(clock, spec)
        self.values[Quantity.GRID_CONNECTED], self.quality[Quantity.GRID_CONNECTED] = 1, Quality.GOOD

    def grid(self, there: bool) -> None:
        self.values[Quantity.GRID_CONNECTED] = int(there)


def test_a_lost_grid_releases_all_and_orders_keep_their_end() -> None:
    async def script(w: World) -> None:
        order = await w.give(2_000, 200)
        await reactive(w, 1_000, 200)
        await w.wait(10)
        assert (w.inverter.power_now_w(), w.inverter.var_now()) == (2_000, 1_000)
        w.inverter.own_w = 700  # the house, in its own control
        w.inverter.grid(False)
        await w.wait(3)
        assert (w.inverter.power_now_w(), w.inverter.var_now()) == (700, 0)
        assert w.status.grid == "lost" and w.status.causes == (Cause.GRID_LOST,)
        assert w.state_of(order) is CommandState.RUNNING
        count = len(w.inverter.writes)
        await w.wait(27)
        w.inverter.grid(True)
        await w.wait(STABLE_S - 3)
        assert w.status.grid == "returning" and len(w.inverter.writes) == count
        await w.wait(10)
        assert w.status.grid == "" and w.inverter.power_now_w() == 2_000
        assert w.inverter.var_now() == 1_000
        await w.wait(95)
        done = next(d for d in w.deliveries if d.command_id == order.id)
        lost_ms = dict(done.curtailments)[Cause.GRID_LOST]
        assert done.outcome is CommandState.DONE
        assert abs(lost_ms - (30_000 + STABLE_MS)) < 5_000
        assert done.available_bp < 10_000 - lost_ms * 10_000 // 200_000 + 300

    play(script, inverter=MockIslanding)


def test_an_order_of_nothing_is_not_available_either_without_a_grid() -> None:
    async def script(w: World) -> None:
        w.inverter.grid(False)
        await w.wait(2)
        await w.give(0, 20)
        await w.wait(25)
        assert w.deliveries[-1].available_bp <= 500  # the part after the last cycle carries no cause

    play(script, inverter=MockIslanding)


def test_a_device_that_falls_silent_in_an_outage_does_not_bring_the_grid_back() -> None:
    async def script(w: World) -> None:
        await w.give(2_000, 600)
        w.inverter.grid(False)
        await w.wait(3)
        w.inverter.quality[Quantity.GRID_CONNECTED] = Quality.ABSENT
        await w.wait(100)
        assert w.status.grid == "lost" and w.inverter.power_now_w() == 0

    play(script, inverter=MockIslanding)


def test_who_never_said_anything_of_the_grid_is_not_asked() -> None:
    async def script(w: World) -> None:
        w.inverter.quality[Quantity.GRID_CONNECTED] = Quality.ABSENT
        await w.give(2_000, 60)
        await w.wait(10)
        assert w.status.grid == "" and w.inverter.power_now_w() == 2_000

    play(script, inverter=MockIslanding)


def test_what_a_process_that_died_had_told_ends_with_the_start_of_the_next() -> None:
    async def script(w: World) -> None:
        await reactive(w, 2_000, seconds=600)
        await w.wait(5)
        assert w.inverter.var_now() == 2_000
        await w.restart()
        await w.wait(3)
        assert w.inverter.done(*VAR)[-1] == "release var"
        assert w.inverter.var_now() == 0, "long before the device's own timer"

    site(script)


def test_and_a_process_before_which_none_told_any_writes_none() -> None:
    async def script(w: World) -> None:
        await w.give(1_000, 600)
        await w.wait(5)
        await w.restart()
        await w.wait(5)
        assert w.inverter.done(*VAR) == []

    site(script)


def test_an_outage_that_a_process_saw_the_next_one_knows_of() -> None:
    async def script(w: World) -> None:
        w.inverter.grid(False)
        await w.wait(5)
        await w.crash()
        w.inverter.grid(True)
        w.build()
        w.start()
        await w.wait(3)
        await w.give(1_000, 600)
        await w.wait(STABLE_S - 8)
        assert w.status.grid == "returning" and w.inverter.writes == []
        await w.wait(12)
        assert w.inverter.power_now_w() == 1_000

    play(script, inverter=MockIslanding)
