"""The writer while its device is left alone, and what a certificate changes of it."""

import asyncio
from dataclasses import replace

import pytest

from gateway.lease import Phase, Proven
from gateway.model import CommandClass
from tests.gateway.test_setpoint import FOREVER, Bench, bench
from tests.sim.mocks import SPEC


async def held(b: Bench, power_w: int = 1000) -> None:
    await b.ask(power_w)
    await b.serve(15)
    assert b.phase is Phase.HELD


def written_after(b: Bench, at_ms: int) -> list[str]:
    return [what for at, what, _ in b.mock.log if at > at_ms and what in ("arm", "write", "release")]


def test_left_alone_nothing_is_written_while_reading_goes_on_until_its_timer_ends_it() -> None:
    async def script(b: Bench) -> None:
        await held(b)
        began_ms = b.clock.mono_ms()
        assert b.hand.leave_alone(began_ms + 60_000)
        await b.serve(15)
        assert written_after(b, began_ms) == [] and b.hand.hold.alone
        assert b.mock.active and b.hand.hold.read_back == await b.mock.read_back()
        await b.serve(30)
        assert not b.mock.active, "the device's own timer has ended it"
        assert written_after(b, began_ms) == [] and b.hand.hold.alone and not b.hand.hold.fault
        assert b.hand.hold.written_ms <= began_ms

    bench(script)


@pytest.mark.parametrize("how", ["release", "another power", "time", "lease"])
def test_whatever_else_is_asked_ends_it_and_the_fallback_comes_first(how: str) -> None:
    async def script(b: Bench) -> None:
        await held(b)
        began_ms = b.clock.mono_ms()
        if how == "lease":
            b.hand.desire(1000, began_ms + 5_000)
        b.hand.leave_alone(began_ms + (5_000 if how == "time" else 60_000))
        await b.serve(2)
        if how == "release":
            b.hand.release()
        elif how == "another power":
            b.hand.desire(500, FOREVER)
        await b.serve(4)
        assert not b.hand.hold.alone
        assert written_after(b, began_ms)[0] == "release"

    bench(script)


@pytest.mark.parametrize(
    ("asked_w", "alone"), [(960, True), (1040, True), (940, False), (0, False), (-1000, False)]
)
def test_a_power_that_wanders_by_less_than_a_twentieth_is_left_as_it_is(asked_w: int, alone: bool) -> None:
    async def script(b: Bench) -> None:
        await held(b)
        began_ms = b.clock.mono_ms()
        b.hand.leave_alone(began_ms + 60_000)
        await b.serve(2)
        b.hand.desire(asked_w, FOREVER)
        await b.serve(4)
        assert b.hand.hold.alone is alone
        assert bool(written_after(b, began_ms)) is not alone

    bench(script)


def test_a_device_that_reverts_before_its_claim_is_no_foreign_write_while_it_is_left_alone() -> None:
    async def script(b: Bench) -> None:
        await held(b)
        b.hand.leave_alone(b.clock.mono_ms() + 60_000)
        await b.serve(2)
        b.mock.active = False  # 30 s were claimed
        await b.serve(5)
        assert not b.hand.hold.fault and b.hand.hold.alone
        b.hand.release()
        await b.serve(3)
        assert not b.hand.hold.fault and b.phase is Phase.RELEASED

    bench(script)


def test_a_foreign_power_is_still_found_while_it_is_left_alone() -> None:
    async def script(b: Bench) -> None:
        await held(b)
        b.hand.leave_alone(b.clock.mono_ms() + 60_000)
        b.mock.register_w = -4000
        await b.serve(5)
        assert "somebody else" in b.hand.hold.fault

    bench(script)


def test_only_a_power_that_is_held_under_a_timer_is_left_alone() -> None:
    async def script(b: Bench) -> None:
        await b.serve(3)
        assert not b.hand.leave_alone(FOREVER), "nothing is held"

    async def latching(b: Bench) -> None:
        await held(b)
        assert not b.hand.leave_alone(FOREVER), "nothing would end it"

    bench(script)
    bench(latching, spec=replace(SPEC, command_class=CommandClass.LATCHING, timeout_s=0, refresh_s=0))


@pytest.mark.parametrize(
    ("proven", "timer_s", "ends_s"),
    [
        (None, 30, 30),
        (Proven("2026-11-27"), 30, 30),
        (Proven("2026-11-27", 11, 13), 11, 30),  # it ends sooner than claimed: refreshed sooner
        (Proven("2026-11-27", 58, 61), 30, 61),  # later: counted on later
        (Proven("2026-11-27", endless=True), 30, 0),  # never: nothing is counted on
    ],
)
def test_what_was_measured_is_what_counts(proven: Proven | None, timer_s: int, ends_s: int) -> None:
    async def script(b: Bench) -> None:
        b.hand.prove(proven)
        await held(b)
        assert (b.hand.hold.timer_s, b.hand.hold.ends_s) == (timer_s, ends_s)
        b.hand.desire(1000, FOREVER)
        before = b.hand.hold.power_writes
        await b.serve(60)
        refresh_s = min(timer_s / 4, 10)
        assert b.hand.hold.power_writes - before == pytest.approx(60 / refresh_s, abs=2)

    bench(script)


def test_a_device_that_is_another_takes_no_power_and_no_operator_clears_that() -> None:
    async def script(b: Bench) -> None:
        b.hand.distrust("it is another")
        await b.ask(1000)
        await b.serve(5)
        assert b.hand.hold.fault == b.hand.distrusted == "it is another"
        assert "write" not in b.mock.done()
        b.hand.clear()
        b.hand.distrust("it is another")  # it is reached again
        await b.ask(1000)
        await b.serve(5)
        assert b.hand.hold.fault and "write" not in b.mock.done()
        b.hand.distrust("")
        assert not b.hand.hold.fault
        await b.ask(1000)
        await b.serve(5)
        assert "write" in b.mock.done()

    bench(script)


def test_trust_regained_clears_no_other_fault() -> None:
    async def script(b: Bench) -> None:
        b.mock.arms = False
        await b.ask(1000)
        await b.serve(20)
        fault = b.hand.hold.fault
        b.hand.distrust("")
        assert fault and b.hand.hold.fault == fault
        await asyncio.sleep(0)

    bench(script)
