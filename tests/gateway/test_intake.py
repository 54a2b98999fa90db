"""Orders on their way in: judged once, durable before they are open, and answered when they come again."""

from dataclasses import replace

import pytest

from gateway.errors import StoreError
from gateway.latch import STOPS_MAX
from gateway.model import Command, CommandState, ServiceKind, Source
from gateway.orders import OPEN_MAX
from tests.sim.mocks import LIMITS, site
from tests.sim.world import World, play


def test_an_id_that_comes_again_gets_the_same_answer_and_does_nothing_more() -> None:
    async def script(w: World) -> None:
        order = w.order(1_000, 10)
        first = await w.control.submit(order)
        await w.wait(15)
        assert w.state_of(order) is CommandState.DONE
        count = len(w.inverter.writes)
        again = await w.control.submit(replace(order, not_after_ms=order.not_after_ms + 60_000))
        assert first.admitted and again == first
        await w.wait(10)
        assert len(w.inverter.writes) == count and len(w.deliveries) == 1

    play(script)


def test_a_refusal_is_durable_too() -> None:
    async def script(w: World) -> None:
        order = w.order(99_000, 10)
        first = await w.control.submit(order)
        assert not first.admitted and "nameplate" in first.reason
        assert w.stored(order).state is CommandState.REFUSED
        assert await w.control.submit(order) == first

    play(script)


def test_a_flood_is_refused_and_not_stored() -> None:
    async def script(w: World) -> None:
        most = w.site.limits.commands_per_minute
        for _ in range(most):
            await w.control.submit(w.order(0, 1, source=Source.REMOTE))
        last = w.order(0, 1, source=Source.REMOTE)
        verdict = await w.control.submit(last)
        assert verdict.reason == f"more than {most} orders a minute from remote"
        assert w.stored(last) is None
        assert (await w.control.submit(w.order(0, 1, source=Source.OPERATOR))).admitted

    play(script)


def test_a_flood_of_stops_neither_wears_the_card_nor_holds_one_up() -> None:
    async def script(w: World) -> None:
        def stop() -> Command:
            return w.order(kind=ServiceKind.STOP, source=Source.REMOTE)

        flood = [stop() for _ in range(3 * STOPS_MAX)]
        for order in flood:
            assert (await w.control.submit(order)).admitted
        assert [w.stored(order) is not None for order in flood] == [n < STOPS_MAX for n in range(len(flood))]
        assert (await w.control.submit(flood[0])).admitted  # one that is known is answered as ever
        await w.wait(2)
        w.control.clear()
        await w.wait(2)
        assert not w.status.stop
        assert {w.state_of(order) for order in flood[:STOPS_MAX]} == {CommandState.DONE}
        last = stop()
        assert (await w.control.submit(last)).admitted
        await w.wait(2)
        assert w.state_of(last) is CommandState.RUNNING and w.status.stop

    play(script)


def test_a_store_that_fails_ends_acknowledgement_but_a_stop_acts() -> None:
    async def script(w: World) -> None:
        await w.give(1_000, 60)
        await w.wait(3)
        w.store.failure = "the disk is gone"
        with pytest.raises(StoreError):
            await w.control.submit(w.order(kind=ServiceKind.STOP))
        await w.wait(1)
        assert w.status.stop and not w.inverter.active
        with pytest.raises(StoreError, match="nothing is accepted: the disk is gone"):
            await w.control.submit(w.order(1_000, 60))

    play(script)


def test_when_the_gateway_stops_nothing_is_accepted_but_a_stop() -> None:
    async def script(w: World) -> None:
        await w.control.fallback()
        assert (await w.control.submit(w.order(1_000, 60))).reason == "the gateway is stopping"
        assert (await w.control.submit(w.order(kind=ServiceKind.STOP))).admitted

    play(script)


def test_open_orders_are_bounded() -> None:
    async def script(w: World) -> None:
        for _ in range(OPEN_MAX):
            await w.give(0, 1_000, after_s=3_600)
        verdict = await w.control.submit(w.order(0, 1_000, after_s=3_600))
        assert verdict.reason == f"{OPEN_MAX} orders are open already"

    play(script, at=site(replace(LIMITS, commands_per_minute=OPEN_MAX + 1)))


def test_more_load_than_there_is_cannot_be_shed() -> None:
    async def script(w: World) -> None:
        order = w.order(kind=ServiceKind.DEMAND_RESPONSE, parameters={"shed_w": 500})
        assert (
            await w.control.submit(order)
        ).reason == "500 W to shed is more than the 0 W of this site's loads"

    play(script)
