"""Control's way to the store: a short queue, so that a slow card never holds up a cycle.

Entries are written in their order, each with an optional answer. After the first failure it takes
nothing more and says so: whoever asks sees `failed`. A full queue is a failure too, for then the disk is
as good as gone. It refuses to retry: after a failed sync a second try proves nothing.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.errors import StoreError

ROOM = 256  # a minute of the busiest site: a few orders, their begins and ends


class Store(Protocol):
    """What is needed of gateway.store.Store."""

    async def call(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class Entry:
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    done: Callable[[Any], None] | None


class Journal:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._entries: deque[Entry] = deque()
        self._filled = asyncio.Event()
        self._lock = asyncio.Lock()
        self.failed = ""

    def put(self, fn: Callable[..., Any], *args: Any, done: Callable[[Any], None] | None = None) -> None:
        """Have `store.call(fn, *args)` made, then `done(its result)`. Returns at once."""
        if len(self._entries) >= ROOM:
            self.fail("the store does not keep up with control")
        if not self.failed:
            self._entries.append(Entry(fn, args, done))
            self._filled.set()

    def fail(self, text: str) -> None:
        """Somebody saw the store fail: from now on nothing is taken. The first word stays."""
        self.failed = self.failed or text
        self._filled.set()  # `run` ends

    async def run(self) -> None:
        """Write entries until cancelled, or until the store fails."""
        while not self.failed:
            self._filled.clear()
            await self._drain()
            await self._filled.wait()

    async def drain(self, timeout_s: float) -> bool:
        """Write what is left, also when `run` has ended; whether it was written in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._drain()
        except TimeoutError:
            return False
        return not self.failed

    async def _drain(self) -> None:
        async with self._lock:
            while self._entries and not self.failed:
                entry = self._entries.popleft()
                try:
                    result = await self._store.call(entry.fn, *entry.args)
                except StoreError as error:
                    self.fail(str(error))
                    return
                if entry.done is not None:
                    entry.done(result)
