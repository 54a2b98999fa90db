"""Orders that were heard on a chain, of whatever kind, on their way to who carries them out.

It owns how many were handed on, what could not be used, and what keeps orders waiting. It refuses to hand on
by an untrusted clock; where to go on listening after a stop is for who hears: gateway.chain.inbox and
gateway.chain.stacks.orders.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.chain.platforms.calls import Order
from gateway.clock import Clock
from gateway.errors import ChainError
from gateway.model import ClockTrust, Command
from gateway.store import Store, intents

UNUSABLE_KEPT = 32

Submit = Callable[[Command], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class InboxStatus:
    """For people: how far the inbox has read, how far it could, and what is in its way."""

    block: int
    finalised: int
    commands: int
    skipped_blocks: int
    unusable: tuple[str, ...]
    trouble: str


class Handover:
    """Counts from the start of the process on."""

    def __init__(self, store: Store, clock: Clock, submit: Submit) -> None:
        self._store = store
        self._clock = clock
        self._submit = submit
        self._commands = 0
        self._unusable: deque[str] = deque(maxlen=UNUSABLE_KEPT)
        self._trouble = ""

    def status(self, block: int, finalised: int, skipped_blocks: int = 0) -> InboxStatus:
        unusable = tuple(self._unusable)
        return InboxStatus(block, finalised, self._commands, skipped_blocks, unusable, self._trouble)

    def ready(self) -> bool:
        """Whether it is worth listening now; if not, the status says why."""
        trusted = self._trusted
        self._trouble = "" if trusted else "orders wait until the clock is synchronised"
        return trusted

    @property
    def _trusted(self) -> bool:
        return self._clock.now().trust is ClockTrust.TRUSTED

    def unusable(self, reason: str) -> None:
        """Note for people what was heard and cannot be obeyed."""
        self._unusable.append(reason)

    async def order(self, order: Order) -> None:
        """Hand it on; when this returns, it is durable."""
        if not self._trusted:
            raise ChainError("the clock is no longer synchronised: an order waits")
        if order.reference:
            await self._store.call(intents.refer, order.command.id, order.reference)
        await self._submit(order.command)
        self._commands += 1
