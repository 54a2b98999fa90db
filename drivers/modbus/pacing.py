"""Whose turn it is on a link, and who has to wait after failing.

Turns: one holder at a time, writers before readers, first come first served within each. Backoff: after
failures a key (a unit, or the link itself) is refused at once until a growing, jittered time has passed,
so that what is dead does not slow what lives. Neither sends anything.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.errors import LinkError

WRITE, READ = 0, 1  # lanes, served in this order

# Callers are one poll loop and one control loop a device; a serial line carries at most 247 devices, and a
# queue this long on one link already means minutes of delay. More is a fault, not a load.
WAITING_MAX = 256


class Turns:
    """A lock with a fast lane. Cancelling a waiter passes its turn on."""

    def __init__(self) -> None:
        self._held = False
        self._lanes: tuple[deque[asyncio.Future[None]], ...] = (deque(), deque())

    async def enter(self, lane: int) -> None:
        """Wait for the turn. LinkError when too many wait already."""
        if not self._held:
            self._held = True
            return
        if sum(map(len, self._lanes)) >= WAITING_MAX:
            raise LinkError(
                f"{WAITING_MAX} requests already wait for this link: poll slower or split the bus"
            )
        turn = asyncio.get_running_loop().create_future()
        self._lanes[lane].append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            with suppress(ValueError):
                self._lanes[lane].remove(turn)
            if not turn.cancelled():  # the turn had just been given to us
                self.leave()
            raise

    def leave(self) -> None:
        """Give the turn to the next waiter, writers first."""
        for lane in self._lanes:
            while lane:
                turn = lane.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._held = False


@dataclass(slots=True)
class _Record:
    failures: int
    until_ms: int


class Backoff:
    """Refusal times by key. `free` failures cost nothing; then base, doubling to most, times 0.5 to 1.

    `jitter` gives a random number in 0..1: devices that died together must not come back together.
    """

    def __init__(
        self, clock: Clock, jitter: Callable[[], float], *, free: int, base_ms: int, most_ms: int
    ) -> None:
        self._clock, self._jitter = clock, jitter
        self._free, self._base_ms, self._most_ms = free, base_ms, most_ms
        self._records: dict[Hashable, _Record] = {}  # bounded by its keys: 256 units, or one link

    def remaining_ms(self, key: Hashable) -> int:
        """How long `key` is still refused; 0 when it may try."""
        record = self._records.get(key)
        return 0 if record is None else max(0, record.until_ms - self._clock.mono_ms())

    def failed(self, key: Hashable) -> None:
        record = self._records.setdefault(key, _Record(0, 0))
        record.failures += 1
        paid = record.failures - self._free
        if paid > 0:
            delay_ms = min(self._base_ms << min(paid - 1, 30), self._most_ms)
            record.until_ms = self._clock.mono_ms() + round(delay_ms * (0.5 + 0.5 * self._jitter()))

    def succeeded(self, key: Hashable) -> None:
        self._records.pop(key, None)
