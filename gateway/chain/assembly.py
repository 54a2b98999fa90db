"""The chain side of a site put together: operators, manager, outbox, listener, on one key.

Owns the sessions and closes them. Each part of `parts` runs under the supervisor and fails alone; nothing
here is waited for by control.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gateway.chain import side
from gateway.chain.outbox import Outbox, last_sequence, speakers
from gateway.chain.platforms import Platform
from gateway.chain.platforms.calls import Facts
from gateway.chain.reporter import Reporter
from gateway.chain.side import Ears
from gateway.chain.txmgr import TxManager
from gateway.clock import Clock
from gateway.errors import ChainError, ConfigError
from gateway.evidence.signer import Signer
from gateway.site import ChainSettings
from gateway.store import Store


class Chain:
    """`facts` says what the site knows of itself, for contracts that want to be told."""

    def __init__(
        self,
        settings: ChainSettings,
        platform: Platform,
        store: Store,
        clock: Clock,
        signer: Signer,
        ears: Ears,
        facts: Callable[[], Awaitable[Facts | None]],
    ) -> None:
        self._side = side.of(settings, platform, clock)
        self._operators, policy = self._side.operators, self._side.policy
        wallet = self._side.wallet(signer)
        self._manager = TxManager(
            store, self._operators, wallet.address, wallet.sign, clock, policy, poll_ms=settings.poll_ms
        )
        self._outbox = Outbox(
            store,
            self._operators,
            platform,
            signer.address,
            clock,
            self._manager.wake,
            confirmations=policy.confirmations,
            patience_ms=settings.patience_ms,
            poll_ms=settings.poll_ms,
        )
        self._listening = self._side.listen(store, ears)
        self._reporter = Reporter(store, platform, clock, facts, self._manager.wake)
        self._platform = platform
        self._address = signer.address
        self._store = store
        self._confirmations = policy.confirmations

    @property
    def parts(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What to keep running, by name."""
        return {
            "transactions": self._manager.run,
            "outbox": self._outbox.run,
            **self._listening.parts,
            "reports": self._reporter.run,
        }

    async def check(self) -> None:
        """Right chain, contracts there, our key. ConfigError when not; ChainError when nobody can say now."""
        await self._operators.check()
        call = self._platform.key_call()
        bound = await self._operators.view(call.contract, call.data, self._confirmations)
        if len(bound) != 32:
            raise ChainError(f"the contract {call.contract} answered with {len(bound)} bytes, not one word")
        if not (problem := self._platform.key_problem(bound, self._address)):
            return
        # Until the rotation is mined, the contract knows only a key that handed over to this one.
        if bound[-20:].hex() not in [a[2:].lower() for a in await speakers(self._store, self._address)]:
            raise ConfigError(problem)

    async def last_sequence(self) -> int:
        """The last record the contract took from this site's key; 0 for none. ChainError when not known.

        In the newest block: a number that a reorg takes back was signed all the same."""
        return await last_sequence(
            self._operators, self._platform, await speakers(self._store, self._address)
        )

    async def replaces(self) -> bool:
        """Whether another key spoke for the site before this one. ChainError when not known."""
        call = self._platform.predecessor_call(self._address)
        return any(await self._operators.view(call.contract, call.data, 1))

    def status(self) -> dict[str, Any]:
        """For people: what waits, what is in the way, how far the orders were read."""
        sending, listening = self._manager.status, self._listening.status()
        return {
            "queued": sending.queued,
            "sent": sending.sent,
            "block": listening.block,
            "commands": listening.commands,
            "unusable": list(listening.unusable[-3:]),
            "trouble": sending.trouble or self._outbox.stuck or listening.trouble or self._reporter.trouble,
        }

    async def close(self) -> None:
        await self._side.close()
