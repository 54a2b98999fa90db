"""Keeps the daemon's parts alive: the one place where expected failures are handled.

A part that raises LinkError or ChainError is started again after a pause that grows with jitter; what it
said is kept for the status. Anything else, a StoreError above all, ends the whole task group: the daemon
puts the battery into its fallback and exits, and systemd starts it clean. Bugs are never survived.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.errors import ChainError, LinkError

PAUSE_FIRST_S = 0.5
PAUSE_MOST_S = 60.0  # a broker or RPC that is back is used again within a minute
PROVEN_S = 15.0  # an attempt that lives so long has got through: links and chains give up sooner
STEADY_S = 120.0  # after running this long, a part's next failure counts as its first


@dataclass(frozen=True, slots=True)
class Trouble:
    """The last expected failure of a part: what it said, when, and how often in a row."""

    message: str
    at_mono_ms: int
    failures: int


class Supervisor:
    """`random` gives [0, 1): jitter, so that a fleet does not come back as one."""

    def __init__(self, clock: Clock, random: Callable[[], float]) -> None:
        self._clock = clock
        self._random = random
        self._troubles: dict[str, Trouble] = {}
        self._tried_ms: dict[str, int] = {}  # parts in trouble that are being tried again: since when

    @property
    def troubles(self) -> Mapping[str, Trouble]:
        """Parts that failed and have not proven since that they run, by name. An attempt alone is no news: a
        broker that swallows packets fails each of them after ten seconds, for as long as it is away."""
        for name, since_ms in list(self._tried_ms.items()):
            if self._clock.mono_ms() - since_ms >= PROVEN_S * 1000:
                del self._troubles[name], self._tried_ms[name]
        return self._troubles

    async def keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` until it returns; run it again when it fails as links and chains do."""
        failures = 0
        while True:
            began = self._clock.mono_ms()
            try:
                await work()
            except (LinkError, ChainError) as error:
                steady = self._clock.mono_ms() - began > STEADY_S * 1000
                failures = 1 if steady else failures + 1
                self._tried_ms.pop(name, None)
                self._troubles[name] = Trouble(str(error), self._clock.mono_ms(), failures)
                await asyncio.sleep(self._pause_s(failures))
                self._tried_ms[name] = self._clock.mono_ms()
            else:
                return

    def _pause_s(self, failures: int) -> float:
        longest: float = min(PAUSE_MOST_S, PAUSE_FIRST_S * 2 ** min(failures - 1, 16))
        return longest * (0.5 + self._random() / 2)
