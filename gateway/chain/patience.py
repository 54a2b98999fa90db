"""How long a site waits for a relayer to bring its records before it sends them itself.

The wait begins when a record is there and none waited before, or when a relayer brought one, and is durable:
a site that is restarted every hour must not wait for ever. Once it is over the site sends all that waits,
until nothing does; then the relayer has its turn again. It refuses to count by a calendar that is not
trusted.
"""

from gateway.clock import Clock
from gateway.model import ClockTrust
from gateway.store import Store, cursors

CURSOR = "waits for a relayer"  # since when, Unix ms; 0: nothing waits


class Patience:
    """`longest_ms` 0: no relayer is waited for."""

    def __init__(self, store: Store, clock: Clock, longest_ms: int) -> None:
        self._store = store
        self._clock = clock
        self._longest_ms = longest_ms

    async def over(self, *, waiting: bool) -> bool:
        """Whether the site sends its own records now; `waiting`: there are some."""
        if not self._longest_ms:
            return True
        now = self._clock.now()
        if now.trust is not ClockTrust.TRUSTED:
            return False
        since_ms = await self._store.call(cursors.get, CURSOR)
        if waiting and 0 < since_ms <= now.wall_ms:
            return now.wall_ms - since_ms >= self._longest_ms
        if waiting or since_ms:
            await self._store.call(cursors.put, CURSOR, now.wall_ms if waiting else 0)
        return False

    async def brought(self) -> None:
        """Somebody else submitted a record: what waits now has its own wait."""
        if self._longest_ms:
            await self._store.call(cursors.put, CURSOR, 0)

    @property
    def words(self) -> str:
        return f"no relayer has brought records for {self._longest_ms // 60_000} min: the site sends its own"
