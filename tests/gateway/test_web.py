"""The server wired into the real daemon on the rig: every route answers, and what it tells is what is."""

import asyncio
import logging
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.errors import ConfigError
from gateway.uplink.http.metrics import COUNTS, GAUGES
from tests.sim.loop import VirtualClock, run
from tests.sim.rigged import Rigged

HTTP = "http: {{port: 0, token: http-token, pull: {pull}}}\n"
PATHS = (
    "/", "/api/v1/status", "/api/v1/orders", "/api/v1/meters/meter/history",
    "/api/v1/meters/inverter/production", "/api/v1/grid/status", "/api/v1/grid/demand",
    "/api/v1/grid/supply", "/api/v1/records",
    "/api/v1/openapi.json",
)  # fmt: skip


@pytest.mark.parametrize("pull", ["true", "false"])
def test_every_route_answers_in_the_daemon(
    tmp_path: Path, pull: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    async def main(clock: VirtualClock) -> None:
        rigged = Rigged(clock, tmp_path / "site")
        rigged.add(HTTP.format(pull=pull))
        async with aiohttp.ClientSession() as session, rigged.running() as daemon:
            await asyncio.sleep(20)
            assert daemon.web
            url = f"http://127.0.0.1:{daemon.web.server.port}"
            for path in PATHS:
                async with session.get(url + path) as response:
                    assert response.status == 200, path
            async with session.get(f"{url}/api/v1/grid/status") as response:
                told = await response.json()
                assert told["quality"]["grid_power_w"] == "GOOD"
            async with session.get(f"{url}/metrics") as response:
                text = await response.text()
            names = {s.name for f in text_string_to_metric_families(text) for s in f.samples}
            counted = {f"gridseal_{name}_total" for name in COUNTS if "mqtt" not in name}
            assert counted | {f"gridseal_{name}" for name in GAUGES if "mqtt" not in name} <= names
            assert {"gridseal_device_age_seconds", "gridseal_link_events_total"} <= names
            async with session.get(f"{url}/ccip/0x{'00' * 20}/0x{'00' * 4}") as response:
                assert response.status == (400 if pull == "true" else 404)

    with caplog.at_level(logging.DEBUG):
        run(main)
    token = (tmp_path / "site" / "http-token").read_text().strip()
    assert token not in caplog.text + "".join(capfd.readouterr())


def test_a_token_that_others_may_read_is_said_before_the_battery_is_touched(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        rigged = Rigged(clock, tmp_path / "site")
        rigged.add(HTTP.format(pull="false"))
        path = rigged.folder / "http-token"
        path.write_text("5a" * 32)
        path.chmod(0o644)
        with pytest.raises(ConfigError, match="others may read the token"):
            await rigged.daemon().run()
        assert not rigged.plant.witness.entries

    run(main)
