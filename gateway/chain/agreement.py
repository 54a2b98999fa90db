"""Several endpoints of one chain seen as one: what they agree on, or nothing.

An answer counts when at least `needed` endpoints gave it and none that answered contradicts; otherwise the
chain counts as unreachable (ChainError) and nothing is done. It refuses to take a majority: one liar stops
us, which costs time; believing him would cost a battery.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar

from gateway.chain.faults import Fault, RpcError
from gateway.clock import Clock
from gateway.errors import ChainError, ConfigError

# Which fault of several to act on when no endpoint took a transaction: the most certain one first.
_TELLING = (
    Fault.NONCE_TOO_LOW, Fault.UNDERPRICED, Fault.INSUFFICIENT_FUNDS, Fault.REVERTED, Fault.NONCE_TOO_HIGH,
)  # fmt: skip


class Endpoint(Protocol):
    """What every kind of endpoint has: its name for people, and its chain."""

    name: str

    async def chain_id(self) -> int: ...


E = TypeVar("E", bound=Endpoint)
T = TypeVar("T")


class Agreement(Generic[E]):
    """`needed` is 2 for a site; 1 only where somebody has said that a single endpoint is believed."""

    def __init__(self, endpoints: Sequence[E], clock: Clock, chain_id: int, needed: int) -> None:
        if len(endpoints) < needed:
            raise ConfigError(f"chain.rpc: {needed} endpoints of different operators are needed")
        self._endpoints = tuple(endpoints)
        self._clock = clock
        self._chain_id = chain_id
        self._needed = needed
        self._advanced: dict[str, tuple[int, int]] = {}  # what -> highest number, when it rose
        self._verified = False

    async def check(self) -> None:
        """The right chain. ConfigError, one line, when not; ChainError when nobody can say.

        One endpoint that names another chain than the others is that endpoint's trouble, and no reason to
        leave the batteries alone: a ConfigError ends the daemon."""
        served = await self._each(lambda e: e.chain_id())
        named = [
            (e.name, found)
            for e, found in zip(self._endpoints, served, strict=True)
            if isinstance(found, int)
        ]
        others = [(name, found) for name, found in named if found != self._chain_id]
        if others:
            name, found = others[0]
            said = f"chain.rpc: {name} serves chain {found}, but chain.id is {self._chain_id}"
            raise ConfigError(said) if len(others) == len(named) >= self._needed else ChainError(said)
        self._enough(served)

    async def ensure(self) -> None:
        """`check` once, for a running daemon: there a wrong chain is the chain's trouble, not the site's."""
        if self._verified:
            return
        try:
            await self.check()
        except ConfigError as error:
            raise ChainError(str(error)) from error
        self._verified = True

    async def _publish(self, hand_in: Callable[[E], Awaitable[object]]) -> None:
        """To every endpoint; one that takes it is enough. RpcError otherwise."""
        answers = await self._each(hand_in)
        faults = [a for a in answers if isinstance(a, ChainError)]
        if len(faults) < len(answers):
            return
        told = [f for f in faults if isinstance(f, RpcError)]
        if any(f.fault is Fault.ALREADY_KNOWN for f in told):
            return
        for fault in _TELLING:
            for error in told:
                if error.fault is fault:
                    raise error
        raise faults[0]

    def _must_advance(self, what: str, number: int, longest_ms: int) -> None:
        highest, since_ms = self._advanced.get(what, (-1, 0))
        now_ms = self._clock.mono_ms()
        if number > highest:
            self._advanced[what] = (number, now_ms)
        elif now_ms - since_ms > longest_ms:
            raise RpcError(what, Fault.UNAVAILABLE, f"no new block for {(now_ms - since_ms) // 1000} s")

    async def _each(self, ask: Callable[[E], Awaitable[T]]) -> list[T | ChainError]:
        return await asyncio.gather(*(self._try(ask, endpoint) for endpoint in self._endpoints))

    @staticmethod
    async def _try(ask: Callable[[E], Awaitable[T]], endpoint: E) -> T | ChainError:
        try:
            return await ask(endpoint)
        except ChainError as error:
            return error

    def _enough(self, answers: Sequence[T | ChainError]) -> list[T]:
        good = [a for a in answers if not isinstance(a, ChainError)]
        if len(good) >= self._needed:
            return good
        raise next(a for a in answers if isinstance(a, ChainError))

    async def _agreed(self, ask: Callable[[E], Awaitable[T]], what: str) -> T:
        return self._same(await self._each(ask), what)

    def _same(self, answers: Sequence[T | ChainError], what: str) -> T:
        good = self._enough(answers)
        if any(answer != good[0] for answer in good):
            raise ChainError(f"the RPC endpoints disagree about {what}: nothing is believed until they agree")
        return good[0]
