"""Another master at each kind of inverter, under the real daemon: it is found, and not one write follows.

SolaX does not tell its power, and Huawei takes another one only with its next command: there it is found by a
battery that does not follow, or when it is overwritten.
"""

import asyncio
from pathlib import Path

import pytest

from tests.sim.loop import VirtualClock, run
from tests.sim.rigged import Rigged
from tests.sim.sites import SITES
from tests.sim.trouble import FOREIGN, overwrite

POWER_W, FOUND_S = 1500, 10
CASES = [
    (kind, sign)
    for kind, (charging, discharging) in FOREIGN.items()
    for sign in ((-1, 1) if charging != discharging else (1,))
]


@pytest.mark.parametrize(("name", "sign"), CASES)
def test_a_foreign_power_is_found_and_left_alone(name: str, sign: int, tmp_path: Path) -> None:
    site = SITES[name]

    async def script(clock: VirtualClock) -> None:
        rigged = Rigged(
            clock, tmp_path, devices=site.devices, batteries=site.batteries, limit="2 kW", start_minute=60
        )
        [part] = rigged.parts
        async with rigged.running():
            await asyncio.sleep(20)
            assert (await rigged.order(sign * POWER_W, 600))["admitted"]
            await asyncio.sleep(40)
            before_w = part.demand_w(clock.mono_ms())
            overwrite(part.bank, name, sign * POWER_W)
            assert part.demand_w(clock.mono_ms()) != before_w
            await asyncio.sleep(FOUND_S)
            said = (await rigged.ask("status"))["control"]
            assert said["fault"].startswith("somebody else controls inverter: it holds "), said["fault"]
            writes = part.plant.witness.writes
            await asyncio.sleep(60)
            assert part.plant.witness.writes == writes
        assert part.plant.witness.writes == writes, "not even at the end"

    run(script)
