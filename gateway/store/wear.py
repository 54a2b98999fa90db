"""What the card pays: bytes written, how many a day, and for how long a card of known endurance bears it.

Counted is what this process had written to disks, by the kernel's word (/proc/self/io); where the kernel says
nothing it is reckoned from the commits. It refuses to foretell before a day's habits are known, or without
`store.endurance`. What the card does inside with each small write is the card's secret (docs/durability.md).

What was counted is committed with the readings, at no cost of its own: a power cut forgets a few minutes.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway import units
from gateway.clock import Clock
from gateway.site import StoreSettings
from gateway.store import Store, cursors
from gateway.store.recorder import Recorder
from gateway.store.retention import AGE_STEP_MS

DAY_MS = 86_400_000
LOOK_S = 300.0
LEVEL = "<4>"  # in the journal: a warning
KNOWN_MS = DAY_MS // 24  # before, an hour of habits is no day's
WINDOW_MS = 14 * DAY_MS  # then half of it is forgotten: what was changed in site.yaml shows within a week
SHORT_DAYS = 2 * 365  # the next visit or the one after it

# Fitted to what the kernel counted on ext4 (tests/gateway/test_store_wear.py holds it to that): a commit, a
# byte of a row (its log, its page, its index, its deletion), and a pass of the retention that deletes.
COMMIT_BYTES = 6500
ROW_BYTES = 90
VALUE_BYTES = 4
TIMES_WRITTEN = 4
PASS_BYTES = 10_500

TOTAL, RECENT, RECENT_MS = "card bytes", "card bytes of late", "card time of late"  # cursors


@dataclass(frozen=True, slots=True)
class Wear:
    """`total_bytes` since the store was made. None: not known yet, or no endurance is given."""

    total_bytes: int
    day_bytes: int | None
    measured: bool
    life_days: int | None
    note: str  # for whoever maintains the site; empty when there is nothing to see to


def estimate(commits: int, samples: int, values: int, span_ms: int) -> int:
    """Bytes that so many commits of so many samples write in `span_ms`, their deletion included."""
    rows = ROW_BYTES * samples + VALUE_BYTES * values
    passes = span_ms // AGE_STEP_MS
    return COMMIT_BYTES * commits + TIMES_WRITTEN * rows + PASS_BYTES * passes


def life_days(endurance_bytes: int, total_bytes: int, day_bytes: int | None) -> int | None:
    """For how long a card bears it that has borne `total_bytes`."""
    if not endurance_bytes or not day_bytes:
        return None
    return max(0, endurance_bytes - total_bytes) // day_bytes


def process_bytes(path: Path = Path("/proc/self/io")) -> int | None:
    """What this process had written to disks since it began; None where the kernel does not count."""
    try:
        text = path.read_text("ascii")
    except OSError:
        return None
    found = [line.split()[1] for line in text.splitlines() if line.startswith("write_bytes: ")]
    return int(found[0]) if found and found[0].isdigit() else None


class Meter:
    """Counts on from where the last start left off. `say` is told once when the card's life is short."""

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        settings: StoreSettings,
        clock: Clock,
        say: Callable[[str], None],
        counted: Callable[[], int | None] = process_bytes,
    ) -> None:
        self._store, self._recorder, self._clock, self._say = store, recorder, clock, say
        self._endurance_bytes = settings.endurance_bytes
        self._counted = counted
        self._first = counted()
        self._began_ms = self._seen_ms = clock.mono_ms()
        self._seen_bytes = 0
        self._total = self._recent = self._recent_ms = 0
        self._told = False

    async def run(self) -> None:
        self._total = await self._store.call(cursors.get, TOTAL)
        self._recent = await self._store.call(cursors.get, RECENT)
        self._recent_ms = await self._store.call(cursors.get, RECENT_MS)
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                self._look()
                note = self.wear().note
                if note and not self._told:
                    self._told = True
                    self._say(LEVEL + note)
        except asyncio.CancelledError:
            self._look()  # the recorder's last commit takes it along
            raise

    def wear(self) -> Wear:
        known = self._recent_ms >= KNOWN_MS
        day_bytes = self._recent * DAY_MS // self._recent_ms if known else None
        days = life_days(self._endurance_bytes, self._total, day_bytes)
        short = days is not None and days < SHORT_DAYS and self._recent_ms >= DAY_MS
        return Wear(self._total, day_bytes, self._first is not None, days, _note(days) if short else "")

    def _look(self) -> None:
        """Add what was written since the last look."""
        now_ms, written = self._clock.mono_ms(), self._written()
        more, passed_ms = max(0, written - self._seen_bytes), now_ms - self._seen_ms
        self._seen_bytes, self._seen_ms = written, now_ms
        self._total += more
        self._recent += more
        self._recent_ms += passed_ms
        if self._recent_ms > WINDOW_MS:
            self._recent, self._recent_ms = self._recent // 2, self._recent_ms // 2
        for name, number in ((TOTAL, self._total), (RECENT, self._recent), (RECENT_MS, self._recent_ms)):
            self._recorder.advance(name, number)

    def _written(self) -> int:
        """Since this object was made."""
        now = self._counted() if self._first is not None else None
        if self._first is not None and now is not None:
            return now - self._first
        recorder = self._recorder
        span_ms = self._clock.mono_ms() - self._began_ms
        return estimate(recorder.commits, recorder.samples, recorder.stored, span_ms)


def _note(days: int | None) -> str:
    return (
        f"the card's endurance (store.endurance) lasts {units.days(days or 0)} at the pace of late:"
        " plan its replacement, or raise store.commit"
    )
