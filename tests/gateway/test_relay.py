"""Relays as a lease: off only while wanted, put right when they stray, on again at every end."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from gateway.errors import LinkError
from gateway.relay import RelayWriter
from gateway.site import Device
from tests.sim import loop
from tests.sim.loop import VirtualClock

DEVICE = Device("relays", "mock", "mock", "relay", "mock://relays", None)
OFF_1, OFF_BOTH = frozenset({"1"}), frozenset({"1", "2"})
FOREVER = 10**9


class MockRelays:
    """A mock of a relay board with two channels; nothing of it proves a driver."""

    def __init__(self) -> None:
        self.on = {"1": True, "2": True}
        self.failure: LinkError | None = None
        self.stuck = False
        self.switches: list[tuple[str, bool]] = []

    async def switched(self) -> Mapping[str, bool]:
        await asyncio.sleep(0.02)
        if self.failure:
            raise self.failure
        return dict(self.on)

    async def switch(self, channel: str, on: bool) -> None:
        await asyncio.sleep(0.02)
        self.switches.append((channel, on))
        if not self.stuck:
            self.on[channel] = on


class Bench:
    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.mock = MockRelays()
        self.hand = RelayWriter(DEVICE, self.mock, clock)

    async def serve(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.hand.serve()
        except TimeoutError:
            return


def bench(script: Callable[[Bench], Awaitable[None]]) -> None:
    loop.run(lambda clock: script(Bench(clock)))


def test_at_the_start_all_loads_are_on() -> None:
    async def script(b: Bench) -> None:
        b.mock.on["2"] = False  # left over from before
        await b.serve(1)
        assert b.mock.switches == [("2", True)]
        assert b.hand.hold.off == frozenset()

    bench(script)


def test_off_for_as_long_as_it_is_wanted() -> None:
    async def script(b: Bench) -> None:
        b.hand.desire(OFF_1, 5000)
        await b.serve(4)
        assert (b.mock.on, b.hand.hold.off) == ({"1": False, "2": True}, OFF_1)
        await b.serve(2)
        assert b.mock.on == {"1": True, "2": True}  # nobody renewed it
        assert b.mock.switches == [("1", False), ("1", True)]

    bench(script)


def test_a_wish_is_obeyed_at_once_and_a_stray_relay_put_right_with_the_next_poll() -> None:
    async def script(b: Bench) -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(b.serve(30))
            await asyncio.sleep(0.5)
            b.hand.desire(OFF_BOTH, FOREVER)
            await asyncio.sleep(0.15)
            assert b.hand.hold.off == OFF_BOTH
            b.mock.on["1"] = True  # somebody's finger
            await asyncio.sleep(1.2)
            assert b.hand.hold.off == OFF_BOTH
            task.cancel()

    bench(script)


def test_fallback_puts_all_on_while_served_and_while_not() -> None:
    async def script(b: Bench) -> None:
        b.mock.on["1"] = False
        assert await b.hand.fallback(1.0)  # not served yet
        async with asyncio.TaskGroup() as group:
            task = group.create_task(b.serve(30))
            b.hand.desire(OFF_BOTH, FOREVER)
            await asyncio.sleep(0.03)  # in the middle of a round
            assert await b.hand.fallback(1.0)
            assert b.mock.on == {"1": True, "2": True}
            task.cancel()

    bench(script)


def test_fallback_says_when_a_relay_did_not_take_it() -> None:
    async def script(b: Bench) -> None:
        b.mock.on["1"], b.mock.stuck = False, True
        assert not await b.hand.fallback(1.0)
        b.mock.failure = LinkError("away")
        assert not await b.hand.fallback(1.0)

    bench(script)


def test_a_lost_device_is_not_believed() -> None:
    async def script(b: Bench) -> None:
        b.hand.desire(OFF_1, FOREVER)
        await b.serve(1)
        b.hand.lost()
        assert (b.hand.hold.online, b.hand.hold.off) == (False, None)

    bench(script)
