"""The writing half of a device task, alone with a mocked device in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from gateway.errors import LinkError, Unidentified
from gateway.lease import Phase
from gateway.model import CommandClass
from gateway.setpoint import SetpointWriter
from gateway.site import Device
from tests.sim import loop
from tests.sim.loop import VirtualClock
from tests.sim.mocks import SPEC, MockInverter, link_lost

DEVICE = Device("inverter", "mock", "mock", "inverter", "mock://", None)
FOREVER = 10**9


class Bench:
    def __init__(self, clock: VirtualClock, spec=SPEC, device: Device = DEVICE) -> None:
        self.clock = clock
        self.mock = MockInverter(clock, spec)
        self.hand = SetpointWriter(device, self.mock, clock)

    @property
    def phase(self) -> Phase:
        return self.hand.hold.phase

    async def ask(self, power_w: int) -> None:
        """A power for a device that is in its fallback."""
        await self.serve(0.5)
        self.hand.desire(power_w, FOREVER)

    async def serve(self, seconds: float) -> None:
        """As the device task does: again after each LinkError."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        await self.hand.serve()
                        return  # closed, with the fallback written
                    except LinkError:
                        await asyncio.sleep(1)
        except TimeoutError:
            return


def bench(script: Callable[[Bench], Awaitable[None]], **how: object) -> Bench:
    async def main(clock: VirtualClock) -> Bench:
        made = Bench(clock, **how)
        await script(made)
        return made

    return loop.run(main)


def test_the_fallback_comes_first_even_if_a_lease_waits() -> None:
    async def script(b: Bench) -> None:
        assert b.hand.quantise(500) == 0  # not reached yet: nothing can be held
        b.hand.desire(1000, FOREVER)
        await b.serve(2)
        assert b.mock.done() == ["release"]  # what was decided before it is decided again
        b.hand.desire(1000, FOREVER)
        await b.serve(2)
        assert b.mock.done() == ["release", "arm", "write"]
        assert (b.phase, b.hand.hold.power_w, b.hand.hold.timer_s) == (Phase.HELD, 1000, 30)
        assert (b.hand.hold.writes, b.hand.hold.power_writes) == (3, 1)
        assert b.hand.quantise(-1237) == -1230

    bench(script)


@pytest.mark.parametrize("budgeted", [False, True])
def test_what_rests_does_not_keep_the_processor_busy(budgeted: bool) -> None:
    steps = 0

    async def script(b: Bench) -> None:
        nonlocal steps
        step = b.hand._step

        async def counted(now_ms: int) -> bool:
            nonlocal steps
            steps += 1
            return await step(now_ms)

        b.hand._step = counted
        if budgeted:
            await b.ask(1000)  # and no grant to write it
        await b.serve(100)
        assert b.phase is Phase.RELEASED

    bench(script, spec=replace(SPEC, writes_per_day=10) if budgeted else SPEC)
    assert steps < 110, "one look a poll, and the few at the beginning"


def test_only_the_newest_power_is_written() -> None:
    async def script(b: Bench) -> None:
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(b.serve(5))
            await asyncio.sleep(1)
            for power_w in (1000, 2000, 3000):
                b.hand.desire(power_w, FOREVER)
            await serving

    assert [power for _, power in bench(script).mock.writes] == [3000]


def test_a_link_error_forgets_the_lease_and_begins_at_the_fallback() -> None:
    async def script(b: Bench) -> None:
        await b.ask(1000)
        await b.serve(2)
        b.mock.write_failure = link_lost()
        b.hand.desire(2000, FOREVER)
        await b.serve(1)
        assert b.phase is Phase.UNKNOWN
        b.mock.write_failure = None
        b.mock.log.clear()
        await b.serve(3)
        assert b.mock.done() == ["release"]
        assert b.phase is Phase.RELEASED

    bench(script)


def test_a_fallback_that_does_not_take_is_tried_again_and_then_said() -> None:
    async def script(b: Bench) -> None:
        b.mock.active, b.mock.register_w, b.mock.release_takes = True, 3000, False
        await b.serve(30)
        assert b.mock.done() == ["release"] * 3
        assert "fallback" in b.hand.hold.fault
        b.mock.release_takes = True
        b.hand.clear()
        await b.serve(10)
        assert not b.hand.hold.fault
        assert not b.mock.active

    bench(script)


def test_a_refused_fallback_is_a_link_error() -> None:
    async def script(b: Bench) -> None:
        from gateway.errors import DeviceRefused

        b.mock.write_failure = DeviceRefused("no", 4)
        with pytest.raises(LinkError, match="refused the fallback"):
            await b.hand.serve()

    bench(script)


