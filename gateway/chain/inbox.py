"""Orders from the chain: finalised blocks one after the other, each log handed on at most once.

It owns the cursor. A block is read only when it is the child of the one before, its logs by its hash; the
cursor moves on disk only after `submit` has taken every command of the block, and `submit` knows ids, so a
stop in between repeats nothing. It refuses to act on an untrusted clock, on disagreement, on unfinalised
blocks.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable

from gateway.chain.handover import Handover, InboxStatus, Submit
from gateway.chain.platforms import EventPlatform
from gateway.chain.platforms.calls import Order, Signal, Unusable
from gateway.chain.quorum import Quorum
from gateway.chain.shapes import Block
from gateway.clock import Clock
from gateway.errors import ChainError
from gateway.store import Store, cursors

CURSOR = "inbox"
BATCH = 64  # blocks between two looks at the finalised head; the cursor is stored at least as often
# Further behind, blocks are skipped: a day at 2 s a block (the longest command), three hours at a quarter of
# a second; reading them all would hold up the orders of the present for hours.
BEHIND_MAX = 43_200

Signalled = Callable[[Signal], Awaitable[str]]  # what is wrong with it; empty if nothing


class Inbox:
    """`run` until cancelled; ChainError when the chain cannot be believed (run it again later).

    `start_block` is where a new site begins to listen; 0: at the block that is finalised now.
    """

    def __init__(
        self,
        store: Store,
        quorum: Quorum,
        platform: EventPlatform,
        clock: Clock,
        submit: Submit,
        signalled: Signalled,
        *,
        start_block: int = 0,
        poll_ms: int = 4000,
    ) -> None:
        self._store = store
        self._handover = Handover(store, clock, submit)
        self._quorum = quorum
        self._platform = platform
        self._signal = signalled
        self._start_block = start_block
        self._poll_s = poll_ms / 1000
        self._number, self._hash = -1, ""
        self._finalised = self._skipped = 0

    @property
    def status(self) -> InboxStatus:
        return self._handover.status(self._number, self._finalised, self._skipped)

    async def run(self) -> None:
        while True:
            if not await self.tick():
                await asyncio.sleep(self._poll_s)

    async def tick(self) -> bool:
        """Read at most a batch of blocks. True when there are more to read now."""
        if not self._handover.ready():
            return False
        await self._quorum.ensure()
        final = await self._quorum.finalised()
        self._finalised = final.number
        if self._number < 0:
            await self._begin(final)
        if final.number - self._number > BEHIND_MAX:
            await self._skip(final.number - BEHIND_MAX)
        last = min(final.number, self._number + BATCH)
        while self._number < last:
            await self._read(await self._quorum.block(self._number + 1))
        if self._number == final.number and self._hash != final.hash:
            raise ChainError(
                f"block {final.number} was finalised with another hash before: nothing is obeyed"
            )
        await self._save()
        return self._number < final.number

    async def _begin(self, final: Block) -> None:
        number, name = await self._store.call(_load)
        if not name:
            first = min(self._start_block or final.number + 1, final.number + 1)
            # The parent of the first block that counts; before the first there is nothing to obey.
            before = await self._quorum.block(first - 1) if first <= final.number else final
            number, name = before.number, before.hash
        self._number, self._hash = number, name

    async def _skip(self, number: int) -> None:
        block = await self._quorum.block(number)
        self._skipped += number - self._number
        self._number, self._hash = block.number, block.hash

    async def _read(self, block: Block) -> None:
        if block.parent != self._hash:
            raise ChainError(
                f"block {block.number} does not follow the finalised block {self._number} seen before: the"
                " chain was replaced, or its endpoints lie; nothing is obeyed"
            )
        logs = await self._quorum.logs(block, self._platform.watched, self._platform.topics)
        for log in logs:
            found = self._platform.read_event(log, block)
            match found:
                case Unusable(reason):
                    self._handover.unusable(reason)
                case Signal():
                    if problem := await self._signal(found):
                        self._handover.unusable(problem)
                case Order():
                    await self._handover.order(found)
        self._number, self._hash = block.number, block.hash
        if logs:
            await self._save()

    async def _save(self) -> None:
        await self._store.call(_save, self._number, self._hash)


def _load(conn: sqlite3.Connection) -> tuple[int, str]:
    return cursors.get(conn, CURSOR, -1), cursors.get_text(conn, CURSOR)


def _save(conn: sqlite3.Connection, number: int, name: str) -> None:
    if cursors.get(conn, CURSOR, -1) != number:
        cursors.put(conn, CURSOR, number, name)
