"""Whose turn it is, and who has to wait after failing."""

import asyncio

import pytest

from drivers.modbus.pacing import READ, WAITING_MAX, WRITE, Backoff, Turns
from gateway.clock import Clock
from gateway.errors import LinkError
from gateway.model import ClockTrust, Stamp


class HandClock(Clock):
    ms = 0

    def mono_ms(self) -> int:
        return self.ms

    def now(self) -> Stamp:
        return Stamp(self.ms, self.ms, ClockTrust.TRUSTED)


async def _use(turns: Turns, lane: int, name: str, log: list[str]) -> None:
    await turns.enter(lane)
    log.append(name)
    try:
        await asyncio.sleep(0)
    finally:
        turns.leave()


async def test_writers_first_and_otherwise_in_order() -> None:
    turns, log = Turns(), []
    await turns.enter(READ)
    async with asyncio.TaskGroup() as group:
        for lane, name in [(READ, "r1"), (READ, "r2"), (WRITE, "w1"), (WRITE, "w2")]:
            group.create_task(_use(turns, lane, name, log))
        await asyncio.sleep(0)
        turns.leave()
    assert log == ["w1", "w2", "r1", "r2"]
    await turns.enter(READ)  # free again


@pytest.mark.parametrize("rounds", [0, 1, 2])
async def test_a_cancelled_waiter_passes_its_turn_on(rounds: int) -> None:
    turns, log = Turns(), []
    await turns.enter(READ)
    async with asyncio.TaskGroup() as group:
        gone = group.create_task(_use(turns, WRITE, "gone", log))
        group.create_task(_use(turns, READ, "next", log))
        await asyncio.sleep(0)
        if rounds:
            turns.leave()  # the turn is now on its way to the one that is cancelled
            if rounds == 2:
                await asyncio.sleep(0)
        gone.cancel()
        if not rounds:
            await asyncio.sleep(0)
            turns.leave()
    assert log[-1] == "next"
    async with asyncio.timeout(1):
        await turns.enter(READ)  # free again


async def test_a_queue_has_an_end() -> None:
    turns = Turns()
    await turns.enter(READ)
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(turns.enter(READ)) for _ in range(WAITING_MAX)]
        await asyncio.sleep(0)
        with pytest.raises(LinkError, match="already wait"):
            await turns.enter(WRITE)
        for task in waiting:
            task.cancel()


def test_backoff_doubles_to_its_end_and_is_forgotten() -> None:
    clock = HandClock()
    backoff = Backoff(clock, lambda: 1.0, free=1, base_ms=100, most_ms=350)
    waits = []
    for _ in range(6):
        backoff.failed("a")
        waits.append(backoff.remaining_ms("a"))
    assert waits == [0, 100, 200, 350, 350, 350]
    assert backoff.remaining_ms("b") == 0
    clock.ms = 349
    assert backoff.remaining_ms("a") == 1
    clock.ms = 400
    assert backoff.remaining_ms("a") == 0
    backoff.succeeded("a")
    backoff.failed("a")
    assert backoff.remaining_ms("a") == 0


def test_jitter_takes_at_most_half() -> None:
    clock = HandClock()
    backoff = Backoff(clock, lambda: 0.0, free=0, base_ms=100, most_ms=100)
    backoff.failed("a")
    assert backoff.remaining_ms("a") == 50