def test_a_timer_that_ran_out_while_we_were_away_is_no_foreign_write() -> None:
    async def script(b: Bench) -> None:
        await b.ask(1000)
        await b.serve(2)
        await asyncio.sleep(40)  # nobody serves: the device reverts
        await b.serve(1)
        assert not b.hand.hold.fault
        assert b.mock.done()[-1] == "release"

    bench(script)


def test_a_power_that_is_not_told_counts_as_held_and_never_as_given_back() -> None:
    async def script(b: Bench) -> None:
        b.mock.tells = False
        await b.ask(1000)
        await b.serve(5)
        assert (b.phase, b.hand.hold.power_w) == (Phase.HELD, 1000)
        b.hand.desire(-500, FOREVER)
        await b.serve(5)
        assert (b.phase, b.hand.hold.power_w, b.mock.register_w) == (Phase.HELD, -500, -500)
        b.mock.release_takes = False
        b.hand.release()
        await b.serve(30)
        assert "does not take the fallback" in b.hand.hold.fault

    bench(script)


def test_one_that_obeys_no_more_is_somebody_else_s_whether_it_tells_a_power_or_not() -> None:
    async def script(b: Bench) -> None:
        b.mock.tells = False
        await b.ask(1000)
        await b.serve(5)
        b.mock.active = False
        await b.serve(5)
        assert b.phase is Phase.YIELDED

    bench(script)


def test_a_latched_fault_takes_no_desire() -> None:
    async def script(b: Bench) -> None:
        b.mock.arms = False
        await b.ask(1000)
        await b.serve(6)
        assert b.hand.hold.fault
        assert b.phase is Phase.RELEASED  # made safe
        b.hand.desire(500, FOREVER)
        await b.serve(2)
        assert b.mock.writes == []

    bench(script)


def test_a_budgeted_device_waits_for_its_grant() -> None:
    spec = replace(
        SPEC, command_class=CommandClass.LATCHING_EEPROM, timeout_s=0, refresh_s=0, writes_per_day=9
    )

    async def script(b: Bench) -> None:
        await b.ask(1000)
        await b.serve(3)
        assert b.mock.done() == ["release"]
        assert b.hand.hold.allowance == -1
        b.hand.grant(2)
        await b.serve(3)
        assert b.mock.done() == ["release", "write"]
        assert b.hand.hold.allowance == 0

    bench(script, spec=spec)


def test_a_latching_device_without_a_timer_is_written_without_arming() -> None:
    spec = replace(SPEC, command_class=CommandClass.LATCHING, timeout_s=0, refresh_s=0)

    async def script(b: Bench) -> None:
        await b.ask(1000)
        await b.serve(60)
        assert b.mock.done() == ["release", "write"]

    bench(script, spec=spec)


def test_a_timer_that_did_not_start_is_a_fault_of_a_self_expiring_device() -> None:
    async def script(b: Bench) -> None:
        b.mock.arms = False
        await b.ask(1000)
        await b.serve(60)
        assert b.hand.hold.fault == "the reversion timer of inverter did not start"
        assert (b.phase, b.hand.hold.timer_s, b.mock.writes) == (Phase.RELEASED, 0, [])
        assert b.hand.hold.ends_s == 0
        asked = [ms for ms, what, _ in b.mock.log if what == "arm"]
        assert b.mock.done() == ["release", *["arm"] * len(asked), "release"], "and then left alone"
        assert SPEC.settle_s * 1000 <= asked[-1] - asked[0] <= (SPEC.settle_s + 1) * 1000
        assert min(later - earlier for earlier, later in pairwise(asked)) >= DEVICE.poll_ms

    bench(script)


def test_a_timer_without_time_to_settle_is_a_fault_at_once() -> None:
    async def script(b: Bench) -> None:
        b.mock.arms = False
        await b.ask(1000)
        await b.serve(60)
        assert b.hand.hold.fault
        assert b.mock.done() == ["release", "arm", "release"]

    bench(script, spec=replace(SPEC, settle_s=0))


def test_a_timer_that_shows_late_is_waited_for_at_the_pace_of_polls() -> None:
    async def script(b: Bench) -> None:
        b.mock.arms = False
        async with asyncio.TaskGroup() as group:
            await b.ask(1000)
            serving = group.create_task(b.serve(5))
            for more_w in range(10, 210, 10):  # control changes its mind: no reason to ask more often
                await asyncio.sleep(0.1)
                b.hand.desire(1000 + more_w, FOREVER)
            assert b.mock.writes == []
            b.mock.arms = True
            await serving
        assert (b.phase, b.hand.hold.power_w, b.hand.hold.fault) == (Phase.HELD, 1200, "")
        assert b.mock.done() == ["release", "arm", "arm", "arm", "write"]

    bench(script)


