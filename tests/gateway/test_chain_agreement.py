"""Agreement of any kind of endpoints: how many must say the same, and what a wrong chain and a refused
transaction are called. Endpoints are scripted (a mock)."""

import asyncio

import pytest

from gateway.chain.agreement import Agreement
from gateway.chain.faults import Fault, RpcError
from gateway.errors import ChainError, ConfigError
from tests.sim.loop import run


class Endpoint:
    """Says what it is told to; an exception is raised."""

    def __init__(self, name: str, said=7) -> None:
        self.name = name
        self.said = said

    async def chain_id(self):
        return self.told()

    def told(self):
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


class Shown(Agreement[Endpoint]):
    """What its heirs use, by name."""

    async def ask(self):
        async def told(endpoint):
            return endpoint.told()

        return await self._agreed(told, "that")

    async def hand_in(self):
        async def told(endpoint):
            return endpoint.told()

        await self._publish(told)

    def advance(self, number, longest_ms):
        self._must_advance("a", number, longest_ms)


def silent(name: str, fault: Fault = Fault.UNAVAILABLE) -> RpcError:
    return RpcError(name, fault, "scripted")


def with_clock(scenario):
    async def main(clock):
        return await scenario(clock)

    return run(main)


def shown(clock, *said, needed=2) -> Shown:
    named = [Endpoint(name, told) for name, told in zip("abc", said, strict=False)]
    return Shown(named, clock, 7, needed)


def test_two_that_say_the_same_are_believed_and_one_is_not():
    async def scenario(clock):
        assert await shown(clock, "x", "x").ask() == "x"
        assert await shown(clock, "x", "x", silent("c")).ask() == "x"
        with pytest.raises(ChainError, match="disagree about that"):
            await shown(clock, "x", "x", "y").ask()
        with pytest.raises(ChainError, match="scripted"):
            await shown(clock, "x", silent("b")).ask()
        assert await shown(clock, "x", silent("b"), needed=1).ask() == "x"
        with pytest.raises(ConfigError, match="2 endpoints"):
            shown(clock, "x")

    with_clock(scenario)


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        ((1, 1), ConfigError, "a serves chain 1, but chain.id is 7"),
        ((7, 1), ChainError, "b serves chain 1"),
        ((silent("a"), 1), ChainError, "b serves chain 1"),
        ((silent("a"), 7), ChainError, "scripted"),
    ],
)
def test_only_a_wrong_chain_that_nobody_contradicts_is_the_sites_mistake(said, error, words):
    async def scenario(clock):
        with pytest.raises(error, match=words) as caught:
            await shown(clock, *said).check()
        assert type(caught.value) in (error, RpcError)
        with pytest.raises(ChainError):
            await shown(clock, *said).ensure()

    with_clock(scenario)


def test_a_chain_that_was_right_once_is_not_asked_for_again():
    async def scenario(clock):
        endpoints = [Endpoint("a"), Endpoint("b")]
        found = Shown(endpoints, clock, 7, 2)
        await found.ensure()
        endpoints[0].said = silent("a")
        await found.ensure()
        with pytest.raises(ChainError):
            await found.check()

    with_clock(scenario)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ((Fault.UNDERPRICED, Fault.UNAVAILABLE), Fault.UNDERPRICED),
        ((Fault.UNDERPRICED, Fault.NONCE_TOO_LOW), Fault.NONCE_TOO_LOW),
        ((Fault.REFUSED, Fault.UNAVAILABLE), Fault.REFUSED),
        ((Fault.ALREADY_KNOWN, Fault.NONCE_TOO_LOW), None),
        ((Fault.REFUSED, None), None),
    ],
)
def test_one_that_takes_a_transaction_is_enough_and_the_most_certain_refusal_is_told(said, fault):
    async def scenario(clock):
        found = shown(clock, *(silent("x", f) if f else "taken" for f in said))
        if fault is None:
            await found.hand_in()
            return
        with pytest.raises(RpcError) as caught:
            await found.hand_in()
        assert caught.value.fault is fault

    with_clock(scenario)


def test_a_number_that_does_not_rise_in_time():
    async def scenario(clock):
        found = shown(clock, 7, 7)
        found.advance(5, 1000)
        await asyncio.sleep(1)
        found.advance(5, 1000)
        await asyncio.sleep(0.001)
        with pytest.raises(RpcError, match="no new block for 1 s"):
            found.advance(4, 1000)
        found.advance(6, 1000)

    with_clock(scenario)
