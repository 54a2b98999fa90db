"""Orders over HTTP in the whole site: a stop is safe within a cycle and latched over a restart; the
token lets in, the signature orders."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp

from gateway import signed_order
from gateway.daemon import Daemon
from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import NO_CHAIN
from gateway.model import Command, ServiceKind, Source
from tests.sim.loop import VirtualClock, run
from tests.sim.rigged import Rigged

HTTP = """\
http: {port: 0, token: http-token}
"""
CYCLE_S = 1.0
RELEASES = ("/api/v1/release", "/api/v1/clear", "/api/v1/stop/release", "/api/v1/fault")


def connections() -> aiohttp.ClientSession:
    """Each request on its own connection: in virtual time any pause is longer than a kept one lives."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))


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
        async with connections() as session:
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


def signed(site: Any, domain: Any, power_w: int, now_ms: int, key: KeySigner) -> bytes:
    values = {"power_w": power_w}
    command = Command("c4" * 32, Source.REMOTE, ServiceKind.FIXED_POWER, now_ms, now_ms + 60_000, values)
    return signed_order.write(
        site.id, command, key.sign(signed_order.digest(domain, site.id, command))
    ).encode()


def test_the_token_lets_in_and_the_signature_orders(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        rigged = Rigged(clock, tmp_path / "site")
        person_key, stranger = KeySigner(b"\x61" * 32), KeySigner(b"\x62" * 32)
        rigged.add(HTTP + f'remote: {{signers: ["{person_key.address}"]}}\n')
        async with connections() as session, rigged.running() as daemon:
            await asyncio.sleep(30)
            person, now_ms = Person(daemon, rigged.folder, session), clock.now().wall_ms
            forged = signed(rigged.site, NO_CHAIN, -2000, now_ms, stranger)
            status, said = await person.ask("POST", "/api/v1/orders", data=forged)
            assert status == 422 and "may not order here" in said["message"]
            text = signed(rigged.site, NO_CHAIN, -2000, now_ms, person_key)
            status, said = await person.ask("POST", "/api/v1/orders", data=text)
            assert (status, said) == (200, {"id": "0x" + "c4" * 32, "admitted": True, "reason": ""})
            await asyncio.sleep(20)
            assert rigged.plant.state.order.power_w == -2000
            assert (await person.ask("POST", "/api/v1/orders", data=text))[1][
                "admitted"
            ]  # once, however often
            await asyncio.sleep(60)
            _, said = await person.ask("GET", "/api/v1/orders")
            (told,) = said["orders"]
            assert (told["id"], told["state"]) == ("0x" + "c4" * 32, "done")

    run(main)
