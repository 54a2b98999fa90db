"""Asks the sites for their signed records, some at a time, each at its own pace.

Owns who is asked when. What a site says is judged by gateway.fleet.page; what the contract has is asked of
the chain. A site that is down, slow or lying costs one worker its deadline and nobody else anything.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.chain.outbox import SEQUENCE_MAX
from gateway.chain.platforms.artifacts import calldata
from gateway.clock import Clock
from gateway.errors import ChainError, ConfigError, LinkError
from gateway.fleet import flights
from gateway.fleet.member import Member
from gateway.fleet.page import ARTIFACT, Chained, Place, Walk, read
from gateway.fleet.settings import FleetSite
from gateway.store import Store

WORKERS = 16
PAGES_MAX = 64  # in one look, over records that the contract has no room for; the next look goes on
IDLE_S = 0.5


class Pages(Protocol):
    """The sites' REST."""

    async def page(self, site: FleetSite, after: int) -> bytes: ...


class Views(Protocol):
    """Contracts as several operators agree that they answer."""

    async def view(self, to: str, data: bytes, depth: int = 1) -> bytes: ...


class Gatherer:
    """`run` until cancelled. `random` gives [0, 1): jitter, so that a fleet is not asked as one."""

    def __init__(
        self,
        members: Sequence[Member],
        pages: Pages,
        views: Views,
        store: Store,
        clock: Clock,
        random: Callable[[], float],
        *,
        chain_id: int,
        poll_ms: int,
    ) -> None:
        self._members = members
        self._pages = pages
        self._views = views
        self._store = store
        self._clock = clock
        self._random = random
        self._chain_id = chain_id
        self._poll_ms = poll_ms

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(WORKERS, len(self._members))):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            if (member := self._next()) is None:
                await asyncio.sleep(IDLE_S)
            else:
                await self.look(member)

    def _next(self) -> Member | None:
        """Whoever is overdue longest."""
        now_ms = self._clock.mono_ms()
        due = [m for m in self._members if m.due_ms <= now_ms and not m.busy and not m.flying]
        return min(due, key=lambda m: m.due_ms, default=None)

    async def look(self, member: Member) -> None:
        """Ask one site; what goes wrong is its own trouble."""
        member.busy = True
        try:
            again_ms = await self._look(member)
        except (LinkError, ChainError, ConfigError) as error:
            member.failed(str(error), self._clock.mono_ms(), self._poll_ms, self._random())
        else:
            member.due_ms = self._clock.mono_ms() + again_ms
        finally:
            member.busy = False

    async def _look(self, member: Member) -> int:
        """In how many ms to look again."""
        if member.last is None and not await self._ask_contract(member):
            return 0
        assert member.last is not None
        at = Place(member.last, member.key)
        walk, member.walk = member.walk, None
        if walk is None or walk.at != at:
            walk = Walk(at, Chained(member.site.name, self._chain_id, member.site.contract))
        more = True
        for _ in range(PAGES_MAX):
            try:
                found = read(await self._pages.page(member.site, walk.after))
            except ValueError as error:
                member.distrust(str(error))
                raise LinkError(f"{member.site.url}: {error}") from None
            if not (more := walk.page(found)):
                break
        if walk.waiting and not walk.pieces and not walk.wrong:
            member.walk = walk
        again_ms = self._take(member, at, walk)
        return 0 if more else again_ms

    def _take(self, member: Member, at: Place, walk: Walk) -> int:
        if member.flying or (member.last, member.key) != (at.sequence, at.key):
            return 0  # meanwhile what was known before has gone on its way
        member.distrust(walk.wrong)
        if walk.key not in ("", at.key):  # it handed over, and the contract has seen that
            member.key, member.last = walk.key, None
            return 0
        member.found(tuple(walk.pieces), self._clock.mono_ms())
        ended = f"its key {at.key} was revoked: name the next one in fleet.yaml" if not walk.key else ""
        member.heard(ended or walk.wrong or walk.waiting)
        return int(self._poll_ms * (0.75 + self._random() / 2))

    async def _ask_contract(self, member: Member) -> bool:
        """How far the contract is. False: something of the site is on its way, of this start or another."""
        if key := await self._store.call(flights.of, member.site.name):
            member.flying = key
            return False
        data = calldata(ARTIFACT, "lastSequence", member.key)
        word = await self._views.view(member.site.contract, data)
        if len(word) != 32 or int.from_bytes(word, "big") > SEQUENCE_MAX:
            raise ChainError(f"the contract {member.site.contract} answered lastSequence with no sequence")
        member.stands(int.from_bytes(word, "big"))
        return True
