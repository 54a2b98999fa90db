"""Loads on a relay board, under the real daemon: shed while an order lasts, back one by one."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from rig.faults import Fault

from tests.sim import loop
from tests.sim.rigged import BOARD, BOARD_URL, SUNSPEC, Rigged

LOADS = """
loads:
  pump: {relay: board/1, power: 600 W, priority: 1}
  boiler: {relay: board/2, power: 400 W, priority: 2}
  car: {relay: board/3, power: 200 W, priority: 3}
"""


async def shed(rigged: Rigged, shed_w: int, seconds: int) -> None:
    said = await rigged.ask(
        "submit",
        id=f"{shed_w:064x}",
        kind="demand-response",
        duration_ms=seconds * 1000,
        parameters={"shed_w": shed_w},
        who="a test",
    )
    assert said["admitted"], said


def play(folder: Path, script: Callable[[Rigged], Awaitable[None]]) -> Rigged:
    async def main(clock: loop.VirtualClock) -> Rigged:
        rigged = Rigged(clock, folder, devices=SUNSPEC + BOARD, start_minute=1_200)
        rigged.add(LOADS)
        async with rigged.running():
            await asyncio.sleep(30)
            await script(rigged)
        return rigged

    return loop.run(main)


def test_the_least_important_go_first_and_all_come_back_one_by_one(tmp_path: Path) -> None:
    async def script(rigged: Rigged) -> None:
        await shed(rigged, 500, 60)
        await asyncio.sleep(5)
        assert rigged.board.coils[:3] == [False, True, True]
        assert rigged.plant.state.shed_w == 600
        await asyncio.sleep(50)
        assert rigged.board.switched == 2, "held, and not written again"
        seen = []
        for _ in range(150):
            await asyncio.sleep(1)
            seen.append(rigged.plant.state.shed_w)
        # the more important first; the pause between them is 15 s and a random part
        assert list(dict.fromkeys(seen)) == [600, 200, 0]
        assert seen.count(200) >= 15

    assert play(tmp_path, script).board.switched == 4


def test_a_daemon_that_ends_leaves_every_load_on(tmp_path: Path) -> None:
    async def script(rigged: Rigged) -> None:
        await shed(rigged, 1200, 600)
        await asyncio.sleep(5)
        assert rigged.board.coils[:3] == [True] * 3

    assert play(tmp_path, script).board.coils == [False] * 8


def test_a_board_that_was_switched_by_hand_or_away_is_put_right(tmp_path: Path) -> None:
    async def script(rigged: Rigged) -> None:
        (link,) = (link for link in rigged.links if link.url == BOARD_URL)
        await shed(rigged, 200, 300)
        await asyncio.sleep(5)
        rigged.board.coils[:3] = [True, False, False]
        await asyncio.sleep(5)
        assert rigged.board.coils[:3] == [False, False, True]
        link.faults.add(Fault("silence"))
        await asyncio.sleep(60)
        rigged.board.coils = [False] * 8  # it lost its power meanwhile
        link.faults.clear()
        await asyncio.sleep(90)
        assert rigged.board.coils[:3] == [False, False, True]
        link.faults.add(Fault("wrong_echo", times=5))
        await asyncio.sleep(300)
        assert rigged.board.coils == [False] * 8

    play(tmp_path, script)
