"""The relayer as a process: makes and wires its parts, keeps them running, tells how it is, ends in order.

It owns the store, the sessions and the local socket. One site's trouble is that site's; the chain's is tried
again; a failed store ends the process, and systemd starts it again.
"""

import asyncio
import os
import random as randomness
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any

from gateway import narrate, stopping
from gateway.chain import transaction
from gateway.chain.endpoint import endpoint_name
from gateway.chain.quorum import Quorum
from gateway.chain.rpc import HttpPost, Rpc
from gateway.chain.send_state import Policy
from gateway.chain.txmgr import TxManager
from gateway.clock import Clock, SystemClock
from gateway.errors import ChainError, GridsealError
from gateway.evidence.signer import Signer, open_signer
from gateway.fleet.ask import Sites
from gateway.fleet.gather import Gatherer
from gateway.fleet.member import Member
from gateway.fleet.relayer import Relayer
from gateway.fleet.settings import Fleet
from gateway.notify import Notifier
from gateway.site import StoreSettings
from gateway.store import Store
from gateway.supervisor import Supervisor
from gateway.uplink.local import LocalServer

ALIVE_S = 10.0  # the unit's watchdog waits several of these
CHECK_S = 20.0  # at the start, for the chain to say that it is the right one
TROUBLES_MAX = 64  # told of in one status; a thousand sites that are away are one trouble, not a thousand


class Process:
    """`run` returns after `stop` (or SIGTERM, SIGINT) with everything closed."""

    def __init__(
        self,
        fleet: Fleet,
        *,
        clock: Clock | None = None,
        random: Callable[[], float] = randomness.random,
        environ: Mapping[str, str] = os.environ,
        signer: Signer | None = None,
    ) -> None:
        self._fleet = fleet
        self._clock = clock or SystemClock(assume_synchronised=fleet.trust_host_clock)
        self._random = random
        self._signer = signer or open_signer(fleet.key)
        self._sites = Sites(fleet.sites)
        self._supervisor = Supervisor(self._clock, random)
        self._notifier = Notifier(environ)
        self._journal = "JOURNAL_STREAM" in environ
        self._stopping = asyncio.Event()
        self.members = [Member(site, fleet.a_day) for site in fleet.sites]
        self.store = Store(StoreSettings(fleet.store), self._clock)

    @property
    def address(self) -> str:
        """Who pays."""
        return self._signer.address

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        """Until stopped. StoreError or ConfigError, one line, when it cannot go on."""
        try:
            async with AsyncExitStack() as stack:
                await self.store.open()
                stack.push_async_callback(self.store.close)
                stack.push_async_callback(self._sites.close)
                stack.enter_context(stopping.by_signals(self.stop))
                await self._run_parts(stack)
        except* GridsealError as failed:
            raise _first(failed) from None
        finally:
            self._notifier.close()

    async def _run_parts(self, stack: AsyncExitStack) -> None:
        quorum = await self._reach(stack)
        settings = self._fleet.chain
        self._manager = TxManager(
            self.store,
            quorum,
            self.address,
            transaction.signing(settings.chain_id, self._signer.sign),
            self._clock,
            Policy(
                confirmations=max(1, settings.confirmations),
                fee_cap_wei=settings.fee_cap_wei,
                spend_per_day_wei=settings.spend_per_day_wei,
            ),
            poll_ms=settings.poll_ms,
        )
        relayer = Relayer(
            self.members, quorum, self.store, self._clock, self._fleet.pace, self.address,
            self._manager.wake, poll_ms=settings.poll_ms,
        )  # fmt: skip
        gatherer = Gatherer(
            self.members, self._sites, quorum, self.store, self._clock, self._random,
            chain_id=settings.chain_id, poll_ms=self._fleet.poll_ms,
        )  # fmt: skip
        local = LocalServer(self._fleet.socket, {"status": self._answer})
        parts = {
            "transactions": self._manager.run,
            "relay": relayer.run,
            "sites": gatherer.run,
            "local": local.run,
        }
        async with asyncio.TaskGroup() as group:
            keep = self._supervisor.keep
            tasks = [group.create_task(keep(name, run), name=name) for name, run in parts.items()]
            tasks += [group.create_task(self._beat()), group.create_task(self._narrate())]
            self._notifier.ready(f"{len(self.members)} sites")
            self._say(f"{narrate.INFO}relaying for {len(self.members)} sites; {self.address} pays")
            await self._stopping.wait()
            self._notifier.stopping("closing the store")
            for task in tasks:
                task.cancel()

    async def _reach(self, stack: AsyncExitStack) -> Quorum:
        """ConfigError when the chain is not that of fleet.yaml; when it does not answer, it will later."""
        settings = self._fleet.chain
        posts = [HttpPost(url) for url in settings.rpc]
        for post in posts:
            stack.push_async_callback(post.close)
        endpoints = [Rpc(endpoint_name(url), post) for url, post in zip(settings.rpc, posts, strict=True)]
        contracts = tuple(settings.contracts.values())
        quorum = Quorum(endpoints, self._clock, chain_id=settings.chain_id, contracts=contracts)
        with suppress(ChainError, TimeoutError):
            async with asyncio.timeout(CHECK_S):
                await quorum.check()
        return quorum

    # ---- what people see --------------------------------------------------------------------------------

    async def _answer(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return self.status()

    def status(self) -> dict[str, Any]:
        """How the fleet does; of the troubles the first."""
        sending, members = self._manager.status, self.members
        troubles = {m.site.name: narrate.plain(m.trouble) for m in members if m.trouble}
        return {
            "payer": self.address,
            "sites": len(members),
            "heard": sum(m.last is not None or bool(m.flying) for m in members),
            "waiting": sum(len(m.pieces) for m in members),
            "flying": sum(len(m.share) for m in members),
            "brought": sum(m.brought for m in members),
            "refused": sum(m.refused for m in members),
            "calls": {"queued": sending.queued, "sent": sending.sent},
            "trouble": sending.trouble or next((t.message for t in self._supervisor.troubles.values()), ""),
            "in_trouble": len(troubles),
            "troubles": dict(list(troubles.items())[:TROUBLES_MAX]),
        }

    async def _narrate(self) -> None:
        before = narrate.Scene()
        while True:
            own = {name: trouble.message for name, trouble in self._supervisor.troubles.items()}
            sites = {m.site.name: m.trouble for m in self.members if m.trouble}
            after = narrate.Scene(troubles=sites | own)
            for line in narrate.lines(before, after):
                self._say(line)
            before = after
            await asyncio.sleep(ALIVE_S)

    async def _beat(self) -> None:
        """The event loop still turns; that the chain or a site is away is no reason to be started anew."""
        while True:
            self._notifier.alive()
            await asyncio.sleep(ALIVE_S)

    def _say(self, line: str) -> None:
        with suppress(OSError):
            print(line if self._journal else line[3:], file=sys.stderr, flush=True)


def _first(group: BaseExceptionGroup[GridsealError]) -> GridsealError:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
