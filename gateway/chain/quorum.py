"""Several RPC endpoints seen as one EVM chain, by gateway.chain.agreement.

An endpoint whose head stands still or is far from the trusted clock is as good as silent. It refuses to go
on where they do not agree.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.chain.agreement import Agreement
from gateway.chain.faults import Fault, RpcError
from gateway.chain.rpc import Rpc
from gateway.chain.shapes import Block, Log, Receipt
from gateway.clock import Clock
from gateway.errors import ChainError, ConfigError
from gateway.model import ClockTrust

HEAD_OFF_MAX_MS = 120_000  # a head further than this from the trusted clock is not the chain's present
STALL_MAX_MS = 120_000  # ten slots of the slowest chain in use
FINAL_STALL_MAX_MS = 3_600_000  # finality comes every 6 to 30 minutes; an hour without is an outage
GAS_MAX = 5_000_000  # of one transaction: two orders above the dearest record


@dataclass(frozen=True, slots=True)
class Head:
    """The newest block that every fresh endpoint has: number, and the base fee to reckon with."""

    number: int
    base_fee_wei: int


class Quorum(Agreement[Rpc]):
    """See gateway.chain.agreement."""

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
        super().__init__(endpoints, clock, chain_id, needed)
        self._contracts = tuple(contracts)
        self._head_off_max_ms = head_off_max_ms

    async def check(self) -> None:
        """Right chain, contracts present. ConfigError, one line, when not; ChainError when nobody can say."""
        await super().check()
        for address in self._contracts:
            if not await self._agreed(lambda e, a=address: e.has_code(a), f"the code of {address}"):  # type: ignore[misc]
                raise ConfigError(
                    f"chain.contracts: {address} has no code on chain {self._chain_id}: wrong address, or not"
                    " deployed"
                )
        self._verified = True

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
        await self._publish(lambda e: e.publish(raw))
