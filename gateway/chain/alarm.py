"""Emergency stops from the chain, heard at its head: a stop only narrows, so it need not wait for finality.

Each new block on which the endpoints agree is read for stops alone. One that a reorg takes back has stopped
the site all the same, until a person releases it; the same transaction mined again is the same stop. It
keeps nothing on disk: what it missed while the daemon was away the inbox finds when it is final.
"""

import asyncio

from gateway.chain.handover import Submit
from gateway.chain.platforms import EventPlatform
from gateway.chain.platforms.calls import Order
from gateway.chain.quorum import Quorum
from gateway.model import ServiceKind

BEHIND_MAX = 64  # blocks read after an outage; the inbox has the older ones sooner or later


class Alarm:
    """`run` until cancelled; ChainError when the chain cannot be believed (run it again later)."""

    def __init__(
        self, quorum: Quorum, platform: EventPlatform, submit: Submit, *, poll_ms: int = 4000
    ) -> None:
        self._quorum = quorum
        self._platform = platform
        self._submit = submit
        self._poll_s = poll_ms / 1000
        self._next: int | None = None

    async def run(self) -> None:
        while True:
            await self.tick()
            await asyncio.sleep(self._poll_s)

    async def tick(self) -> None:
        """Read the blocks since the last time, at the first time the newest one."""
        await self._quorum.ensure()
        head = (await self._quorum.head()).number
        first = head if self._next is None else max(self._next, head + 1 - BEHIND_MAX)
        for number in range(first, head + 1):
            await self._read(number)
            self._next = number + 1

    async def _read(self, number: int) -> None:
        block = await self._quorum.block(number)
        for log in await self._quorum.logs(block, self._platform.watched, self._platform.stop_topics):
            found = self._platform.read_event(log, block)
            if isinstance(found, Order) and found.command.kind is ServiceKind.STOP:
                await self._submit(found.command)
