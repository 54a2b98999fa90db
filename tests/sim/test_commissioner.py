"""When a site is not fit to be commissioned, in words; what will be done where it is."""

import asyncio

import pytest

from gateway.errors import ServiceRefused
from gateway.model import ClockTrust
from tests.sim.loop import run
from tests.sim.rigged import Rigged
from tests.sim.test_trial import SITES, site


async def plan(rigged: Rigged, **request):
    return await rigged.ask("commission", step="plan", **request)


async def refused(rigged: Rigged, **request) -> str:
    with pytest.raises(ServiceRefused) as said:
        await plan(rigged, **request)
    return str(said.value)


def test_what_will_be_done_is_said_beforehand(tmp_path):
    async def scenario(clock):
        rigged = site(clock, tmp_path)
        async with rigged.running():
            await asyncio.sleep(20)
            assert await plan(rigged) == {
                "device": "inverter", "power_w": 500, "orders": 16, "orders_max": 24, "patience_s": 95,
                "why": "",
                "channels": [
                    "bms (battery power)", "inverter (battery power)", "inverter (grid power)",
                    "meter (grid power)",
                ],
            }  # fmt: skip
            assert (await plan(rigged, power_w=1200, patience_s=300))["patience_s"] == 300
            assert (await plan(rigged, patience_s=0))["why"] == "it is left out, as asked"
            progress = await rigged.ask("commission", step="watch")
            assert (progress["state"], progress["step"]) == ("idle", "")

    run(scenario)


def test_what_makes_a_site_unfit_is_said_in_words(tmp_path):
    async def scenario(clock):
        rigged = site(clock, tmp_path)
        async with rigged.running():
            await asyncio.sleep(0.02)
            assert "not every inverter is reached" in await refused(rigged)
            await asyncio.sleep(20)
            assert "2500 W is not between 500 W and 2000 W" in await refused(rigged, power_w=2500)
            said = await refused(rigged, device="meter")
            assert said == "'meter' takes no setpoints; those that can be commanded: inverter"
            assert "left alone for 4 h at most" in await refused(rigged, patience_s=5 * 3600)
            clock.trust = ClockTrust.UNTRUSTED
            assert "the clock is not trusted yet" in await refused(rigged)
            clock.trust = ClockTrust.TRUSTED
            await rigged.order(500, 30)
            assert "an order runs or waits" in await refused(rigged)
            await asyncio.sleep(40)
            rigged.plant.set_soc(0.13)
            await asyncio.sleep(90)
            assert "% is too near its bounds" in await refused(rigged)
            rigged.plant.set_soc(0.5)
            await asyncio.sleep(90)
            rigged.plant.set_grid(False)
            await asyncio.sleep(5)
            assert "the grid is lost" in await refused(rigged)
            rigged.plant.set_grid(True)
            await asyncio.sleep(90)
            rigged.bms.break_as("silent")
            await asyncio.sleep(8)
            assert "bms is not heard" in await refused(rigged)
            rigged.bms.clear()
            await asyncio.sleep(60)
            await rigged.ask("submit", id="ab" * 32, kind="stop", duration_ms=0, parameters={}, who="a test")
            await asyncio.sleep(2)
            assert "the site is stopped" in await refused(rigged)
            await rigged.ask("release")
            await asyncio.sleep(5)
            await rigged.ask("commission", step="begin")
            assert "another test runs" in await refused(rigged)

    run(scenario)


def test_what_happens_at_the_site_ends_the_test(tmp_path):
    async def scenario(clock):
        rigged = site(clock, tmp_path)
        async with rigged.running():
            await asyncio.sleep(20)
            await rigged.ask("commission", step="begin")
            await asyncio.sleep(8)
            await rigged.ask("submit", id="cd" * 32, kind="stop", duration_ms=0, parameters={}, who="ada")
            await asyncio.sleep(3)
            progress = await rigged.ask("commission", step="watch")
            assert (progress["state"], progress["reason"]) == ("failed", "operator ada")

    run(scenario)


def test_without_a_key_nothing_can_be_certified(tmp_path):
    async def scenario(clock):
        rigged = Rigged(clock, tmp_path, devices=SITES["sunspec"])
        path = rigged.folder / "site.yaml"
        path.write_text(
            "\n".join(x for x in path.read_text().splitlines() if not x.startswith("attest")) + "\n"
        )
        async with rigged.running():
            await asyncio.sleep(5)
            assert "name a key (attest: {key: …})" in await refused(rigged)
            assert (await rigged.ask("status"))["commissioned"] == {"inverter": ""}

    run(scenario)
