"""Several Stacks endpoints as one chain, with what the transaction manager and the outbox ask of a chain.

State is read at one anchored block on which the endpoints agree. A transaction's gas is its size in bytes,
its price microSTX a byte. A node of Stacks cannot say in advance whether a call would fail, so contracts are
asked by the read-only function that the platform names (`trial`). It refuses to go on where they disagree,
or where the newest block is far from the clock.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from gateway.chain.agreement import Agreement
from gateway.chain.faults import Fault, RpcError
from gateway.chain.quorum import Head
from gateway.chain.shapes import Receipt
from gateway.chain.stacks.client import Anchor, Api, Seen
from gateway.chain.stacks.codec import Err, Some, UInt, Value
from gateway.chain.stacks.transaction import Invocation, read_payload
from gateway.clock import Clock
from gateway.errors import ChainError, ConfigError
from gateway.model import ClockTrust
from gateway.principal import Principal

# Between two Bitcoin blocks no tenure may begin; three hours without one happen about once in 20 years.
HEAD_OFF_MAX_MS = STALL_MAX_MS = 3 * 3_600_000

Trial = Callable[[Invocation], Invocation | None]
Uses = tuple[Principal, frozenset[str]]  # a contract, and the functions that it must have


class Operators(Agreement[Api]):
    """`account` is in whose name contracts are read; `contracts` what each role's has to have for us."""

    def __init__(
        self,
        endpoints: Sequence[Api],
        clock: Clock,
        *,
        chain_id: int,
        account: str,
        trial: Trial,
        contracts: Mapping[str, Uses] = MappingProxyType({}),
        needed: int = 2,
    ) -> None:
        super().__init__(endpoints, clock, chain_id, needed)
        self._contracts = contracts
        self._account = account
        self._trial = trial

    async def check(self) -> None:
        """Right network, contracts there and with the functions that are used. ConfigError when not."""
        await super().check()
        there = await self._agreed(self._functions, "the functions of the contracts")
        for (role, (contract, functions)), found in zip(self._contracts.items(), there, strict=True):
            if found is None:
                raise ConfigError(f"chain.contracts.{role}: {contract} is not deployed on chain.network")
            if missing := sorted(functions - found):
                raise ConfigError(
                    f"chain.contracts.{role}: {contract} has no function {', '.join(missing)}: it is another"
                    " contract"
                )
        self._verified = True

    async def _functions(self, endpoint: Api) -> list[frozenset[str] | None]:
        """Of each contract, asked for together: the start waits for it."""
        asked = (endpoint.functions(contract) for contract, _ in self._contracts.values())
        return await asyncio.gather(*asked)

    async def head(self) -> Head:
        """The newest block that every endpoint has. ChainError when too few have one that is fresh."""
        heights = self._enough(await self._each(self._fresh))
        return Head(min(heights), 0)

    async def _fresh(self, endpoint: Api) -> int:
        block = await endpoint.newest()
        now = self._clock.now()
        off_ms = block.time_s * 1000 - now.wall_ms
        if now.trust is ClockTrust.TRUSTED and abs(off_ms) > HEAD_OFF_MAX_MS:
            side = "ahead of" if off_ms > 0 else "behind"
            said = f"its newest block is {abs(off_ms) // 1000} s {side} the clock"
            raise RpcError(endpoint.name, Fault.UNAVAILABLE, said)
        self._must_advance(endpoint.name, block.height, STALL_MAX_MS)
        return block.height

    async def anchor(self, depth: int) -> Anchor:
        """The block `depth` deep (1: the newest), on which all agree."""
        return await self._block(max(1, (await self.head()).number + 1 - depth))

    async def _block(self, height: int) -> Anchor:
        block = await self._agreed(lambda e: e.block(height), f"block {height}")
        if block is None:
            raise ChainError(f"no endpoint has block {height} yet")
        return block

    async def read(self, call: Invocation, at: Anchor) -> Value:
        """What a read-only function gives there, agreed."""
        return self._same(await self._ask_each(call, at), _asked(call))

    async def _ask_each(self, call: Invocation, at: Anchor) -> "list[Value | ChainError]":
        return await self._each(
            lambda e: e.read(call.contract, call.function, call.arguments, self._account, at.index)
        )

    async def view(self, to: str, data: bytes, depth: int = 1) -> bytes:
        """A read-only function's number or bytes as one word; none is zero."""
        call = read_payload(data)
        return _word(await self.read(call, await self.anchor(depth)), to)

    async def transaction_count(self, address: str, at: int) -> int:
        """Nonces spent up to that block, as the most careful endpoint sees it."""
        block = await self._block(max(1, at))
        return min(self._enough(await self._each(lambda e: e.nonce(address, block.index))))

    async def transaction_count_most(self, address: str) -> int:
        return max(self._enough(await self._each(lambda e: e.nonce(address))))

    async def receipts(self, transaction: str) -> list[Receipt | None]:
        seen = self._enough(await self._each(lambda e: e.transaction(transaction)))
        return [_receipt(transaction, found) for found in seen]

    async def knows(self, transaction: str) -> bool:
        seen = self._enough(await self._each(lambda e: e.transaction(transaction)))
        return any(found is not None and (found.waiting or found.height) for found in seen)

    async def tip(self) -> int:
        """MicroSTX a byte: the lowest that an endpoint names, and what every node wants at least."""
        return max(1, min(self._enough(await self._each(lambda e: e.fee_rate()))))

    async def estimate_gas(self, sender: str, to: str, data: bytes) -> int:
        """0: the size is known. RpcError REVERTED when the contract says that it would not take the call."""
        del sender, to
        trial = self._trial(read_payload(data))
        if trial is not None:
            said = await self._tried(trial, await self.anchor(1))
            if isinstance(said, Err) or said is False:
                raise RpcError(trial.contract.contract, Fault.REVERTED, f"{trial.function} says {_no(said)}")
        return 0

    async def _tried(self, trial: Invocation, at: Anchor) -> Value:
        """As `read`; RpcError REVERTED when it cannot be run there, and every endpoint says so."""
        answers = await self._ask_each(trial, at)
        failed = [a for a in answers if isinstance(a, RpcError) and a.fault is Fault.REVERTED]
        if len(failed) >= self._needed and all(isinstance(a, ChainError) for a in answers):
            raise failed[0]
        if failed:
            raise ChainError(f"the RPC endpoints do not agree whether {trial.function} can be run")
        return self._same(answers, _asked(trial))

    async def publish(self, raw: bytes) -> None:
        """Hand a signed transaction to every endpoint; one that takes it is enough. RpcError otherwise."""
        await self._publish(lambda e: e.publish(raw))


def _asked(call: Invocation) -> str:
    return f"{call.function} of {call.contract}"


def _no(said: Value) -> str:
    if not isinstance(said, Err):
        return "no"
    return f"error {said.value.value}" if isinstance(said.value, UInt) else "an error"


def _word(value: Value, where: str) -> bytes:
    match value:
        case None:
            return bytes(32)
        case Some(inner):
            return _word(inner, where)
        case UInt(number):
            return number.to_bytes(32, "big")
        case bytes() if len(value) <= 32:
            return value.rjust(32, b"\0")
    raise ChainError(f"the contract {where} answered with no number and no word: {repr(value)[:60]}")


def _receipt(transaction: str, found: Seen | None) -> Receipt | None:
    if found is None or not found.height:
        return None
    ok = found.status == "success"
    return Receipt(transaction, found.height, found.block_hash, ok, 1, found.fee_ustx)