def test_each_lease_has_its_own_time_to_arm_in() -> None:
    async def script(b: Bench) -> None:
        b.mock.arms = False
        for _ in range(4):  # longer than settle_s, all together
            b.hand.desire(1000, b.clock.mono_ms() + 2000)
            await b.serve(5)
            assert not b.hand.hold.fault
            assert b.phase is Phase.RELEASED

    bench(script)


def test_a_nameplate_that_is_told_later_is_known_within_a_poll() -> None:
    async def script(b: Bench) -> None:
        await b.serve(1)
        assert b.hand.hold.spec is not None and b.hand.hold.spec.charge_max_w == 0
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(b.serve(5))
            await asyncio.sleep(2)
            b.mock.setpoint = SPEC
            await asyncio.sleep(DEVICE.poll_ms / 1000 + 0.1)
            assert b.hand.hold.spec == SPEC
            assert b.mock.done() == ["release"], "nothing is written for that"
            await serving

    bench(script, spec=replace(SPEC, charge_max_w=0, discharge_max_w=0))


@pytest.mark.parametrize(("measured_s", "timer_s"), [(0, 30), (12, 12), (90, 30)])
def test_a_watchdog_that_tells_no_timer_is_served_by_the_time_that_is_known(
    measured_s: int, timer_s: int
) -> None:
    async def script(b: Bench) -> None:
        b.mock.arms = False  # nothing to read: arm and read_back say 0
        await b.ask(1000)
        await b.serve(60)
        assert not b.hand.hold.fault
        assert (b.phase, b.hand.hold.power_w, b.hand.hold.timer_s) == (Phase.HELD, 1000, timer_s)
        assert b.mock.done("arm", "release") == ["release", "arm"]
        moments = [ms for ms, _ in b.mock.writes]
        gaps = [later - earlier for earlier, later in pairwise(moments)]
        assert len(gaps) >= 5 and max(gaps) <= timer_s * 1000 // 3, gaps
        assert b.hand.hold.ends_s == max(30, measured_s)

    watchdog = replace(SPEC, command_class=CommandClass.WATCHDOG)
    bench(script, spec=watchdog, device=replace(DEVICE, timer_s=measured_s))


def test_a_watchdog_that_tells_its_timer_is_believed() -> None:
    async def script(b: Bench) -> None:
        arm = b.mock.arm

        async def shorter(timeout_s: int) -> int:
            return await arm(min(timeout_s, 9))  # the most that this device allows

        b.mock.arm = shorter
        await b.ask(1000)
        await b.serve(30)
        assert (b.phase, b.hand.hold.timer_s, b.hand.hold.fault) == (Phase.HELD, 9, "")
        assert b.hand.hold.ends_s == 9
        moments = [ms for ms, _ in b.mock.writes]
        assert max(later - earlier for earlier, later in pairwise(moments)) <= 3000

    bench(script, spec=replace(SPEC, command_class=CommandClass.WATCHDOG))


@pytest.mark.parametrize("serving", [True, False])
def test_fallback_at_the_end_works_with_and_without_a_serving_task(serving: bool) -> None:
    async def script(b: Bench) -> None:
        async with asyncio.TaskGroup() as group:
            b.hand.desire(1000, FOREVER)
            task = group.create_task(b.serve(5 if serving else 1))
            await asyncio.sleep(2)
            assert await b.hand.fallback(1.0)
            assert not b.mock.active
            b.hand.desire(2000, FOREVER)  # too late
            await task
        assert not b.mock.active

    bench(script)


def test_fallback_says_when_it_failed() -> None:
    async def script(b: Bench) -> None:
        b.mock.write_failure = link_lost()
        assert not await b.hand.fallback(1.0)
        b.mock.write_failure, b.mock.delay_s = None, 60
        assert not await b.hand.fallback(1.0)

    bench(script)


@pytest.mark.parametrize("known_s", [2, 60])
def test_the_fallback_waits_for_a_device_that_has_to_say_who_it_is(known_s: int) -> None:
    """As long as it may: whom nobody knows, nothing is written to."""

    async def script(b: Bench) -> None:
        b.mock.write_failure = Unidentified("who is it?")

        async def identified() -> None:
            await asyncio.sleep(known_s)
            b.mock.write_failure = None
            await b.serve(20)

        async with asyncio.TaskGroup() as group:
            later = group.create_task(identified())
            assert await b.hand.fallback(10.0) == (known_s < 10)
            assert (b.phase is Phase.RELEASED) == (known_s < 10)
            later.cancel()

    bench(script)


def test_lost_is_unknown_until_reached_again() -> None:
    async def script(b: Bench) -> None:
        await b.ask(1000)
        await b.serve(2)
        b.hand.lost()
        assert (b.phase, b.hand.hold.online) == (Phase.UNKNOWN, False)
        await b.serve(1)
        assert b.phase is Phase.RELEASED

    bench(script)
