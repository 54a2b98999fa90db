"""An emergency stop over HTTP in the whole site: safe within a cycle, latched over a restart."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp

from gateway.daemon import Daemon
from tests.sim.loop import VirtualClock, run
from tests.sim.rigged import Rigged

HTTP = """\
http: {port: 0, token: http-token}
"""
CYCLE_S = 1.0
RELEASES = ("/api/v1/release", "/api/v1/clear", "/api/v1/stop/release", "/api/v1/fault")


class Person:
    """Somebody with the token, at another place than the machine."""

    def __init__(self, daemon: Daemon, folder: Path, session: aiohttp.ClientSession) -> None:
        assert daemon.web
        self._url = f"http://127.0.0.1:{daemon.web.server.port}"
        self._bearer = {"Authorization": f"Bearer {(folder / 'http-token').read_text().strip()}"}
        self._session = session

    async def ask(self, method: str, path: str, **how: Any) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json"} | self._bearer
        async with self._session.request(method, self._url + path, headers=headers, **how) as response:
            return response.status, await response.json()


def test_a_stop_is_safe_within_a_cycle_and_outlives_a_restart(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        rigged = Rigged(clock, tmp_path / "site", step_ms=50)
        state = rigged.plant.state
        rigged.add(HTTP)
        async with aiohttp.ClientSession() as session:
            async with rigged.running() as daemon:
                await asyncio.sleep(30)
                person = Person(daemon, rigged.folder, session)
                assert (await rigged.order(-2000, 600))["admitted"]
                await asyncio.sleep(20)
                assert state.order.power_w == -2000
                before_ms = clock.mono_ms()
                status, said = await person.ask("POST", "/api/v1/stop", data=b"{}")
                assert (status, said["admitted"]) == (200, True)
                while state.order.power_w:  # at the inverter, not only in the gateway
                    await asyncio.sleep(0.05)
                    assert clock.mono_ms() - before_ms <= CYCLE_S * 1000
                assert daemon.control.status.mode == "stopped"
                for path in RELEASES:
                    assert (await person.ask("POST", path, data=b"{}"))[0] == 404
                assert (await person.ask("DELETE", "/api/v1/stop"))[0] == 405
            async with rigged.running() as daemon:
                await asyncio.sleep(30)
                person = Person(daemon, rigged.folder, session)
                _, said = await person.ask("GET", "/api/v1/status")
                assert said["control"]["mode"] == "stopped" and not state.order.power_w
                assert said["control"]["fault"] == "emergency stop over HTTP"
                await rigged.ask("release")
                await asyncio.sleep(5)
                _, said = await person.ask("GET", "/api/v1/status")
                assert (said["control"]["mode"], said["control"]["fault"]) == ("fallback", "")

    run(main)
