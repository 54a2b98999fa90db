"""Orders from Clarity contracts: their read-only state, asked at one anchored block that is deep enough.

It owns the cursor: how many requests to this facility were handed on, and which was the last. It moves on
disk only after `submit` has taken the request, and `submit` knows ids, so a stop in between repeats nothing;
when a deeper fork replaced the last one, the batch before is asked for again. What is over is passed by. It
refuses to act on an untrusted clock and on disagreement.
"""

import asyncio
import sqlite3

from gateway.chain.handover import Handover, InboxStatus, Submit
from gateway.chain.platforms.calls import Order, Unusable
from gateway.chain.platforms.stacks import StacksPlatform
from gateway.chain.stacks.client import Anchor
from gateway.chain.stacks.operators import Operators
from gateway.clock import Clock
from gateway.store import Store, cursors

CURSOR = "stacks-requests"
BATCH = 32  # requests of one round


class Requests:
    """`run` until cancelled; ChainError when the chain cannot be believed (run it again later)."""

    def __init__(
        self,
        store: Store,
        operators: Operators,
        platform: StacksPlatform,
        clock: Clock,
        submit: Submit,
        *,
        depth: int,
        poll_ms: int = 4000,
    ) -> None:
        self._store = store
        self._handover = Handover(store, clock, submit)
        self._operators = operators
        self._platform = platform
        self._depth = depth
        self._poll_s = poll_ms / 1000
        self._place, self._newest = -1, ""
        self._height = 0
        self._suggested = ""  # the id of the newest suggestion that was handed on

    @property
    def status(self) -> InboxStatus:
        return self._handover.status(self._height, self._height)

    async def run(self) -> None:
        while True:
            if not await self.tick():
                await asyncio.sleep(self._poll_s)

    async def tick(self) -> bool:
        """Take at most a batch of requests, and the suggestion. True when there are more to take now."""
        if not self._handover.ready():
            return False
        await self._operators.ensure()
        if self._place < 0:
            self._place, self._newest = await self._store.call(_load, self._platform.facility)
        at = await self._operators.anchor(self._depth)
        await self._go_back(at)
        more = await self._take_requests(at)
        await self._take_suggestion(at)
        self._height = at.height
        return more

    async def _go_back(self, at: Anchor) -> None:
        """Where the newest request is no longer the one that was handed on, a batch is heard once more."""
        if not self._newest:
            return
        said = await self._operators.read(self._platform.request(self._place), at)
        if self._platform.request_id(said) != self._newest:
            self._place, self._newest = max(0, self._place - BATCH), ""

    async def _take_requests(self, at: Anchor) -> bool:
        for _ in range(BATCH):
            said = await self._operators.read(self._platform.request(self._place + 1), at)
            if said is None:
                return False
            await self._hand_on(self._platform.read_request(said), at)
            self._place, self._newest = self._place + 1, self._platform.request_id(said)
            await self._store.call(cursors.put, CURSOR, self._place, self._note())
        return True

    def _note(self) -> str:
        return f"{self._platform.facility} {self._newest}"

    async def _take_suggestion(self, at: Anchor) -> None:
        said = await self._operators.read(self._platform.suggestion, at)
        if said is None:
            return
        found = self._platform.read_suggestion(said)
        name = found.command.id if isinstance(found, Order) else found.reason
        if name != self._suggested:
            await self._hand_on(found, at)
            self._suggested = name

    async def _hand_on(self, found: Order | Unusable | None, at: Anchor) -> None:
        if isinstance(found, Unusable):
            self._handover.unusable(found.reason)
        elif found and found.command.not_after_ms > at.time_s * 1000:
            await self._handover.order(found)


def _load(conn: sqlite3.Connection, source: str) -> tuple[int, str]:
    """How many requests of this source were handed on, and the last; another contract's count is none."""
    known, _, newest = cursors.get_text(conn, CURSOR).partition(" ")
    return (cursors.get(conn, CURSOR, 0), newest) if known == source else (0, "")
