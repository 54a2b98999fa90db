"""Platform `storage` end to end on real nodes: attest, join the pool, be allocated, priced and measured.

Ordering, delivering and settling is test_chain_assembly.py's.
"""

import pytest

from gateway.analytics.tally import Tally
from gateway.chain import reporter
from gateway.chain.platforms.calls import Facts
from gateway.model import Limits, ServiceKind
from gateway.store import performance
from tests.chain.ground import GATEWAY_KEY, NODES, ground, living
from tests.chain.people import START_MS, interval
from tests.chain.world import KeySigner

KWH = 10**18
CONTRACTS = {
    "verification": "StorageVerification",
    "services": "GridServices",
    "aggregation": "CapacityAggregation",
    "revenue": "RevenueOptimization",
    "analytics": "PerformanceAnalytics",
}
SPECS = (10 * KWH, 5 * KWH, 92, "meadow lane", "LITHIUM_ION")


@pytest.fixture(params=NODES)
async def made(request):
    async with ground(request.param) as g:
        await g.deploy("StorageVerification", g.admin, 128)
        for name in ("GridServices", "CapacityAggregation", "RevenueOptimization"):
            await g.deploy(name, g.admin, g.at["StorageVerification"])
        await g.deploy("PerformanceAnalytics", g.at["StorageVerification"])
        await g.do("StorageVerification", "registerStorage", g.owner, SPECS, key=g.owner_key)
        await g.bind("StorageVerification", 1, KeySigner(GATEWAY_KEY))
        yield g


async def test_capacity_prices_and_figures_go_both_ways(made, tmp_path, monkeypatch):
    monkeypatch.setattr(reporter, "POLL_S", 0.1)
    available = [None]

    def facts():
        return Facts(START_MS, Limits(5000, 5000), capacity_wh=10_000, available_wh=available[0])

    contracts = {role: made.at[name] for role, name in CONTRACTS.items()}
    async with living(made, tmp_path, "storage", contracts, 1, facts, pool=3) as site:
        body = interval(0)
        tally = Tally(body.start_ms, body.end_ms, charged_wh=120, soh_bp=9900)
        await site.store.call(performance.put, tally)
        await site.attestor.attest(body)

        async def recorded():
            return await made.ask("PerformanceAnalytics", "recorded", 1) == 1

        await site.until(recorded)
        data = await made.ask("PerformanceAnalytics", "latestOf", 1)
        assert (data[0], data[1], data[2], data[6]) == (body.start_ms, body.end_ms, 120, 9900)

        await made.do("StorageVerification", "verifyInstallation", 1)
        available[0] = 7_400

        async def joined():
            return (await made.ask("CapacityAggregation", "getMember", 1))[1]

        assert await site.until(joined) == 7 * KWH

        await made.do("CapacityAggregation", "allocateCapacity", 2 * KWH)
        command = await site.command()
        assert (command.kind, dict(command.parameters)) == (ServiceKind.RESERVE, {"soc_bp": 2000})
        assert command.not_after_ms - command.not_before_ms == 3_600_000

        start_s = site.clock.now().wall_ms // 1000 + 600
        await made.do("RevenueOptimization", "setMarketConditions", 3, (start_s, 900, [5, 90, -6]))
        await made.do("RevenueOptimization", "adjustPricingStrategy", 3)

        async def priced():
            return site.signals

        (signal,) = await site.until(priced)
        assert (signal.start_ms, signal.step_ms, signal.prices) == (start_s * 1000, 900_000, (5, 90, -6))
        await site.quiet()
        assert await made.ask("PerformanceAnalytics", "recorded", 1) == 1, "nothing twice"
        assert len(site.commands) == 1
