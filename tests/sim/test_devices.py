"""Every kind of inverter the rig can be, under the real daemon: an order is admitted, carried out at the
battery, held longer than the device's own timer, and ended; the next order goes the other way.
"""

import asyncio

import pytest

from tests.sim.loop import run
from tests.sim.rigged import Rigged
from tests.sim.sites import SITES

POWER_W = 1500
FOR_S = 200  # longer than every timer of these devices but SolarEdge's
SETTLE_S = 30


@pytest.mark.parametrize("device", [name for name, site in SITES.items() if len(site.batteries) == 1])
def test_orders_are_carried_out_held_and_ended(device, tmp_path):
    async def scenario(clock):
        rigged = Rigged(
            clock,
            tmp_path,
            devices=SITES[device].devices,
            batteries=SITES[device].batteries,
            limit="2 kW",
            start_minute=60,
            every="1 h",
            step_ms=100,
        )
        async with rigged.running():
            await asyncio.sleep(20)
            for number, power_w in enumerate((-POWER_W, POWER_W)):
                await order(rigged, number, power_w)
                await asyncio.sleep(SETTLE_S)
                await holds(rigged, power_w)
                await asyncio.sleep(FOR_S - SETTLE_S - 20)
                await holds(rigged, power_w)
                await asyncio.sleep(40)
                said = (await rigged.ask("status"))["control"]
                assert (said["command"], said["executed"]) == (None, number + 1)
            rigged.plant.advance(clock.mono_ms())
            seen = rigged.plant.report()
            assert seen["writes_outside_envelope"] == 0
            assert seen["writes"] > 4

    run(scenario)


async def order(rigged, number, power_w):
    answer = await rigged.ask(
        "submit",
        id=f"{number + 1:064x}",
        kind="fixed-power",
        duration_ms=FOR_S * 1000,
        parameters={"power_w": power_w},
        who="test",
    )
    assert answer["admitted"], answer


async def holds(rigged, power_w):
    """The daemon says so, and the rig's physics agree."""
    said = (await rigged.ask("status"))["control"]
    assert said["fault"] == ""
    assert said["commanded_w"] == pytest.approx(power_w, abs=100), said
    rigged.plant.advance(rigged.clock.mono_ms())
    assert rigged.plant.state.battery_ac_w == pytest.approx(power_w, rel=0.1, abs=150)
