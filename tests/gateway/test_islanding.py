"""Islands of one inverter through control, on a mocked site in virtual time."""

from dataclasses import replace

import pytest

from gateway.islanding import REST_W, Islands
from gateway.lease import IslandHold, Phase
from gateway.model import Cause, CommandState, Quality, Quantity, ServiceKind, Source
from gateway.outage import STABLE_MS
from tests.sim.mocks import CONNECTION, ISLAND_SPEC, MockIsland, link_lost, site
from tests.sim.world import World, play

ALLOWED = replace(site(), islanding=True)
STABLE_S = STABLE_MS / 1000


async def island(w: World, seconds: float = 60, **more):
    return await w.give(kind=ServiceKind.ISLAND, seconds=seconds, **more)


def run(script, at=ALLOWED, **how) -> World:
    return play(script, at=at, inverter=MockIsland, **how)


def done(w: World) -> list[str]:
    return w.inverter.done(*CONNECTION)


def test_it_is_parted_for_the_time_of_the_order_and_connected_at_its_end() -> None:
    async def script(w: World) -> None:
        order = await island(w, 30)
        await w.wait(6)
        assert w.inverter.is_apart() and w.status.grid == "island"
        await w.wait(25)
        assert not w.inverter.is_apart() and done(w)[-1] == "rejoin"
        assert w.state_of(order) is CommandState.DONE
        await w.wait(3)
        assert w.status.grid == "returning"
        await w.wait(STABLE_S)
        assert w.status.grid == ""
        await w.give(2000, 60)
        await w.wait(5)
        assert w.inverter.power_now_w() == 2000

    told = run(script).deliveries[0]
    assert told.causes == () and told.available_bp > 9500


def test_what_flows_is_brought_to_rest_before() -> None:
    async def script(w: World) -> None:
        power = await w.give(5000, 200)
        await w.wait(6)
        assert w.inverter.power_now_w() == 5000
        await island(w, 30)
        await w.wait(8)
        assert w.inverter.is_apart()
        w.at_parting = [flow for _, what, flow in w.inverter.log if what == "part"]
        await w.wait(30 + STABLE_S + 10)
        assert w.inverter.power_now_w() == 5000, "and goes on when the grid is stable again"
        assert w.state_of(power) is CommandState.RUNNING

    w = run(script)
    assert all(abs(flow) <= REST_W for flow in w.at_parting)


def test_while_the_sun_feeds_the_grid_it_is_not_parted() -> None:
    async def script(w: World) -> None:
        w.inverter.sun_w = 3000
        order = await island(w, 20)
        await w.wait(22)
        assert "part" not in done(w)
        assert w.state_of(order) is CommandState.DONE

    (told,) = run(script).deliveries
    assert told.causes == (Cause.PRIORITY,) and told.available_bp == 0


@pytest.mark.parametrize("unseen", [Quantity.GRID_CONNECTED, Quantity.INVERTER_POWER])
def test_what_is_not_seen_is_not_parted(unseen: Quantity) -> None:
    async def script(w: World) -> None:
        w.inverter.quality[unseen] = Quality.ABSENT
        await w.wait(3)
        await island(w, 20)
        await w.wait(10)
        assert "part" not in done(w)

    run(script)


def test_a_grid_that_is_gone_by_itself_is_not_parted_nor_brought_back() -> None:
    async def script(w: World) -> None:
        w.inverter.grid = False
        await w.wait(3)
        await island(w, 20)
        await w.wait(25)
        assert done(w) == []

    run(script)


@pytest.mark.parametrize("source", [Source.OPERATOR, Source.CHAIN])
def test_an_order_to_reconnect_ends_it(source: Source) -> None:
    async def script(w: World) -> None:
        order = await island(w, 300, source=Source.CHAIN)
        await w.wait(6)
        assert w.inverter.is_apart()
        await w.give(kind=ServiceKind.RECONNECT, seconds=5, source=source)
        await w.wait(3)
        assert not w.inverter.is_apart()
        assert w.state_of(order) is CommandState.CUT_SHORT
        await w.wait(20)
        assert not w.inverter.is_apart()

    run(script)


def test_a_lower_source_that_reconnects_has_its_way_for_its_time() -> None:
    async def script(w: World) -> None:
        order = await island(w, 300)
        await w.wait(6)
        await w.give(kind=ServiceKind.RECONNECT, seconds=10, source=Source.REMOTE)
        await w.wait(3)
        assert not w.inverter.is_apart()
        assert w.state_of(order) is CommandState.RUNNING

    run(script)


def test_a_stop_a_fault_and_the_end_of_the_daemon_connect_it() -> None:
    async def stop(w: World) -> None:
        await w.control.submit(w.order(kind=ServiceKind.STOP))

    async def fault(w: World) -> None:
        w.store.failure = "the disk is gone"
        await w.wait(0)
        w.control._journal.fail("the disk is gone")

    async def end(w: World) -> None:
        await w.control.fallback()

    for what in (stop, fault, end):

        async def script(w: World, what=what) -> None:
            await island(w, 300)
            await w.wait(6)
            assert w.inverter.is_apart()
            await what(w)
            await w.wait(3)
            assert not w.inverter.is_apart(), what.__name__

        run(script)


def test_after_a_crash_the_devices_own_timer_connects_it_and_nothing_is_written() -> None:
    async def script(w: World) -> None:
        order = await island(w, 300)
        await w.wait(6)
        await w.restart()
        w.inverter.log.clear()
        await w.wait(ISLAND_SPEC.timeout_s + 5)
        assert not w.inverter.is_apart() and done(w) == []
        assert w.state_of(order) is CommandState.CUT_SHORT

    run(script)


def test_a_lost_link_ends_it_by_the_devices_timer() -> None:
    async def script(w: World) -> None:
        await island(w, 300)
        await w.wait(6)
        lost = w.inverter
        lost.failure = lost.write_failure = lost.connect_failure = link_lost()
        await w.wait(ISLAND_SPEC.timeout_s + 5)
        assert not w.inverter.is_apart()

    run(script)


@pytest.mark.parametrize("kind", [ServiceKind.ISLAND, ServiceKind.RECONNECT])
def test_it_is_refused_where_the_site_or_the_source_may_not(kind: ServiceKind) -> None:
    async def refused(w: World, source: Source = Source.OPERATOR) -> str:
        verdict = await w.control.submit(w.order(kind=kind, source=source))
        assert not verdict.admitted
        return verdict.reason

    async def not_allowed(w: World) -> None:
        assert "does not allow islanding" in await refused(w)

    async def of_a_schedule(w: World) -> None:
        assert await refused(w, Source.SCHEDULE) == "a schedule does not decide about the grid connection"

    async def not_able(w: World) -> None:
        w.inverter.island = None
        assert await refused(w) == "inverter cannot be parted from the grid by order"

    run(not_allowed, at=site())
    run(of_a_schedule)
    run(not_able)


class Hand:
    def __init__(self, **changes) -> None:
        self.hold = replace(IslandHold("inverter", Phase.UNKNOWN, True, True, True, False), **changes)


def test_what_keeps_an_order_out_in_words() -> None:
    assert Islands({"inverter": Hand()}).problem() == ""
    assert "not been reached" in Islands({"inverter": Hand(reached=False)}).problem()
    assert "several inverters" in Islands({"a": Hand(), "b": Hand()}).problem()
    assert not Islands({}) and Islands({}).step(True, None, 0) == (Cause.OFFLINE,)
