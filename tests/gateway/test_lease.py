"""The lease as the writer keeps it: held to its moment, ended by itself, nothing assumed that is not read."""

import inspect
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.lease import Hand, Hold, Phase
from gateway.sense import WRITTEN
from gateway.setpoint import SetpointWriter
from tests.gateway.test_setpoint import Bench, bench

EXCHANGE_MS = 200  # arm, write, read back of the mock
START_S = 1.0


def members(of: type) -> dict[str, object]:
    return {name: found for name, found in vars(of).items() if not name.startswith("_")}


def test_the_writer_is_a_hand_to_the_last_parameter() -> None:
    hand = members(Hand)
    assert set(hand) == {"hold", "quantise", "desire", "release", "grant", "clear", "fallback"}
    for name, promised in hand.items():
        kept = getattr(SetpointWriter, name)
        if isinstance(promised, property):
            assert isinstance(kept, property)
            continue
        assert inspect.signature(kept) == inspect.signature(promised)
        assert inspect.iscoroutinefunction(kept) == (name == "fallback")


def test_before_anything_is_read_back_nothing_is_assumed() -> None:
    fresh = Hold("inverter", Phase.UNKNOWN, online=False)
    assert fresh.phase not in WRITTEN
    assert (fresh.spec, fresh.read_back, fresh.allowance, fresh.timer_s) == (None, None, 0, 0)
    with pytest.raises(FrozenInstanceError):
        fresh.phase = Phase.HELD

    async def script(b: Bench) -> None:
        assert b.hand.hold == fresh
        await b.serve(START_S)
        assert b.phase is Phase.RELEASED
        assert b.hand.hold.online
        b.hand.lost()
        assert (b.phase, b.hand.hold.online, b.hand.hold.read_back) == (Phase.UNKNOWN, False, None)

    bench(script)


@given(st.integers(-9000, 9000), st.integers(500, 8000))
@settings(max_examples=25, deadline=None)
def test_a_lease_ends_at_its_moment_and_is_never_a_wish_without_end(power: int, lease_ms: int) -> None:
    async def script(b: Bench) -> None:
        await b.serve(START_S)
        wanted = b.hand.quantise(power)
        until_ms = b.clock.mono_ms() + lease_ms
        b.hand.desire(wanted, until_ms)
        await b.serve(20)
        assert b.phase is Phase.RELEASED
        assert not b.mock.active
        assert {figure for _, figure in b.mock.writes} <= {wanted}
        assert all(ms < until_ms for ms, _ in b.mock.writes)
        released = [ms for ms, what, _ in b.mock.log if what == "release"]
        assert until_ms <= released[-1] <= until_ms + EXCHANGE_MS

    bench(script)


@given(st.lists(st.integers(-9000, 9000), min_size=2, max_size=8))
@settings(max_examples=25, deadline=None)
def test_a_newer_wish_replaces_the_older_one_whole(powers: list[int]) -> None:
    """One slot, no queue: an old power can never follow a new one."""

    async def script(b: Bench) -> None:
        await b.serve(START_S)
        wanted = [b.hand.quantise(power) for power in powers]
        for power in wanted:
            b.hand.desire(power, b.clock.mono_ms() + 60_000)
        await b.serve(3)
        assert b.phase is Phase.HELD
        assert b.hand.hold.power_w == b.mock.register_w == wanted[-1]
        assert [figure for _, figure in b.mock.writes] == wanted[-1:]

    bench(script)


@given(st.integers(-20_000, 20_000))
@settings(max_examples=25, deadline=None)
def test_quantising_goes_toward_zero_and_what_is_quantised_can_be_held(power: int) -> None:
    async def script(b: Bench) -> None:
        assert b.hand.quantise(power) == 0  # not reached yet
        await b.serve(START_S)
        first = b.hand.quantise(power)
        assert abs(first) <= abs(power)
        assert first * power >= 0
        assert b.hand.quantise(first) == first

    bench(script)
