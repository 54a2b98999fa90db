"""Invariant 12: how many orders a source may give, and how many writes a device's memory may take.

Rates are counted in memory, over the last minute; budgets in the store, before the writes are made, in
small blocks, so that a crash loses at most a block and never gains one.
"""

from collections import deque

from gateway.journal import Journal
from gateway.lease import Hand, Hold
from gateway.model import Source, Stamp
from gateway.store import commands

MINUTE_MS = 60_000
DAY_MS = 86_400_000
BLOCK_PARTS = 10  # of a day's budget: what one crash may cost


class Rates:
    """A sliding minute for each source."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._taken: dict[Source, deque[int]] = {source: deque(maxlen=per_minute) for source in Source}

    def take(self, source: Source, now_ms: int) -> bool:
        """Count one order; False when the minute is full (it is then not counted)."""
        taken = self._taken[source]
        while taken and taken[0] <= now_ms - MINUTE_MS:
            taken.popleft()
        if len(taken) >= self._per_minute:
            return False
        taken.append(now_ms)
        return True


class Budget:
    """Grants a hand writes of its device's daily budget, each block durable before it is granted."""

    def __init__(self, journal: Journal, hand: Hand) -> None:
        self._journal = journal
        self._hand = hand
        self._asked = False
        self._spent_day = -1

    def settle(self, hold: Hold, now: Stamp) -> None:
        """Ask for the next block when the last one runs out, unless the day's budget is gone."""
        per_day = hold.spec.writes_per_day if hold.spec else 0
        day = now.wall_ms // DAY_MS
        block = max(1, per_day // BLOCK_PARTS)
        if per_day == 0 or self._asked or self._spent_day == day or hold.allowance * 2 > block:
            return
        self._asked = True

        def stored(total: int) -> None:
            self._asked = False
            over = max(0, total - per_day)
            if over >= block:
                self._spent_day = day
            else:
                self._hand.grant(block - over)

        self._journal.put(commands.spend, hold.device, day, block, done=stored)

    def used_up(self, hold: Hold) -> bool:
        return bool(hold.spec and hold.spec.writes_per_day and hold.allowance < 1)
