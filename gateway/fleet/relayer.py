"""Brings what the sites signed to their contracts: tries, makes durable, follows each call to its end.

Owns what is on its way for whom. Nothing is sent that the contract would not take now (asked of two
operators, so that a call of a hundred records has none for nothing), nothing is sent while the same is on its
way, and nothing counts as brought before the contract's events, deep in the chain, say so. It sends nothing
itself: that is gateway.chain.txmgr's, by the intents.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.chain.faults import Fault, RpcError
from gateway.chain.platforms.artifacts import event
from gateway.chain.shapes import Block, Log
from gateway.clock import Clock
from gateway.errors import ChainError
from gateway.evidence.typed import keccak
from gateway.fleet import flights, plan
from gateway.fleet.member import Member
from gateway.fleet.page import ARTIFACT
from gateway.fleet.plan import Parcel, Share
from gateway.fleet.settings import Pace
from gateway.store import Store, intents
from gateway.store.intents import Intent

STALE_MS = 600_000  # a call that waits so long to be sent (budget, fees) is looked at again
ACCEPTED = keccak(event(ARTIFACT, "IntervalAccepted").encode())


class Contracts(Protocol):
    """The chain as several operators agree on it (gateway.chain.quorum)."""

    async def view(self, to: str, data: bytes, depth: int = 1) -> bytes: ...

    async def estimate_gas(self, sender: str, to: str, data: bytes) -> int: ...

    async def block(self, number: int) -> Block: ...

    async def logs(
        self, block: Block, addresses: Sequence[str], topics: Sequence[str]
    ) -> tuple[Log, ...]: ...


class Relayer:
    """`run` until cancelled; ChainError when the chain is not reachable (run it again later). `address` pays;
    `wake` is called when something was queued."""

    def __init__(
        self,
        members: Sequence[Member],
        contracts: Contracts,
        store: Store,
        clock: Clock,
        pace: Pace,
        address: str,
        wake: Callable[[], None],
        *,
        poll_ms: int = 4000,
    ) -> None:
        self._members = {member.site.name: member for member in members}
        self._contracts = contracts
        self._store = store
        self._clock = clock
        self._pace = pace
        self._address = address
        self._wake = wake
        self._poll_s = poll_ms / 1000
        self._looked_ms: dict[str, int] = {}  # calls that wait to be sent: when they were last looked at

    async def run(self) -> None:
        while True:
            await self.tick()
            await asyncio.sleep(self._poll_s)

    async def tick(self) -> None:
        """Settle what has ended, then send what is due."""
        await self._settle()
        now_ms = self._clock.mono_ms()
        queues = [m.queue(now_ms) for m in self._members.values() if m.last is not None]
        for parcel in plan.parcels(queues, now_ms, self._pace):
            if shares := await self._taken(parcel.contract, parcel.shares):
                await self._send(Parcel(parcel.contract, tuple(shares)))

    # ---- out --------------------------------------------------------------------------------------------

    async def _taken(self, contract: str, shares: Sequence[Share]) -> list[Share]:
        """Those that the contract would take whole now. The others' sites are asked anew."""
        parcel = Parcel(contract, tuple(shares))
        if await self._would_take(contract, parcel.call.data) == len(parcel.digests):
            return list(shares)
        if len(shares) > 1:
            half = len(shares) // 2
            return [
                *await self._taken(contract, shares[:half]),
                *await self._taken(contract, shares[half:]),
            ]
        first = shares[0].pieces[0].sequence
        said = f"the contract does not take record {first}: is the key bound, and is this the record?"
        self._members[shares[0].site].snubbed(said, self._clock.mono_ms())
        return []

    async def _would_take(self, contract: str, data: bytes) -> int:
        """How many records of a call the contract would take in the newest block."""
        if data[:4] == plan.BATCH:
            return int.from_bytes(await self._contracts.view(contract, data), "big")
        try:
            await self._contracts.estimate_gas(self._address, contract, data)
        except RpcError as error:
            if error.fault is not Fault.REVERTED:
                raise
            return 0
        return 1

    async def _send(self, parcel: Parcel) -> None:
        call, names = parcel.call, [share.site for share in parcel.shares]
        wall_ms = self._clock.now().wall_ms
        key = await self._store.call(flights.begin, call.contract, call.data, call.gas, names, wall_ms)
        if not key:
            return  # too many are open: the records wait at the sites
        for share in parcel.shares:
            self._members[share.site].fly(key, share)
        self._wake()

    # ---- to its end -------------------------------------------------------------------------------------

    async def _settle(self) -> None:
        flying: dict[str, list[Member]] = {}
        for member in self._members.values():
            if member.flying:
                flying.setdefault(member.flying, []).append(member)
        for key, aboard in flying.items():
            await self._follow(await self._store.call(intents.get, key), aboard)
        self._looked_ms = {key: at for key, at in self._looked_ms.items() if key in flying}

    async def _follow(self, intent: Intent | None, aboard: Sequence[Member]) -> None:
        if intent is not None and intent.state == "sent":
            return
        if intent is not None and intent.state == "queued" and not await self._withdrawn(intent):
            return
        taken = await self._accepted(intent, aboard) if intent is not None else frozenset()
        for member in aboard:
            if member.share and {piece.digest for piece in member.share} <= taken:
                member.landed()
            else:
                member.doubt()

    async def _withdrawn(self, intent: Intent) -> bool:
        """Whether a call that has waited long was taken back: others have brought all that is in it."""
        now_ms = self._clock.mono_ms()
        if now_ms - self._looked_ms.setdefault(intent.key, now_ms) < STALE_MS:
            return False
        self._looked_ms[intent.key] = now_ms
        if await self._would_take(intent.contract, intent.data):
            return False
        return await self._store.call(intents.withdraw, intent.id)

    async def _accepted(self, intent: Intent, aboard: Sequence[Member]) -> frozenset[bytes]:
        """The digests that the contract took by a call which has ended."""
        if intent.state != "confirmed":
            return frozenset()
        if intent.data[:4] != plan.BATCH:  # it would have failed
            return frozenset(piece.digest for member in aboard for piece in member.share)
        block = await self._contracts.block(intent.block_number)
        try:
            found = await self._contracts.logs(block, [intent.contract], ["0x" + ACCEPTED.hex()])
        except ChainError:
            return frozenset()  # more than a block may hold of ours: each site is asked for by itself
        return frozenset(log.data[32:64] for log in found)
