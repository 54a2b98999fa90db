"""One site of a fleet as the relayer knows it now: how far its contract is, what waits, what is on its way.

State without I/O; the gatherer fills in what waits, the relayer what is on its way. A member has one call on
its way at most. It refuses to guess how far the contract is: after anything odd that is asked anew.
"""

from dataclasses import dataclass, field

from gateway.evidence.address import checksum
from gateway.fleet.page import Piece, Walk
from gateway.fleet.plan import Queue, Share
from gateway.fleet.settings import FleetSite

PAUSE_MOST_MS = 900_000  # a site that is back is heard within a quarter of an hour
SNUB_MS, SNUB_MOST_MS = 60_000, 3_600_000
DAY_MS = 86_400_000


@dataclass(slots=True)
class Member:
    """`last`: how far the contract is, None: to be asked. `flying`: the key of the intent on its way; with it
    `share`, unless the intent is of an earlier start."""

    site: FleetSite
    a_day: int
    key: str = field(init=False)  # that speaks for it now
    last: int | None = None
    reached: int = 0  # the highest `last` so far
    pieces: tuple[Piece, ...] = ()
    since_ms: int = 0
    flying: str = ""
    share: tuple[Piece, ...] = ()
    walk: Walk | None = None  # over records that the contract has no room for: it goes on, and not anew
    due_ms: int = 0  # when it is to be asked again
    busy: bool = False  # it is being asked
    failures: int = 0  # to be heard, in a row
    said: str = ""  # why it is not heard, or no more of it is taken
    wrong: str = ""  # what does not hold in its records
    snubs: int = 0  # refusals by the contract, in a row
    snub: str = ""  # the last one, in words
    held_ms: int = 0  # until when nothing of it is offered again
    refused: int = 0  # records that did not hold
    brought: int = 0  # records the contract took from us
    _day: tuple[int, int] = field(default=(0, 0))  # when it began, and what was sent since

    def __post_init__(self) -> None:
        self.key = checksum(self.site.gateway)

    def found(self, pieces: tuple[Piece, ...], now_ms: int) -> None:
        """What holds and waits, in order."""
        if pieces and not self.pieces:
            self.since_ms = now_ms
        self.pieces = pieces

    @property
    def trouble(self) -> str:
        return self.snub or self.said

    def distrust(self, wrong: str) -> None:
        """Count a record that does not hold; the same one is counted once."""
        self.refused += bool(wrong and wrong != self.wrong)
        self.wrong = wrong

    def queue(self, now_ms: int) -> Queue:
        """What may go now: nothing while something is on its way."""
        began, sent = self._day
        if now_ms - began >= DAY_MS or began == 0:
            self._day = began, sent = max(1, now_ms), 0
        free = 0 if self.flying or now_ms < self.held_ms else max(0, self.a_day - sent)
        return Queue(self.site.name, self.site.contract, self.since_ms, self.pieces[:free])

    def fly(self, key: str, share: Share) -> None:
        self.flying, self.share, self.pieces = key, share.pieces, ()
        self._day = (self._day[0], self._day[1] + len(share.pieces))

    def landed(self) -> None:
        """The contract has all of the share."""
        self.brought += len(self.share)
        self.stands(self.share[-1].sequence)
        self.flying, self.share, self.due_ms = "", (), 0

    def doubt(self) -> None:
        """What the contract has is to be asked anew, at once."""
        self.last, self.flying, self.share, self.pieces, self.due_ms = None, "", (), (), 0

    def stands(self, last: int) -> None:
        """How far the contract is; when it moved on, what it refused before is forgotten."""
        if last > self.reached:
            self.reached, self.snubs, self.snub = last, 0, ""
        self.last = last

    def snubbed(self, snub: str, now_ms: int) -> None:
        """The contract does not take what is next. Somebody else may have brought it, so it is asked; when
        that was not it, the record is offered again later, each time later."""
        self.doubt()
        self.snubs += 1
        if self.snubs > 1:
            self.snub = snub
            self.held_ms = now_ms + min(SNUB_MOST_MS, SNUB_MS * 2 ** min(self.snubs - 2, 16))

    def heard(self, said: str) -> None:
        """It answered; `said` is why no more of it is taken, if so."""
        self.failures, self.said = 0, said

    def failed(self, said: str, now_ms: int, pause_ms: int, jitter: float) -> None:
        """It is asked again later, each time later; `jitter` is in [0, 1)."""
        self.failures += 1
        longest: float = min(PAUSE_MOST_MS, pause_ms * 2 ** min(self.failures - 1, 16))
        self.said, self.due_ms = said, now_ms + int(longest * (0.5 + jitter / 2))
