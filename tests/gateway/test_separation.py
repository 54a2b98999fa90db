"""A device's grid connection as a lease, alone with a mocked device in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise

from gateway.beside_model import IslandSpec
from gateway.errors import LinkError
from gateway.lease import Phase
from gateway.separation import SeparationWriter
from gateway.site import Device
from tests.sim import loop
from tests.sim.loop import VirtualClock
from tests.sim.mocks import CONNECTION, ISLAND_SPEC, MockIsland, link_lost

DEVICE = Device("inverter", "mock", "mock", "inverter", "mock://", None)
FOREVER = 10**9


class Bench:
    def __init__(self, clock: VirtualClock, island: IslandSpec | None = ISLAND_SPEC) -> None:
        self.clock = clock
        self.mock = MockIsland(clock)
        self.mock.island = island
        self.hand = SeparationWriter(DEVICE, self.mock, clock)

    async def serve(self, seconds: float) -> None:
        """As the device task does: again after each LinkError."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        await self.hand.serve()
                        return
                    except LinkError:
                        await asyncio.sleep(1)
        except TimeoutError:
            return

    async def ask(self, until_ms: int = FOREVER) -> None:
        """As control does: each cycle, and so once more after the fallback that comes first."""
        self.hand.part(until_ms)
        await asyncio.sleep(0.5)
        self.hand.part(until_ms)

    def done(self) -> list[str]:
        return self.mock.done(*CONNECTION)


def bench(script: Callable[[Bench], Awaitable[None]], **how: IslandSpec | None) -> Bench:
    async def main(clock: VirtualClock) -> Bench:
        made = Bench(clock, **how)
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(made.serve(10_000))
            await asyncio.sleep(0.1)
            await script(made)
            serving.cancel()
        return made

    return loop.run(main)


def test_nothing_is_written_until_it_is_asked_for() -> None:
    async def script(b: Bench) -> None:
        await asyncio.sleep(100)
        b.hand.release()
        assert await b.hand.fallback(5)
        assert b.done() == []
        hold = b.hand.hold
        assert (hold.online, hold.reached, hold.able, hold.apart) == (True, True, True, False)

    bench(script)


def test_the_timer_first_then_apart_and_connected_at_the_end() -> None:
    async def script(b: Bench) -> None:
        await b.ask()
        await asyncio.sleep(2)
        assert b.done() == ["arm island", "part"], "connected as it was, nothing is written to make it so"
        assert (b.hand.hold.phase, b.hand.hold.apart, b.mock.is_apart()) == (Phase.HELD, True, True)
        b.hand.release()
        await asyncio.sleep(1)
        assert b.done()[-1] == "rejoin" and not b.mock.is_apart() and not b.hand.hold.apart

    bench(script)


def test_it_is_refreshed_well_inside_the_devices_timer() -> None:
    async def script(b: Bench) -> None:
        await b.ask()
        await asyncio.sleep(100)
        moments = [ms for ms, what, _ in b.mock.log if what == "part"]
        gaps = [after - before for before, after in pairwise(moments)]
        assert len(moments) > 10 and max(gaps) <= ISLAND_SPEC.timeout_s * 1000 / 3
        assert b.mock.is_apart()

    bench(script)


def test_a_lease_that_nobody_renews_ends_by_itself() -> None:
    async def script(b: Bench) -> None:
        await b.ask(b.clock.mono_ms() + 3_000)
        await asyncio.sleep(4)
        assert not b.mock.is_apart() and b.done()[-1] == "rejoin"

    bench(script)


def test_what_somebody_else_has_parted_is_never_touched() -> None:
    async def script(b: Bench) -> None:
        b.mock.apart = True  # a grid operator works on the line
        await b.ask()
        await asyncio.sleep(10)
        assert b.done() == [] and b.mock.is_apart()
        assert "somebody else has parted it" in b.hand.hold.fault
        b.hand.clear()
        await asyncio.sleep(10)
        assert await b.hand.fallback(5)
        assert b.done() == [] and b.mock.is_apart()

    bench(script)


def test_somebody_who_connects_it_has_the_last_word() -> None:
    async def script(b: Bench) -> None:
        await b.ask()
        await asyncio.sleep(2)
        b.mock.apart = False
        await asyncio.sleep(3)
        assert b.hand.hold.phase is Phase.YIELDED
        assert "somebody else controls the grid connection of inverter" in b.hand.hold.fault
        count = len(b.mock.log)
        await b.ask()
        await asyncio.sleep(15)
        assert len(b.mock.log) == count

    bench(script)


def test_without_a_timer_that_reads_back_it_is_not_parted() -> None:
    async def script(b: Bench) -> None:
        b.mock.apart_arms = False
        await b.ask()
        await asyncio.sleep(6)
        assert "part" not in b.done()
        assert "timer of the grid connection of inverter did not start" in b.hand.hold.fault

    bench(script)


def test_after_a_link_error_it_is_connected_first() -> None:
    async def script(b: Bench) -> None:
        await b.ask()
        await asyncio.sleep(2)
        b.mock.write_failure = link_lost()
        await asyncio.sleep(9)
        b.mock.write_failure = None
        b.mock.log.clear()
        await asyncio.sleep(3)
        assert b.done() == ["rejoin"] and not b.mock.is_apart()

    bench(script)


def test_after_longer_than_its_timer_what_is_apart_is_no_longer_ours() -> None:
    async def script(b: Bench) -> None:
        await b.ask()
        await asyncio.sleep(2)
        b.mock.write_failure = link_lost()
        await asyncio.sleep(2 * ISLAND_SPEC.timeout_s + 10)
        assert not b.mock.is_apart()
        b.mock.apart, b.mock.apart_timer_s = True, 0  # by somebody else, meanwhile
        b.mock.write_failure = None
        b.mock.log.clear()
        await asyncio.sleep(30)
        assert b.done() == [] and b.mock.is_apart()

    bench(script)


def test_a_device_that_cannot_is_never_asked() -> None:
    async def script(b: Bench) -> None:
        await b.ask()
        await asyncio.sleep(50)
        assert b.mock.log == [] and not b.hand.hold.able and b.hand.hold.reached

    bench(script, island=None)


def test_the_daemons_end_connects_it() -> None:
    async def script(b: Bench) -> None:
        await b.ask()
        await asyncio.sleep(2)
        assert await b.hand.fallback(5)
        assert not b.mock.is_apart() and b.done()[-1] == "rejoin"

    bench(script)
