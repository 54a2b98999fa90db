"""What a gateway that died leaves at each kind of inverter, under the real daemon in virtual time.

A device with a timer of its own ends the power by it; one that latches goes on, whatever order it was for,
until the next start hands it back. Each as docs/safety.md says it.
"""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from tests.sim.judge import REACH_MS, TIMER_S, TIMER_SLACK_MS
from tests.sim.loop import VirtualClock, run
from tests.sim.rigged import Rigged
from tests.sim.sites import SITES

POWER_W, ORDER_S, FOR_HOURS = 1500, 120, 2
ALONE = [
    name for name, site in SITES.items() if len(site.batteries) == 1 and name not in ("sunspec", "tight")
]


def left(rigged: Rigged) -> int | None:
    """The power that its registers mean now; None: it is left to itself."""
    [part] = rigged.parts
    return part.plant.demand_w(part.told(rigged.clock.mono_ms()))


async def lived(rigged: Rigged) -> None:
    """Until it is killed."""
    with suppress(asyncio.CancelledError):
        await rigged.daemon().run()


@pytest.mark.parametrize("name", ALONE)
def test_the_last_power_ends_by_the_devices_timer_or_by_the_next_start(name: str, tmp_path: Path) -> None:
    site = SITES[name]
    timer_s = TIMER_S[site.batteries[0].kind]

    async def script(clock: VirtualClock) -> None:
        rigged = Rigged(
            clock, tmp_path, devices=site.devices, batteries=site.batteries, limit="2 kW", start_minute=60
        )
        async with rigged.outside(), asyncio.TaskGroup() as group:
            life = group.create_task(lived(rigged))
            await asyncio.sleep(20)
            assert (await rigged.order(POWER_W, ORDER_S))["admitted"]
            await asyncio.sleep(30)
            assert left(rigged) == pytest.approx(POWER_W, abs=12)
            for link in rigged.links:
                link.closed = True  # nothing that it still does reaches a device
            life.cancel()
            if timer_s is None:
                await asyncio.sleep(FOR_HOURS * 3600)
                assert left(rigged) == POWER_W, "the order was over long ago"
            else:
                await asyncio.sleep(timer_s // 2)
                assert left(rigged), "it was refreshed within half of its timer"
                await asyncio.sleep(timer_s // 2 + TIMER_SLACK_MS / 1000)
                assert left(rigged) is None
            await life
            async with rigged.running():
                await asyncio.sleep(REACH_MS / 1000)
                assert not left(rigged)
                assert (await rigged.ask("status"))["control"]["command"] is None

    run(script)
