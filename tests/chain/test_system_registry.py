"""Platform `registry` end to end on real nodes: devices and alerts, figures, demand response, emergency."""

from dataclasses import replace

import pytest

from gateway.analytics.figures import Alert, AlertCode, Severity
from gateway.analytics.tally import Tally
from gateway.chain import reporter
from gateway.chain.platforms import registry
from gateway.chain.platforms.calls import DeviceFacts, Facts
from gateway.model import Limits, ServiceKind
from gateway.store import performance
from tests.chain.ground import GATEWAY_KEY, NODES, ground, living
from tests.chain.people import START_MS, delivery, interval
from tests.chain.world import KeySigner

CONTRACTS = {"devices": "DeviceRegistry", "balance": "GridBalance", "rewards": "RewardSystem"}
INVERTER = DeviceFacts("inverter", "inverter", "Acme", "One 5k", "SN-SECRET")
METER = DeviceFacts("meter", "meter", "Acme", "M", "SN-9")
FACTS = Facts(START_MS, Limits(5000, 5000), devices=[INVERTER, METER])


@pytest.fixture(params=NODES)
async def made(request):
    async with ground(request.param) as g:
        devices = await g.deploy("DeviceRegistry", g.admin, 128)
        await g.deploy("GridBalance", g.admin, devices)
        await g.deploy("RewardSystem", g.admin, devices)
        await g.do("DeviceRegistry", "registerMicrogrid", key=g.owner_key)
        await g.bind("DeviceRegistry", 1, KeySigner(GATEWAY_KEY))
        yield g


async def test_devices_alerts_and_figures_go_out_and_demand_response_comes_in(made, tmp_path, monkeypatch):
    monkeypatch.setattr(reporter, "POLL_S", 0.1)
    monkeypatch.setattr(registry, "DEVICE_S", 0)
    monkeypatch.setattr(registry, "ALERT_S", 0)
    known = [FACTS]
    contracts = {role: made.at[name] for role, name in CONTRACTS.items()}
    async with living(made, tmp_path, "registry", contracts, 1, lambda: known[0]) as site:

        async def registered():
            return len(await made.ask("DeviceRegistry", "getDevices", 1)) == 2

        await site.until(registered)
        found = await made.ask("DeviceRegistry", "getDevices", 1)
        assert {device[:4] for device in found} == {
            ("inverter", "inverter", "Acme One 5k", 0), ("meter", "meter", "Acme M", 0),
        }  # fmt: skip

        hot = Alert(AlertCode.HOT, Severity.WARNING, START_MS, "the battery reached 51 °C")
        known[0] = replace(FACTS, devices=[replace(INVERTER, state="silent"), METER], alerts=[hot])

        async def changed():
            (_, _, alerts, severity) = await made.ask("DeviceRegistry", "getMicrogrid", 1)
            states = {d[0]: d[3] for d in await made.ask("DeviceRegistry", "getDevices", 1)}
            return states["inverter"] == 1 and (alerts, severity) == (1 << list(AlertCode).index(hot.code), 2)

        await site.until(changed)

        body = interval(0)
        tally = Tally(body.start_ms, body.end_ms, available_ms=900_000)
        await site.store.call(performance.put, tally)
        await site.attestor.attest(body)

        async def rewarded():
            return await made.ask("RewardSystem", "pointsOf", 1)

        # Half a kWh of sun, 0.38 kWh saved: both round to nothing or one; the battery was there.
        assert await site.until(rewarded) == 2 * body.produced_wh // 1000 + 1

        await made.do("DeviceRegistry", "validateData", 1)
        begin_s = site.clock.now().wall_ms // 1000
        await made.do(
            "GridBalance", "requestDemandResponse", 1, (begin_s, begin_s + 600, 0, [800]), value=100
        )
        command = await site.command()
        assert command.kind is ServiceKind.DEMAND_RESPONSE
        await site.attestor.attest(delivery(command.id, command.not_before_ms, command.not_after_ms, 0))

        async def settled():
            return (await made.ask("GridBalance", "getOrder", 1))[5] == 3

        await site.until(settled)
        await made.do("GridBalance", "emergencyStop", 1)
        assert (await site.command(2)).kind is ServiceKind.STOP
        await site.quiet()
        assert len(site.commands) == 2
