"""What the seeded world, the state machine and the mutants found, each as a scenario of its own."""

import asyncio
from pathlib import Path

from gateway.lease import Phase
from gateway.model import CommandState
from gateway.orders import AHEAD_MS
from gateway.setpoint import SetpointWriter
from gateway.site import Device
from tests.sim import loop
from tests.sim.chained import chained
from tests.sim.loop import VirtualClock
from tests.sim.mocks import LIMITS, MockInverter, link_lost
from tests.sim.rigged import Rigged
from tests.sim.world import World, play

CYCLE_MS = 1000


def test_after_a_fallback_the_ramp_begins_where_the_fallback_was_written() -> None:
    """A link that came back let the power step by a whole cycle's ramp, though the fallback was just written:
    what was decided before it followed it."""

    async def script(w: World) -> None:
        await w.give(6000, 300)
        await w.wait(8)
        for part_s in (0.1, 0.45, 0.8):  # of a cycle
            w.inverter.write_failure = link_lost()
            await w.wait(3 + part_s)
            w.inverter.write_failure = None
            await w.wait(12)

    w = play(script)
    released_ms, power_w, steps = 0, 0, 0
    for at_ms, what, figure in w.inverter.log:
        if what == "release":
            released_ms, power_w = at_ms, 0
        elif what == "write":
            elapsed_ms = min(CYCLE_MS, at_ms - released_ms)
            if power_w == 0 and figure:
                steps += 1
                assert abs(figure) <= LIMITS.ramp_w_per_s * elapsed_ms // 1000
            power_w = figure
    assert steps >= 4


def test_an_order_that_follows_another_in_the_same_moment_does_not_jump_to_its_power() -> None:
    """The first one's power was still held when the second was decided, and gone when it was written. (In
    seed 21: 0 to 4907 W in 40 ms.)"""

    async def script(w: World) -> None:
        await w.give(6000, 12)
        await w.give(5000, 300, after_s=12.0)
        await w.wait(3)
        w.store.delay_s = AHEAD_MS / 1000 + 0.005  # a card so slow that the begin is durable just too late
        await w.wait(20)

    done = [(what, figure) for _, what, figure in play(script).inverter.log if what != "arm"]
    first = done.index(("write", 6000))
    released = done.index(("release", 0), first)
    powers = [figure for what, figure in done[released:] if what == "write"]
    assert powers[-1] == 5000
    steps = (b - a for a, b in zip([0, *powers], powers, strict=False))
    assert max(steps) <= LIMITS.ramp_w_per_s * CYCLE_MS // 1000


def test_an_id_that_ended_is_answered_and_disturbs_nothing() -> None:
    async def script(w: World) -> None:
        command = await w.give(1000, 5)
        await w.wait(10)
        w.inverter.log.clear()
        assert (await w.control.submit(command)).admitted
        await w.wait(5)
        assert w.state_of(command) is CommandState.DONE
        assert (w.status.mode, w.status.open_orders) == ("fallback", 0)
        assert w.inverter.writes == []
        await w.give(2000, 30)
        await w.wait(5)
        assert w.status.mode == "running"

    play(script)


def test_what_was_yielded_is_not_written_at_the_end_though_nobody_serves_it() -> None:
    async def main(clock: VirtualClock) -> None:
        inverter = MockInverter(clock)
        device = Device("inverter", "mock", "mock", "inverter", "mock://inverter", None)
        hand = SetpointWriter(device, inverter, clock)
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(hand.serve())
            await asyncio.sleep(1)
            hand.desire(1000, 10**9)
            await asyncio.sleep(2)
            inverter.register_w = 4000
            await asyncio.sleep(3)
            assert hand.hold.foreign
            serving.cancel()
        inverter.log.clear()
        assert not await hand.fallback(1)
        assert (inverter.log, inverter.register_w, hand.hold.phase) == ([], 4000, Phase.YIELDED)

    loop.run(main)


def test_an_order_that_follows_another_the_other_way_rests_though_the_fallback_lay_between() -> None:
    """One ended in the moment the next was given: the battery was let go for a cycle, and what it had done
    was forgotten with the flow."""

    async def script(w: World) -> None:
        await w.give(2850, 40)
        await w.wait(40)
        await w.give(-3040, 40)
        await w.wait(10)

    w = play(script)
    released_ms = next(ms for ms, what, _ in w.inverter.log if what == "release" and ms > 1000)
    turned_ms = next(ms for ms, power in w.inverter.writes if power < 0)
    assert turned_ms - released_ms >= LIMITS.dwell_ms


def test_one_endpoint_of_another_chain_does_not_keep_the_site_from_starting(tmp_path: Path) -> None:
    """It ended the daemon with a ConfigError at each start, and nobody had the battery. (In seed 1019.)"""

    async def script(clock: VirtualClock) -> None:
        rigged = Rigged(clock, tmp_path)
        async with chained(rigged) as chain:
            chain.endpoints["http://b.example"].lies["eth_chainId"] = lambda: "0x1"
            async with rigged.running() as daemon:
                await asyncio.sleep(30)
                assert (await rigged.order(1500, 60))["admitted"]
                await asyncio.sleep(20)
                assert daemon.control.status.commanded_w == 1500
                troubles = (await rigged.ask("status"))["troubles"]
                assert "b.example serves chain 1" in troubles["orders"]

    loop.run(script)
