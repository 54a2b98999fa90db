"""Several endpoints seen as one chain: what they agree on, or nothing.

An answer counts when at least `needed` endpoints gave it and none that answered contradicts; otherwise the
chain counts as unreachable (ChainError) and nothing is done. An endpoint whose head stands still or is far
from the trusted clock is as good as silent. It refuses to take a majority: one liar stops us, which costs
time; believing him would cost a battery.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from gateway.chain.faults import Fault, RpcError
from gateway.chain.rpc import Rpc
from gateway.chain.shapes import Block, Log, Receipt
from gateway.clock import Clock
from gateway.errors import ChainError, ConfigError
from gateway.model import ClockTrust

T = TypeVar("T")

HEAD_OFF_MAX_MS = 120_000  # a head further than this from the trusted clock is not the chain's present
STALL_MAX_MS = 120_000  # ten slots of the slowest chain in use
FINAL_STALL_MAX_MS = 3_600_000  # finality comes every 6 to 30 minutes; an hour without is an outage
GAS_MAX = 5_000_000  # of one transaction: two orders above the dearest record
# Which fault of several to act on when no endpoint took a transaction: the most certain one first.
_TELLING = (
    Fault.NONCE_TOO_LOW, Fault.UNDERPRICED, Fault.INSUFFICIENT_FUNDS, Fault.REVERTED, Fault.NONCE_TOO_HIGH,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Head:
    """The newest block that every fresh endpoint has: number, and the base fee to reckon with."""

    number: int
    base_fee_wei: int


class Quorum:
    """`needed` is 2 for a site; 1 only where somebody has said that a single endpoint is believed."""

    def __init__(
        self,
        endpoints: Sequence[Rpc],
        clock: Clock,
        *,
        chain_id: int,
        contracts: Iterable[str] = (),
        needed: int = 2,
        head_off_max_ms: int = HEAD_OFF_MAX_MS,
    ) -> None:
        if len(endpoints) < needed:
            raise ConfigError(f"chain.rpc: {needed} endpoints of different operators are needed")
        self._endpoints = tuple(endpoints)
        self._clock = clock
        self._chain_id = chain_id
        self._contracts = tuple(contracts)
        self._needed = needed
        self._head_off_max_ms = head_off_max_ms
        self._advanced: dict[str, tuple[int, int]] = {}  # what -> highest number, when it rose
        self._verified = False

    async def check(self) -> None:
        """Right chain, contracts present. ConfigError, one line, when not; ChainError when nobody can say.

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
        for address in self._contracts:
            if not await self._agreed(lambda e, a=address: e.has_code(a), f"the code of {address}"):  # type: ignore[misc]
                raise ConfigError(
                    f"chain.contracts: {address} has no code on chain {self._chain_id}: wrong address, or not"
                    " deployed"
                )
        self._verified = True

    async def ensure(self) -> None:
        """`check` once, for a running daemon: there a wrong chain is the chain's trouble, not the site's."""
        if self._verified:
            return
        try:
            await self.check()
        except ConfigError as error:
            raise ChainError(str(error)) from error

    async def head(self) -> Head:
        """The present of the chain. ChainError when too few endpoints have a head that is fresh and moves."""
        answers = await self._each(self._fresh_head)
        blocks = self._enough(answers)
        return Head(min(b.number for b in blocks), max(b.base_fee_wei for b in blocks))

    async def _fresh_head(self, endpoint: Rpc) -> Block:
        block = await endpoint.block("latest")
        if block is None:
            raise RpcError(endpoint.name, Fault.UNAVAILABLE, "has no block")
        now = self._clock.now()
        off_ms = block.timestamp_s * 1000 - now.wall_ms
        if now.trust is ClockTrust.TRUSTED and abs(off_ms) > self._head_off_max_ms:
            side = "ahead of" if off_ms > 0 else "behind"
            said = f"its newest block is {abs(off_ms) // 1000} s {side} the clock"
            raise RpcError(endpoint.name, Fault.UNAVAILABLE, said)
        self._must_advance(endpoint.name, block.number, STALL_MAX_MS)
        return block

    def _must_advance(self, what: str, number: int, longest_ms: int) -> None:
        highest, since_ms = self._advanced.get(what, (-1, 0))
        now_ms = self._clock.mono_ms()
        if number > highest:
            self._advanced[what] = (number, now_ms)
        elif now_ms - since_ms > longest_ms:
            raise RpcError(what, Fault.UNAVAILABLE, f"no new block for {(now_ms - since_ms) // 1000} s")

    async def finalised(self) -> Block:
        """The newest block that all call finalised, and whose hash they agree on."""
        await self.head()
        blocks = self._enough(await self._each(lambda e: e.block("finalized")))
        known = [b.number for b in blocks if b is not None]
        if len(known) < self._needed:
            raise ChainError("the chain has no finalised block yet")
        self._must_advance("finalised", min(known), FINAL_STALL_MAX_MS)
        return await self.block(min(known))

    async def block(self, number: int) -> Block:
        block = await self._agreed(lambda e: e.block(number), f"block {number}")
        if block is None:
            raise ChainError(f"no endpoint has block {number} yet")
        return block

    async def logs(self, block: Block, addresses: Sequence[str], topics: Sequence[str]) -> tuple[Log, ...]:
        return await self._agreed(
            lambda e: e.logs(block.hash, addresses, topics), f"the logs of block {block.number}"
        )

    async def receipts(self, transaction: str) -> list[Receipt | None]:
        """Where each endpoint that answers sees it mined. Whoever asks must tell "none sees it" from "they
        do not agree"."""
        return self._enough(await self._each(lambda e: e.receipt(transaction)))

    async def transaction_count(self, address: str, at: int | str) -> int:
        """Nonces spent so far as the most careful endpoint sees it."""
        return min(self._enough(await self._each(lambda e: e.transaction_count(address, at))))

    async def transaction_count_most(self, address: str) -> int:
        """The same in the newest block, as the most generous endpoint sees it: nobody counts more."""
        return max(self._enough(await self._each(lambda e: e.transaction_count(address, "latest"))))

    async def knows(self, transaction: str) -> bool:
        """Whether any endpoint has it; ChainError when too few answer to say it is gone."""
        return any(self._enough(await self._each(lambda e: e.knows(transaction))))

    async def estimate_gas(self, sender: str, to: str, data: bytes) -> int:
        """The dearest estimate. RpcError REVERTED when it would fail, and every endpoint says so."""
        answers = await self._each(lambda e: e.estimate_gas(sender, to, data))
        reverted = [a for a in answers if isinstance(a, RpcError) and a.fault is Fault.REVERTED]
        if reverted and (len(reverted) < self._needed or any(isinstance(a, int) for a in answers)):
            raise ChainError(f"the RPC endpoints do not agree whether a call of {to} would fail")
        gas = max(self._enough(answers))
        if gas > GAS_MAX:
            raise ChainError(f"the endpoints estimate {gas} gas, more than any call of ours may take")
        return gas

    async def tip(self) -> int:
        """The lowest of the suggested tips: who suggests a high one may be selling it."""
        return min(self._enough(await self._each(lambda e: e.tip())))

    async def view(self, to: str, data: bytes, depth: int = 1) -> bytes:
        """What a view function returns at one block that all have; depth 1 is the newest."""
        at = max(0, (await self.head()).number + 1 - depth)
        return await self._agreed(lambda e: e.view(to, data, at), f"a call of {to}")

    async def publish(self, raw: bytes) -> None:
        """Hand a signed transaction to every endpoint; one that takes it is enough. RpcError otherwise."""
        answers = await self._each(lambda e: e.publish(raw))
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

    async def _each(self, ask: Callable[[Rpc], Awaitable[T]]) -> list[T | ChainError]:
        return await asyncio.gather(*(self._try(ask, endpoint) for endpoint in self._endpoints))

    @staticmethod
    async def _try(ask: Callable[[Rpc], Awaitable[T]], endpoint: Rpc) -> T | ChainError:
        try:
            return await ask(endpoint)
        except ChainError as error:
            return error

    def _enough(self, answers: Sequence[T | ChainError]) -> list[T]:
        good = [a for a in answers if not isinstance(a, ChainError)]
        if len(good) >= self._needed:
            return good
        raise next(a for a in answers if isinstance(a, ChainError))

    async def _agreed(self, ask: Callable[[Rpc], Awaitable[T]], what: str) -> T:
        good = self._enough(await self._each(ask))
        if any(answer != good[0] for answer in good):
            raise ChainError(f"the RPC endpoints disagree about {what}: nothing is believed until they agree")
        return good[0]
