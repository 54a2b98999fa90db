"""The chain side put together by the daemon: prices reach the schedule, what is wrong with them is said."""

from dataclasses import replace
from types import SimpleNamespace

from gateway import onchain
from gateway.chain.platforms import platform
from gateway.chain.platforms.calls import Signal
from gateway.days import Days
from gateway.site import PriceSettings, RestSettings
from tests.chain.world import KeySigner
from tests.gateway.platform_samples import SETTINGS
from tests.gateway.stores import WALL_MS, HandClock, opened
from tests.sim.mocks import site as make_site

SIGNAL = Signal(WALL_MS, 3_600_000, (10, 400), "prices of 0xee")


def put_together(store, plans, prices=None, rest=None):
    settings = replace(SETTINGS, rpc=("http://a.example", "http://b.example"), rest=rest)
    site = replace(make_site(), chain=settings, prices=prices)
    state = SimpleNamespace(view=lambda: SimpleNamespace(good=lambda quantity: None))
    return onchain.make(
        site, platform(settings), store, HandClock(), KeySigner("0x" + "5a" * 32), state, {},
        SimpleNamespace(submit=None), SimpleNamespace(plan=plans.append), Days(store),
    )  # fmt: skip


async def made_parts(store, rest):
    found = put_together(store, [], rest=rest)
    await found.chain.close()
    return found


async def made(store, prices):
    plans = []
    found = put_together(store, plans, prices)
    try:
        inbox = found.chain.parts["orders"].__self__
        return await inbox._signal(SIGNAL), plans
    finally:
        await found.chain.close()


async def test_a_signal_becomes_the_plan_of_the_schedule(tmp_path):
    async with opened(tmp_path / "store.db") as (store, _):
        problem, (plan,) = await made(store, PriceSettings(8000))
    assert problem == ""
    assert [slot.parameters["power_w"] > 0 for slot in plan] == [False, True]


async def test_what_is_wrong_with_it_is_said_with_where_it_came_from(tmp_path):
    async with opened(tmp_path / "store.db") as (store, _):
        problem, plans = await made(store, None)
    assert problem.startswith("prices of 0xee: prices are not followed")
    assert plans == []


async def test_the_platforms_rest_is_a_part_where_there_is_one(tmp_path):
    async with opened(tmp_path / "store.db") as (store, _):
        assert "meter-rest" not in (await made_parts(store, None)).parts
        found = await made_parts(store, RestSettings("http://127.0.0.1:1"))
        assert {"meter-rest", "orders", "reports"} <= set(found.parts)
        assert found.troubles == {}
        found.post.refused = "no"
        assert found.troubles == {"meter-rest": "no"}
