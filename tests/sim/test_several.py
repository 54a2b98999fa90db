"""Several batteries of different kinds on the rig under the real daemon: one fails, is lost, is not known."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from rig.faults import Fault
from rig.physics import Order

from tests.sim import loop
from tests.sim.rigged import METER_URL, Rigged
from tests.sim.sites import SITES

NIGHT = 60  # minute of the day: no sun
LATE_S = 3  # a poll, a cycle and the exchange


class Site(Rigged):
    def told(self) -> list[int]:
        return [part.demand_w(self.clock.mono_ms()) for part in self.parts]

    def cut(self, number: int) -> None:
        """The inverter's link, as it was opened last."""
        link = next(link for link in reversed(self.links) if link.url == self.parts[number].url)
        if not link.faults.is_set("silence"):
            link.faults.add(Fault("silence"))


def play(folder: Path, name: str, script: Callable[[Site], Awaitable[None]]) -> Site:
    async def main(clock: loop.VirtualClock) -> Site:
        site = SITES[name]
        made = Site(
            clock,
            folder,
            devices=site.devices,
            batteries=site.batteries,
            limit=f"{site.limit_w} W",
            start_minute=NIGHT,
        )
        async with made.running():
            await asyncio.sleep(20)
            await script(made)
        assert [part.plant.witness.outside for part in made.parts] == [0] * len(made.parts)
        return made

    return loop.run(main)


async def ordered(site: Site, power_w: int) -> None:
    said = await site.order(power_w, 600)
    assert said["admitted"], said
    await asyncio.sleep(15)
    assert sum(site.told()) == power_w and all(site.told())


def test_what_a_failed_battery_did_is_divided_anew_at_once_and_it_is_told_nothing_more(
    tmp_path: Path,
) -> None:
    async def script(site: Site) -> None:
        await ordered(site, 2400)
        failing = site.parts[1]
        failing.plant.control = lambda _: Order("idle")
        writes = failing.plant.witness.writes
        while site.told()[1]:
            await asyncio.sleep(1)
            assert site.clock.mono_ms() < 90_000, "it is found within its settling time and patience"
        assert failing.plant.witness.writes > writes
        await asyncio.sleep(LATE_S)  # the others had room, and the ramp allows what it did in a second
        assert sum(site.told()) == 2400 and site.told()[1] == 0
        writes = failing.plant.witness.writes
        await asyncio.sleep(120)
        assert failing.plant.witness.writes == writes
        said = (await site.ask("status"))["control"]
        assert "second" in said["fault"] and said["commanded_w"] == 2400

    play(tmp_path, "trio", script)


def test_a_battery_of_unknown_limits_rests_and_the_others_do_its_part(tmp_path: Path) -> None:
    async def script(site: Site) -> None:
        await ordered(site, -2400)
        bms = site.parts[2].bms
        assert bms is not None
        bms.break_as("no_351")
        await asyncio.sleep(6 + LATE_S)  # its last word is good for 5 s
        assert site.told()[2] == 0 and sum(site.told()) == -2400
        bms.clear()
        await asyncio.sleep(30)
        assert site.told()[2] < 0 and sum(site.told()) == -2400

    play(tmp_path, "trio", script)


def test_one_that_is_lost_keeps_its_part_of_the_sum_until_its_timer_has_ended_it(tmp_path: Path) -> None:
    async def script(site: Site) -> None:
        await ordered(site, 3000)
        held_w = site.told()[0]
        sums = []
        for _ in range(150):
            site.cut(0)
            await asyncio.sleep(1)
            sums.append((site.told()[0], sum(site.told())))
        assert all(sum_w <= 3000 for _, sum_w in sums)
        assert sums[20] == (held_w, 3000)
        assert sums[-1][0] == 0 and sums[-1][1] > held_w, "then the others have its part"

    play(tmp_path, "trio", script)


def test_a_meter_that_stands_still_is_found_out_and_believed_again_when_it_moves(tmp_path: Path) -> None:
    async def script(site: Site) -> None:
        link = next(link for link in site.links if link.url == METER_URL)
        link.faults.add(Fault("stuck"))
        said = await site.order(2400, 600)
        assert said["admitted"], said
        await asyncio.sleep(4)
        assert sum(site.told()) >= 500, "nothing tells yet that it stands"
        await asyncio.sleep(12)
        assert site.told() == [0, 0]
        said = (await site.ask("status"))["control"]
        assert "limit unknown" in said["causes"] and "the meter meter stands still" in said["doubts"][0], said
        await asyncio.sleep(90)
        assert site.told() == [0, 0]
        link.faults.clear("stuck")
        left = [part.plant.control for part in site.parts]
        for part in site.parts:  # by themselves they hold the meter at the very same figure
            part.plant.control = lambda _: Order("idle")
        await asyncio.sleep(10)
        for part, control in zip(site.parts, left, strict=True):
            part.plant.control = control
        await asyncio.sleep(80)
        assert sum(site.told()) == 2400

    play(tmp_path, "pair", script)
