"""An island by order, with the real Daemon on the rig in virtual time: relay, timer, house."""

import asyncio
from pathlib import Path

from rig.faults import Fault

from gateway.outage import STABLE_MS
from tests.sim.loop import VirtualClock, run
from tests.sim.rigged import Rigged
from tests.sim.test_support import outcome, submit

NIGHT = 60  # minutes after midnight: the sun does not hold it up
TIMER_S = 60
SHIPPED = Path(__file__).parents[2] / "drivers/profiles/sunspec.yaml"


def site(clock: VirtualClock, folder: Path) -> Rigged:
    """A SunSpec inverter of which a profile beside site.yaml says that it makes an island."""
    rigged = Rigged(clock, folder, start_minute=NIGHT, step_ms=100)
    (folder / "backed.yaml").write_text(SHIPPED.read_text() + 'islanding: "123"\n')
    said = (folder / "site.yaml").read_text()
    said = said.replace("profile: sunspec,", "profile: backed,").replace(
        "  id: meadow\n", "  id: meadow\n  islanding: allowed\n"
    )
    (folder / "site.yaml").write_text(said)
    return rigged


def conn(rigged: Rigged) -> tuple[int, int]:
    """The relay and its timer, as the device has them."""
    return rigged.bank.value("123.Conn"), rigged.bank.value("123.Conn_RvrtTms")


def test_the_house_is_an_island_for_the_time_of_the_order(tmp_path: Path) -> None:
    async def script(clock: VirtualClock) -> None:
        rigged = site(clock, tmp_path)
        state = rigged.plant.state
        async with rigged.running() as daemon:
            await asyncio.sleep(20)
            assert conn(rigged) == (1, 0)
            await submit(rigged, 1, "fixed-power", 600, power_w=3_000)
            await asyncio.sleep(20)
            await submit(rigged, 2, "island", 120)
            await asyncio.sleep(30)
            assert conn(rigged) == (0, TIMER_S) and not state.on_grid
            assert state.grid_w == 0 and state.battery_ac_w == state.load_w - state.pv_w
            assert state.order.kind == "self", "the inverter's own control has the battery"
            assert daemon.control.status.grid == "island"
            await asyncio.sleep(95)
            assert conn(rigged) == (1, 0) and state.on_grid
            await asyncio.sleep(STABLE_MS / 1000 + 15)
            assert abs(state.battery_ac_w - 3_000) < 50
        told = outcome(rigged, 2)
        assert told["outcome"] == "done" and told["available_bp"] > 9_000
        assert rigged.plant.witness.outside == 0

    run(script)


def test_a_dead_link_or_a_dead_daemon_leaves_it_to_the_devices_timer(tmp_path: Path) -> None:
    async def script(clock: VirtualClock) -> None:
        rigged = site(clock, tmp_path)
        state = rigged.plant.state
        async with rigged.running():
            await asyncio.sleep(20)
            await submit(rigged, 1, "island", 900)
            await asyncio.sleep(15)
            assert not state.on_grid
            for link in rigged.links:
                link.faults.add(Fault("silence", unit=1))
            await asyncio.sleep(TIMER_S + 10)
            assert state.on_grid and conn(rigged)[0] == 1
            for link in rigged.links:
                link.faults.clear(None)

    run(script)


def test_what_somebody_else_has_parted_stays_so_whatever_the_gateway_does(tmp_path: Path) -> None:
    async def script(clock: VirtualClock) -> None:
        rigged = site(clock, tmp_path)
        rigged.bank.put("123.Conn", 0)  # by a grid operator, before the gateway was started
        for _ in range(2):
            async with rigged.running():
                await asyncio.sleep(20)
                answer = await rigged.ask(
                    "submit", id=f"{1:064x}", kind="island", duration_ms=30_000, parameters={}, who="a test"
                )
                assert answer["admitted"], answer
                await asyncio.sleep(50)
                assert conn(rigged) == (0, 0)
            assert conn(rigged) == (0, 0)

    run(script)
