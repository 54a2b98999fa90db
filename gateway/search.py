"""When a device that is gone is looked for, and where: order, bounds and back-off of one device's search.

Pure: it is told the time and how long the device is gone, and says who may be asked. It refuses addresses
that the installer did not agree to, the one that the device's own task is trying already, and those that
another device of the site is well at. It asks nobody.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

AWAY_MS = 120_000  # a restart or new firmware takes a device a minute or two
STRANGER_MS = 15_000  # where another device answers, it will not come back by itself
HINT_MS = 10_000  # one address, at which it was before
PAUSE_FIRST_MS = 5 * 60_000
PAUSE_MOST_MS = 6 * 3600_000


@dataclass(slots=True)
class Search:
    """`home` is the host that site.yaml names, `among` is where else it may be looked for. `random` gives
    [0, 1)."""

    home: str
    among: tuple[str, ...]
    random: Callable[[], float]
    hint: str = ""  # where it was found last
    rounds: int = 0  # without success, since it was found or gone
    _hinted: bool = False  # whether the hint was tried in this absence
    _next_ms: int = field(default=0)

    def remember(self, host: str) -> None:
        """Where it was found by a process before this one, if site.yaml still agrees to that."""
        self.hint = host if host in self.among else ""

    def due(self, now_ms: int, gone_ms: int, *, stranger: bool) -> bool:
        """Whether to begin a round: it is gone so long, and `stranger`: another answers in its place."""
        patience_ms = STRANGER_MS if stranger else AWAY_MS
        if self._first():
            patience_ms = min(patience_ms, HINT_MS)
        return gone_ms >= patience_ms and now_ms >= self._next_ms

    def whom(self, at: str, taken: frozenset[str]) -> tuple[str, ...]:
        """Whom to ask in this round, one after the other. `at` is the host that its link goes to now."""
        wanted = (self.hint,) if self._first() else (self.home, self.hint, *self.among)
        return tuple(host for host in dict.fromkeys(wanted) if host and host != at and host not in taken)

    def missed(self, now_ms: int) -> None:
        """A round ended without it: the next one comes later, and later each time."""
        if self._first():
            self._hinted = True
            return
        pause_ms = min(PAUSE_FIRST_MS << min(self.rounds, 16), PAUSE_MOST_MS)
        self._next_ms = now_ms + round(pause_ms * (0.5 + self.random() / 2))
        self.rounds += 1

    def found(self, now_ms: int, host: str) -> None:
        """It is there; or, with `home`, where site.yaml says."""
        self.remember(host)
        self._next_ms = now_ms + PAUSE_FIRST_MS // 2  # one that comes and goes is not looked for all the time
        self.back()

    def back(self) -> None:
        """It is well: what comes is another absence."""
        self.rounds, self._hinted = 0, False

    def _first(self) -> bool:
        return bool(self.hint) and not self._hinted
