"""Reactive power and the loss of the grid, with the real Daemon on the rig in virtual time."""

import asyncio
import json
from pathlib import Path
from typing import Any

from rig.faults import Fault

from gateway.model import Cause
from gateway.outage import STABLE_MS
from tests.sim.loop import VirtualClock, run
from tests.sim.rigged import Rigged

NOON = 12 * 60


async def submit(rigged: Rigged, number: int, kind: str, seconds: int, **parameters: int) -> None:
    answer = await rigged.ask(
        "submit",
        id=f"{number:064x}",
        kind=kind,
        duration_ms=seconds * 1000,
        parameters=parameters,
        who="a test",
    )
    assert answer["admitted"], answer


def outcome(rigged: Rigged, number: int) -> dict[str, Any]:
    ((text,),) = rigged.rows("SELECT outcome FROM command WHERE id = ?", f"{number:064x}")
    found: dict[str, Any] = json.loads(text)
    return found


def site(clock: VirtualClock, folder: Path) -> Rigged:
    return Rigged(clock, folder, start_minute=NOON, step_ms=100)


def test_var_flow_beside_the_inverters_own_control_and_end(tmp_path: Path) -> None:
    async def script(clock: VirtualClock) -> None:
        rigged = site(clock, tmp_path)
        state = rigged.plant.state
        async with rigged.running():
            await asyncio.sleep(20)
            before = [entry.address for entry in rigged.plant.witness.entries]
            await submit(rigged, 1, "reactive", 60, reactive_var=-2_500, power_factor_bp=0)
            await asyncio.sleep(10)
            assert state.inverter_var == -2_500 and state.order.kind == "self"
            assert state.grid_var == state.load_var + 2_500
            told = (await rigged.ask("status"))["control"]
            assert told["reactive_var"] == -2_500
            await asyncio.sleep(60)
            assert state.inverter_var == 0
            writes = [entry.address for entry in rigged.plant.witness.entries]
            assert len(writes) > len(before)
        assert outcome(rigged, 1)["outcome"] == "done"
        assert rigged.plant.witness.var_outside == 0 and rigged.plant.witness.outside == 0

    run(script)


def test_volt_var_follows_the_measured_voltage_beside_a_power(tmp_path: Path) -> None:
    async def script(clock: VirtualClock) -> None:
        rigged = site(clock, tmp_path)
        state = rigged.plant.state
        async with rigged.running():
            await asyncio.sleep(20)
            now_mv = state.grid_mv  # measured, within some volts of this for the minutes that follow
            curve = {"v1_mv": now_mv - 60_000, "v2_mv": now_mv - 50_000, "v3_mv": now_mv - 40_000}
            await submit(rigged, 1, "voltage", 60, **curve, v4_mv=now_mv - 20_000, limit_var=6_000)
            assert (await rigged.order(4_000, 60))["admitted"]
            await asyncio.sleep(30)
            assert state.inverter_var == -6_000 and abs(state.battery_ac_w - 4_000) < 50
            await asyncio.sleep(40)
            assert state.inverter_var == 0
        assert rigged.plant.witness.var_outside == 0 and rigged.plant.witness.outside == 0

    run(script)


def test_a_link_that_is_cut_leaves_no_var_behind(tmp_path: Path) -> None:
    async def script(clock: VirtualClock) -> None:
        rigged = site(clock, tmp_path)
        async with rigged.running():
            await asyncio.sleep(20)
            await submit(rigged, 1, "reactive", 600, reactive_var=1_000, power_factor_bp=0)
            await asyncio.sleep(10)
            assert rigged.plant.state.inverter_var == 1_000
            count = rigged.plant.witness.writes
            for link in rigged.links:
                link.faults.add(Fault("silence", unit=1))
            await asyncio.sleep(70)  # the inverter's own timer
            assert rigged.plant.witness.writes == count
            assert rigged.plant.state.inverter_var == 0
            for link in rigged.links:
                link.faults.clear(None)
            await asyncio.sleep(90)
            assert rigged.plant.state.inverter_var == 1_000, "the order goes on, after the fallback"

    run(script)


def test_without_a_grid_the_battery_carries_the_house_until_it_is_stable_again(tmp_path: Path) -> None:
    async def script(clock: VirtualClock) -> None:
        rigged = site(clock, tmp_path)
        state, plant = rigged.plant.state, rigged.plant
        async with rigged.running() as daemon:
            await asyncio.sleep(20)
            await submit(rigged, 1, "fixed-power", 300, power_w=-3_000)
            await asyncio.sleep(20)
            assert abs(state.battery_ac_w + 3_000) < 50
            plant.set_grid(False)
            await asyncio.sleep(5)
            assert state.battery_ac_w == state.load_w - state.pv_w and state.grid_w == 0
            assert state.order.kind == "self" and daemon.control.status.grid == "lost"
            count = plant.witness.writes
            await asyncio.sleep(55)
            plant.set_grid(True)
            await asyncio.sleep(STABLE_MS / 1000 - 5)
            assert daemon.control.status.grid == "returning" and plant.witness.writes == count
            assert state.order.kind == "self"
            await asyncio.sleep(25)
            assert daemon.control.status.grid == "" and abs(state.battery_ac_w + 3_000) < 50
            await asyncio.sleep(140)
        told = outcome(rigged, 1)
        lost_ms = dict(told["curtailments"])[Cause.GRID_LOST.value]
        assert told["outcome"] == "done" and abs(lost_ms - 60_000 - STABLE_MS) < 10_000
        assert told["available_bp"] < 6_500
        assert plant.witness.outside == 0

    run(script)
