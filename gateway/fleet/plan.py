"""Which records go in which transaction, and when: pure decisions over what waits at each site.

Intervals of many sites share one call, which costs each of them half; another kind has a call of its own. A
full batch goes at once, the rest when its oldest record has waited long enough. A site is in one call at a
time, so what happens to one call says nothing of another. It refuses to let a site with a long backlog crowd
out the others: a batch takes of each site in turn.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.chain.platforms.artifacts import calldata
from gateway.chain.platforms.calls import Call
from gateway.fleet.page import ARTIFACT, Piece
from gateway.fleet.settings import RECORDS_MAX, Pace

# An interval in its key's first round, the dearest, is 40.2k gas in a batch; one in the steady state 23.1k.
INTERVAL_GAS, BATCH_GAS = 45_000, 40_000  # 110 of them: 4.99 M
CALLS_MAX = 64  # in one plan
BATCH = calldata(ARTIFACT, "submitIntervals", [])[:4]  # how a call of several is known


@dataclass(frozen=True, slots=True)
class Queue:
    """What one site has for its contract, in order. `since_ms`: when the first of it was seen."""

    site: str
    contract: str
    since_ms: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """The part of one site in a call: the first of its pieces."""

    site: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Parcel:
    """One transaction: the intervals of several sites, or one record of another kind."""

    contract: str
    shares: tuple[Share, ...]

    @property
    def call(self) -> Call:
        pieces = [piece for share in self.shares for piece in share.pieces]
        if pieces[0].call is not None:
            return pieces[0].call
        data = calldata(ARTIFACT, "submitIntervals", [piece.words for piece in pieces])
        return Call(self.contract, data, BATCH_GAS + INTERVAL_GAS * len(pieces))

    @property
    def digests(self) -> frozenset[bytes]:
        return frozenset(piece.digest for share in self.shares for piece in share.pieces)


def parcels(queues: Sequence[Queue], now_ms: int, pace: Pace) -> list[Parcel]:
    """What is to be sent now, oldest first, at most CALLS_MAX of it."""
    waiting = sorted((q for q in queues if q.pieces), key=lambda q: (q.since_ms, q.site))
    found = [
        Parcel(q.contract, (Share(q.site, q.pieces[:1]),)) for q in waiting if q.pieces[0].call is not None
    ]
    runs = [replace(q, pieces=_run(q.pieces)) for q in waiting if q.pieces[0].call is None]
    for contract in dict.fromkeys(q.contract for q in runs):
        found += _batches([q for q in runs if q.contract == contract], now_ms, pace)
    return found[:CALLS_MAX]


def _run(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """The intervals before the first record of another kind."""
    other = next((n for n, piece in enumerate(pieces) if piece.call is not None), len(pieces))
    return tuple(pieces[:other])


def _batches(runs: Sequence[Queue], now_ms: int, pace: Pace) -> list[Parcel]:
    """Of runs to one contract, oldest first."""
    most = min(pace.records, RECORDS_MAX)
    found = []
    for start in range(0, len(runs), most):
        sites = runs[start : start + most]
        counts = _fair([len(q.pieces) for q in sites], most)
        due = sum(counts) == most or now_ms - sites[0].since_ms >= pace.wait_ms
        if due:
            shares = tuple(Share(q.site, q.pieces[:n]) for q, n in zip(sites, counts, strict=True))
            found.append(Parcel(sites[0].contract, shares))
    return found


def _fair(wanted: Sequence[int], room: int) -> list[int]:
    """How much of each fits: one of each, then a second of each, and so on while there is room."""
    given = [0] * len(wanted)
    while room and given != list(wanted):
        for n, most in enumerate(wanted):
            if room and given[n] < most:
                given[n], room = given[n] + 1, room - 1
    return given
