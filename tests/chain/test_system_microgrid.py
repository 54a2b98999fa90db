"""Platform `microgrid` end to end on real nodes: attest, produce, consume, balance, island, trade."""

import pytest

from gateway.model import ServiceKind
from tests.chain.ground import GATEWAY_KEY, NODES, ground, living
from tests.chain.people import delivery, interval
from tests.chain.world import KeySigner

PAYMENT = 10**16
CONTRACTS = {
    "production": "MicrogridProduction",
    "consumption": "MicrogridConsumption",
    "balancing": "MicrogridBalancing",
    "trading": "MicrogridTrading",
}
BALANCE, ISLAND = 0, 6
SETTLED = 3


@pytest.fixture(params=NODES)
async def made(request):
    async with ground(request.param) as g:
        members = await g.deploy("MicrogridProduction", g.admin, 128)
        await g.deploy("MicrogridConsumption", members)
        await g.deploy("MicrogridBalancing", g.admin, members)
        await g.deploy("MicrogridTrading", g.admin, members)
        await g.do("MicrogridProduction", "registerMember", key=g.owner_key)
        await g.bind("MicrogridProduction", 1, KeySigner(GATEWAY_KEY))
        yield g


async def test_sums_go_out_and_orders_and_trades_are_paid(made, tmp_path):
    contracts = {role: made.at[name] for role, name in CONTRACTS.items()}
    async with living(made, tmp_path, "microgrid", contracts, 1) as site:
        for number in range(2):
            await site.attestor.attest(interval(number))
        last = interval(1)

        async def told():
            return (await made.ask("MicrogridConsumption", "latestConsumption", 1))[1] == last.end_ms

        await site.until(told)
        assert await made.ask("MicrogridProduction", "latestProduction", 1) == (
            last.start_ms, last.end_ms, last.produced_wh, last.discharged_wh, last.frequency_mhz,
            last.voltage_mv,
        )  # fmt: skip
        assert await made.ask("MicrogridProduction", "produced", 1, 0) == 2 * last.produced_wh
        day = last.start_ms // 86_400_000
        assert await made.ask("MicrogridConsumption", "totalOn", day) == 2 * last.consumed_wh
        await made.do("MicrogridProduction", "certify", 1, 450)
        assert await made.ask("MicrogridProduction", "carbonOffset", 1) == 2 * last.produced_wh * 450 // 1000

        begin_s = site.clock.now().wall_ms // 1000
        terms = (begin_s, begin_s + 600, 250, [1500])
        await made.do("MicrogridBalancing", "order", 1, BALANCE, terms, value=PAYMENT)
        command = await site.command()
        assert (command.kind, dict(command.parameters)) == (ServiceKind.FIXED_POWER, {"power_w": 1500})
        await site.attestor.attest(delivery(command.id, command.not_before_ms, command.not_after_ms, 250))

        async def settled():
            return (await made.ask("MicrogridBalancing", "getOrder", 1))[5] == SETTLED

        await site.until(settled)

        island = (begin_s, begin_s + 600, 0, [])
        await made.do("MicrogridBalancing", "order", 1, ISLAND, island)
        assert (await site.command(2)).kind is ServiceKind.ISLAND

        await made.do("MicrogridTrading", "offer", 1, begin_s, 900, 500, 10**12, 2, key=made.owner_key)
        await made.do("MicrogridTrading", "buy", 1, value=500 * 10**12 // 1000)
        trade = await site.command(3)
        assert (trade.kind, dict(trade.parameters)) == (ServiceKind.FIXED_POWER, {"power_w": 2000})
        assert trade.not_after_ms - trade.not_before_ms == 900_000
        await site.attestor.attest(delivery(trade.id, trade.not_before_ms, trade.not_after_ms, 500))

        async def traded():
            return (await made.ask("MicrogridTrading", "getOrder", 1))[5] == SETTLED

        await site.until(traded)
        assert (await made.ask("MicrogridTrading", "getOffer", 1))[1] == begin_s + 86_400, "the next period"
        await site.quiet()
        assert len(site.commands) == 3
