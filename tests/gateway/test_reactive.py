"""The reactive half of a device task, alone with a mocked device in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise

from gateway.beside_model import ReactiveSpec
from gateway.errors import LinkError
from gateway.lease import Phase
from gateway.reactive import ReactiveWriter
from gateway.site import Device
from tests.sim import loop
from tests.sim.loop import VirtualClock
from tests.sim.mocks import VAR, VAR_SPEC, MockReactive, link_lost

DEVICE = Device("inverter", "mock", "mock", "inverter", "mock://", None)
FOREVER = 10**9


class Bench:
    def __init__(self, clock: VirtualClock, reactive: ReactiveSpec | None = VAR_SPEC) -> None:
        self.clock = clock
        self.mock = MockReactive(clock)
        self.mock.reactive = reactive
        self.hand = ReactiveWriter(DEVICE, self.mock, clock)

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

    async def ask(self, var: int, until_ms: int = FOREVER) -> None:
        """As control does: each cycle, and so once more after the fallback that comes first."""
        self.hand.desire_reactive(var, until_ms)
        await asyncio.sleep(0.5)
        self.hand.desire_reactive(var, until_ms)

    def done(self) -> list[str]:
        return self.mock.done(*VAR)


def bench(script: Callable[[Bench], Awaitable[None]], **how: ReactiveSpec | None) -> Bench:
    async def main(clock: VirtualClock) -> Bench:
        made = Bench(clock, **how)
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(made.serve(10_000))
            await asyncio.sleep(0.1)
            await script(made)
            serving.cancel()
        return made

    return loop.run(main)


def test_nothing_is_written_until_something_is_asked() -> None:
    async def script(b: Bench) -> None:
        await asyncio.sleep(100)
        b.hand.release()
        assert await b.hand.fallback(5)
        assert b.mock.log == [] and b.hand.hold.phase is Phase.UNKNOWN
        assert (b.hand.hold.online, b.hand.hold.reached, b.hand.hold.spec) == (True, True, VAR_SPEC)

    bench(script)


def test_the_fallback_first_then_the_timer_then_the_var() -> None:
    async def script(b: Bench) -> None:
        await b.ask(-1_500)
        await asyncio.sleep(2)
        assert b.done() == ["release var", "arm var", "write var"]
        assert (b.hand.hold.phase, b.hand.hold.var) == (Phase.HELD, -1_500)
        assert b.mock.var_now() == -1_500

    bench(script)


def test_it_is_refreshed_well_inside_the_devices_timer() -> None:
    async def script(b: Bench) -> None:
        await b.ask(1_000)
        await asyncio.sleep(100)
        moments = [ms for ms, what, _ in b.mock.log if what == "write var"]
        gaps = [after - before for before, after in pairwise(moments)]
        assert len(moments) > 10 and max(gaps) <= VAR_SPEC.timeout_s * 1000 / 3

    bench(script)


def test_a_lease_that_nobody_renews_ends_by_itself() -> None:
    async def script(b: Bench) -> None:
        await b.ask(1_000, b.clock.mono_ms() + 3_000)
        await asyncio.sleep(2)
        assert b.mock.var_now() == 1_000
        await asyncio.sleep(2)
        assert b.mock.var_now() == 0 and b.done()[-1] == "release var"
        assert b.hand.hold.phase is Phase.RELEASED

    bench(script)


def test_a_timer_that_does_not_start_is_a_latched_fault() -> None:
    async def script(b: Bench) -> None:
        b.mock.var_arms = False
        await b.ask(1_000)
        await asyncio.sleep(5)
        assert b.hand.hold.fault == "the reversion timer of the reactive power of inverter did not start"
        assert "write var" not in b.done() and b.done()[-1] == "release var"
        b.mock.var_arms = True
        b.hand.clear()
        await b.ask(1_000)
        await asyncio.sleep(5)
        assert b.mock.var_now() == 1_000 and b.hand.hold.fault == ""

    bench(script)


def test_what_does_not_read_back_is_a_latched_fault() -> None:
    async def script(b: Bench) -> None:
        b.mock.var_takes = False
        await b.ask(1_000)
        await asyncio.sleep(10)
        assert "though 1000 var was written" in b.hand.hold.fault
        assert b.done()[-1] == "release var"

    bench(script)


def test_one_step_beside_is_ours_two_are_somebody_elses() -> None:
    async def script(b: Bench) -> None:
        await b.ask(1_000)
        await asyncio.sleep(2)
        b.mock.var = 1_010
        await asyncio.sleep(2)
        assert b.hand.hold.phase is Phase.HELD
        b.mock.var = -700
        await asyncio.sleep(2)
        assert b.hand.hold.phase is Phase.YIELDED
        assert "somebody else controls the reactive power of inverter: it holds -700 var" in b.hand.hold.fault
        count = len(b.mock.log)
        await b.ask(2_000)
        await asyncio.sleep(15)
        assert len(b.mock.log) == count and b.mock.var_now() == -700

    bench(script)


def test_a_link_error_forgets_the_lease_and_begins_at_the_fallback() -> None:
    async def script(b: Bench) -> None:
        await b.ask(1_000)
        await asyncio.sleep(2)
        b.mock.write_failure = link_lost()
        await asyncio.sleep(5)
        b.mock.write_failure = None
        b.mock.log.clear()
        await asyncio.sleep(3)
        assert b.done() == ["release var"] and b.hand.hold.phase is Phase.RELEASED

    bench(script)


def test_the_daemons_end_writes_the_fallback() -> None:
    async def script(b: Bench) -> None:
        await b.ask(1_000)
        await asyncio.sleep(2)
        assert await b.hand.fallback(5)
        assert b.mock.var_now() == 0 and b.done()[-1] == "release var"
        await b.ask(1_000)
        await asyncio.sleep(5)
        assert b.mock.var_now() == 0

    bench(script)


def test_a_device_without_it_is_never_asked() -> None:
    async def script(b: Bench) -> None:
        await b.ask(1_000)
        await asyncio.sleep(50)
        assert b.mock.log == [] and not b.hand.hold.online

    bench(script, reactive=None)


def test_a_lost_device_takes_no_lease() -> None:
    async def script(b: Bench) -> None:
        b.hand.lost()
        await b.ask(1_000)
        await asyncio.sleep(5)
        assert b.mock.log == [] and not b.hand.hold.online

    bench(script)
