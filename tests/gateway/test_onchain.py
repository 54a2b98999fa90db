"""The chain side put together by the daemon: prices reach the schedule, what is wrong with them is said."""

from dataclasses import replace
from types import SimpleNamespace

from gateway import onchain
from gateway.chain.platforms import platform
from gateway.chain.platforms.calls import Signal
from gateway.site import ChainSettings, PriceSettings
from tests.chain.world import KeySigner
from tests.gateway.platform_samples import SETTINGS
from tests.gateway.stores import WALL_MS, HandClock, opened
from tests.sim.mocks import site as make_site

SIGNAL = Signal(WALL_MS, 3_600_000, (10, 400), "prices of 0xee")


async def made(store, prices):
    settings: ChainSettings = replace(SETTINGS, rpc=("http://a.example", "http://b.example"))
    site = replace(make_site(), chain=settings, prices=prices)
    plans = []
    state = SimpleNamespace(view=lambda: SimpleNamespace(good=lambda quantity: None))
    chain, _pricing = onchain.make(
        site, platform(settings), store, HandClock(), KeySigner("0x" + "5a" * 32), state, {},
        SimpleNamespace(submit=None), SimpleNamespace(plan=plans.append),
    )  # fmt: skip
    try:
        return await chain._inbox._signal(SIGNAL), plans
    finally:
        await chain.close()


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
