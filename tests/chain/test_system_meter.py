"""Platform `meter` end to end on real nodes: attest, read, be approved, be ordered, deliver, settle."""

import pytest

from gateway.model import ServiceKind
from tests.chain.ground import GATEWAY_KEY, NODES, ground, living
from tests.chain.people import delivery, interval
from tests.chain.world import KeySigner

PAYMENT = 10**16


@pytest.fixture(params=NODES)
async def made(request):
    async with ground(request.param) as g:
        await g.deploy("SmartMeter", g.admin, 128)
        await g.deploy("GridManagement", g.admin, g.at["SmartMeter"])
        await g.do("SmartMeter", "registerMeter", "SN-0042", key=g.owner_key)
        await g.bind("SmartMeter", 1, KeySigner(GATEWAY_KEY))
        yield g


async def test_readings_go_out_and_a_balancing_order_is_paid(made, tmp_path):
    contracts = {"meter": made.at["SmartMeter"], "management": made.at["GridManagement"]}
    async with living(made, tmp_path, "meter", contracts, 1) as site:
        for number in range(3):
            await site.attestor.attest(interval(number))
        last = interval(2)

        async def read():
            return (await made.ask("SmartMeter", "readingOf", 1))[0] == last.end_ms // 1000

        await site.until(read)
        assert await made.ask("SmartMeter", "readingOf", 1) == (
            last.end_ms // 1000, last.consumed_wh, last.produced_wh, last.frequency_mhz, last.voltage_mv,
        )  # fmt: skip
        day = last.end_ms // 86_400_000
        assert await made.ask("SmartMeter", "dayOf", 1, day) == (3 * last.consumed_wh, 3 * last.produced_wh)

        await made.do("SmartMeter", "approveMeter", 1)
        begin_s = site.clock.now().wall_ms // 1000
        terms = (begin_s, begin_s + 600, 250, [1500])
        await made.do("GridManagement", "balance", 1, terms, value=PAYMENT)
        command = await site.command()
        assert (command.kind, dict(command.parameters)) == (ServiceKind.FIXED_POWER, {"power_w": 1500})
        done = delivery(command.id, command.not_before_ms, command.not_after_ms, 125)
        await site.attestor.attest(done)

        async def settled():
            return (await made.ask("GridManagement", "getOrder", 1))[5] == 3

        await site.until(settled)
        order = await made.ask("GridManagement", "getOrder", 1)
        assert (order[0].hex(), order[6]) == (command.id, 5000), "half of the energy was delivered"
        await site.quiet()
        assert len(site.commands) == 1

        await made.do("GridManagement", "emergencyStop", 1)
        assert (await site.command(2)).kind is ServiceKind.STOP
