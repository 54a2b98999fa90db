"""Envelope and arbitration as a state machine: Hypothesis chooses what happens, and shrinks what goes wrong.

Devices are mocks, so that a second costs a millisecond; control, the device tasks and the store's tables are
the real ones. The judge of the seeded world and the rig's witness look on. The loop is driven a step at a
time: a rule does something, then virtual time passes.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from rig.witness import Witness

from gateway.errors import GridsealError, ServiceRefused
from gateway.model import ClockTrust, Command, Quality, Quantity, ServiceKind, Source
from tests.sim.judge import STATES, Judge, order
from tests.sim.loop import VirtualClock, VirtualLoop, _cancel_rest
from tests.sim.mocks import LIMITS, SPEC, link_lost
from tests.sim.world import World

YEAR_MS = 365 * 86_400_000
AMPS = (Quantity.CHARGE_LIMIT_CURRENT, Quantity.DISCHARGE_LIMIT_CURRENT)
READINGS = (*AMPS, Quantity.BATTERY_SOC, Quantity.BATTERY_VOLTAGE)
SOURCES = (Source.OPERATOR, Source.CHAIN, Source.REMOTE, Source.SCHEDULE)
SENTINELS = (0x8000, 0xFFFF, -1, 10**9)


class Site(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.loop = VirtualLoop()
        asyncio.set_event_loop(self.loop)
        self.clock = VirtualClock(self.loop)
        self.over = asyncio.Event()
        self.judge = Judge(LIMITS.charge_w, SPEC.timeout_s, ramp_w_per_s=LIMITS.ramp_w_per_s)
        self.witness = Witness(SPEC.charge_max_w, SPEC.discharge_max_w)
        self.given: list[Command] = []
        self.world = self.do(self.made())
        self.judge.began(0, self.clock.now().wall_ms, {})
        self.running = self.loop.create_task(self.world.run(lambda _: self.over.wait()))
        self.passes(3)

    async def made(self) -> World:
        world = World(self.clock)
        inverter, bms = world.inverter, world.bms
        write, release, measure = inverter.write_power, inverter.release, bms.measure

        async def write_power(power_w: int) -> None:
            await write(power_w)
            self.seen(power_w)

        async def released() -> None:
            await release()
            self.seen(None)

        def good(name: Quantity) -> bool:
            return bms.quality[name] is Quality.GOOD

        def said() -> tuple[int, ...]:
            both = bms.values[Quantity.BATTERY_VOLTAGE] == 50_000 and all(map(good, READINGS[2:]))
            told = [bms.values[name] // 20 if both and good(name) else 0 for name in AMPS]
            self.witness.publish(self.clock.mono_ms(), *(w if 0 <= w <= 50_000 else 0 for w in told))
            return measure()

        inverter.write_power, inverter.release, bms.measure = write_power, released, said
        return world

    def seen(self, power_w: int | None) -> None:
        entry = self.witness.write(self.clock.mono_ms(), 1, 0, (power_w or 0,), power_w)
        if entry.outside:
            self.judge.wrong.append(f"outside: {entry}")
        self.judge.wrote(entry)

    # -- time -------------------------------------------------------------------------------------

    def do(self, work: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(work, 30))

    def passes(self, seconds: int) -> None:
        for _ in range(seconds):
            self.do(asyncio.sleep(1))
            inverter, bms = self.world.inverter, self.world.bms
            told_w = inverter.register_w if inverter.active else 0
            self.world.inverter._revert()
            sick = inverter.write_failure is not None or inverter.failure is not None
            soc_bp = bms.values[Quantity.BATTERY_SOC] if bms.quality[Quantity.BATTERY_SOC] == 0 else 5000
            told_w = inverter.register_w if inverter.active else 0
            self.judge.saw(self.clock.mono_ms(), told_w, sick=sick, soc_bp=soc_bp)
        assert self.judge.wrong == []
        assert not self.running.done() or self.running.result() is None

    @rule(seconds=st.integers(1, 40))
    def time_passes(self, seconds: int) -> None:
        self.passes(seconds)

    # -- orders -----------------------------------------------------------------------------------

    @rule(
        power_w=st.integers(-12_000, 12_000),
        seconds=st.integers(-5, 120),
        after_s=st.sampled_from([0, 0, 0, -60, 5, 30]),
        source=st.sampled_from(SOURCES),
        shared=st.booleans(),
    )
    def any_order(self, power_w: int, seconds: int, after_s: int, source: Source, shared: bool) -> None:
        self.a_new_order(power_w, seconds, after_s, source, shared)

    def a_new_order(self, power_w: int, seconds: int, after_s: int, source: Source, shared: bool) -> None:
        wall_ms = self.clock.now().wall_ms + after_s * 1000
        window = (wall_ms, wall_ms + seconds * 1000)
        command = Command(
            f"{len(self.given) + 1:064x}",
            source,
            ServiceKind.FIXED_POWER,
            *window,
            {"power_w": power_w},
            shared=shared,
        )
        self.given.append(command)
        self.give(command)
        self.passes(1)

    @rule(power_w=st.integers(-9_000, 9_000), seconds=st.integers(60, 900))
    def a_long_order(self, power_w: int, seconds: int) -> None:
        """One that is carried out, if anything is."""
        self.a_new_order(power_w, seconds, 0, Source.OPERATOR, False)
        self.passes(8)

    @rule(power_w=st.integers(-9_000, 9_000), begin_s=st.integers(3, 9), long_s=st.integers(8, 30))
    def orders_that_touch(self, power_w: int, begin_s: int, long_s: int) -> None:
        """The second is durably begun before it acts; what comes next may be a death of the daemon."""
        self.a_new_order(power_w, begin_s, 0, Source.SCHEDULE, False)
        self.a_new_order(-power_w, long_s, begin_s - 1, Source.SCHEDULE, False)
        self.passes(max(1, begin_s - 4))

    @precondition(lambda self: self.given)
    @rule(which=st.integers(0, 1000))
    def an_order_again(self, which: int) -> None:
        self.give(self.given[which % len(self.given)])
        self.passes(1)

    def give(self, command: Command) -> None:
        now_ms, wall_ms = self.clock.mono_ms(), self.clock.now().wall_ms
        try:
            verdict = self.do(self.world.control.submit(command))
            admitted = None if "a minute from" in verdict.reason else verdict.admitted
        except GridsealError:
            admitted = None
        window = (command.not_before_ms, command.not_after_ms)
        told = order(command.id, command.kind, command.parameters, window, LIMITS.charge_w, command.shared)
        self.judge.asked(told, now_ms, wall_ms, admitted)

    @rule(source=st.sampled_from(SOURCES[:3]))
    def a_stop(self, source: Source) -> None:
        now = self.clock.now()
        name = f"{now.mono_ms:063x}f"
        stop = Command(name, source, ServiceKind.STOP, now.wall_ms, now.wall_ms)
        try:
            if self.do(self.world.control.submit(stop)).admitted:
                self.judge.stopped(now.mono_ms)
        except GridsealError:
            pass
        self.passes(2)

    @rule()
    def an_operator_clears(self) -> None:
        try:
            self.world.control.clear()
            self.judge.released()
        except ServiceRefused:
            pass
        self.passes(1)

    # -- readings ---------------------------------------------------------------------------------

    @rule(amps=st.integers(0, 200), which=st.sampled_from(AMPS))
    def the_bms_changes_a_limit(self, amps: int, which: Quantity) -> None:
        self.world.bms.values[which] = amps * 1000
        self.passes(1)

    @rule(which=st.sampled_from(READINGS), quality=st.sampled_from([Quality.ABSENT, Quality.INVALID]))
    def a_reading_is_none(self, which: Quantity, quality: Quality) -> None:
        self.world.bms.quality[which] = quality
        self.passes(4)

    @rule(which=st.sampled_from(AMPS), value=st.sampled_from(SENTINELS))
    def a_reading_is_a_sentinel(self, which: Quantity, value: int) -> None:
        self.world.bms.values[which] = value
        self.passes(4)

    @rule()
    def readings_are_right_again(self) -> None:
        bms = self.world.bms
        bms.quality = dict.fromkeys(bms.quality, Quality.GOOD)
        bms.values.update(dict.fromkeys(AMPS, 160_000))
        self.passes(1)

    @rule(soc_bp=st.integers(0, 10_000))
    def the_charge_is_another(self, soc_bp: int) -> None:
        self.world.bms.values[Quantity.BATTERY_SOC] = soc_bp
        self.passes(1)

    @rule(house_w=st.integers(-9_000, 18_000))
    def the_house_takes_another_power(self, house_w: int) -> None:
        self.world.meter.house_w = house_w
        self.passes(3)

    # -- devices ----------------------------------------------------------------------------------

    @rule(who=st.sampled_from(["inverter", "bms", "meter"]), seconds=st.integers(1, 60))
    def a_device_is_away(self, who: str, seconds: int) -> None:
        device = getattr(self.world, who)
        device.failure = device.connect_failure = link_lost()
        if who == "inverter":
            device.write_failure = link_lost()
        self.passes(seconds)
        device.failure = device.connect_failure = None
        if who == "inverter":
            device.write_failure = None

    @rule(seconds=st.integers(1, 20))
    def writes_time_out(self, seconds: int) -> None:
        self.world.inverter.write_failure = link_lost()
        self.passes(seconds)
        self.world.inverter.write_failure = None

    @precondition(lambda self: self.world.inverter.active)
    @rule(power_w=st.integers(-90, 90).map(lambda n: n * 100))
    def somebody_else_writes(self, power_w: int) -> None:
        if abs(self.world.inverter.register_w - power_w) > SPEC.step_w:
            self.world.inverter.register_w = power_w
            self.judge.foreign()
            self.passes(5)

    # -- clock, disk, death -----------------------------------------------------------------------

    @rule(step_ms=st.sampled_from([1_000, 60_000, 86_400_000, YEAR_MS, 10 * YEAR_MS]), back=st.booleans())
    def the_clock_steps(self, step_ms: int, back: bool) -> None:
        self.clock.step(-step_ms if back else step_ms)
        self.passes(1)

    @rule(trust=st.sampled_from([ClockTrust.UNTRUSTED, ClockTrust.TRUSTED]))
    def the_clock_is_trusted_or_not(self, trust: ClockTrust) -> None:
        self.clock.trust = trust
        self.passes(1)

    @rule()
    def the_disk_fails_and_the_daemon_is_started_again(self) -> None:
        self.world.store.failure = "the disk is full"
        self.passes(3)
        self.world.store.failure = ""
        self.dies(2, ordered=True)

    @rule(down_s=st.integers(0, 50), ordered=st.booleans())
    def the_daemon_ends(self, down_s: int, ordered: bool) -> None:
        self.dies(down_s, ordered=ordered)

    def dies(self, down_s: int, *, ordered: bool) -> None:
        self.do(self.world.stop() if ordered else self.world.crash())
        self.judge.ended()
        self.passes(down_s)
        states = dict(self.world.store.conn.execute(STATES, (self.clock.mono_ms(),)))
        self.judge.began(self.clock.mono_ms(), self.clock.now().wall_ms, states)
        self.do(self.world.restart())
        self.passes(3)

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        try:
            self.over.set()
            if not self.running.done():
                self.do(self.running)
            _cancel_rest(self.loop)
        finally:
            asyncio.set_event_loop(None)
            self.loop.close()


TestSite = Site.TestCase
TestSite.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
