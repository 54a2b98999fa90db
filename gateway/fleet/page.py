"""What a site's REST said, judged: which of its records the contract can take next, and what is wrong.

Pure. A page is hostile until each record's body, digest, place and signature hold; the first that does not
ends the site's turn, and nothing behind it is taken. How far the contract is, and whose key speaks for the
site there, is said by the contract and by the fleet's owner, never by the site.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.chain.platforms import packed
from gateway.chain.platforms.artifacts import calldata
from gateway.chain.platforms.calls import Call, NotEncodable
from gateway.chain.platforms.evm import GAS
from gateway.evidence import body as bodies
from gateway.evidence.audit import record_of
from gateway.evidence.records import Chain
from gateway.evidence.typed import GENESIS
from gateway.model import Record

LIMIT = 32  # records a page; more are fetched when these have gone
PAGE_BYTES_MAX = LIMIT * 6144  # a record is 1.5 kB of JSON, and its body at most 4 kB
BRACKETS_MAX = 4096  # as in gateway.chain.endpoint: deep nesting must not meet the interpreter's limit
# Any contract that takes records will do for its methods' names and types: all have those of RecordChains.
ARTIFACT = "StorageVerification"


@dataclass(frozen=True, slots=True)
class Place:
    """How far a contract has a site's records, and the key that speaks for the site there."""

    sequence: int
    key: str


@dataclass(frozen=True, slots=True)
class Chained:
    """What a site's records must say of themselves."""

    site: str
    chain_id: int
    contract: str  # lower case


@dataclass(frozen=True, slots=True)
class Piece:
    """A record that holds, as its contract takes it: an interval's seven words, or another kind's call."""

    sequence: int
    digest: bytes
    words: tuple[bytes, ...] = ()
    call: Call | None = None


def read(raw: bytes) -> list[Record]:
    """The records of one answer. ValueError, one line, when it is not exactly what the route promises."""
    if len(raw) > PAGE_BYTES_MAX:
        raise ValueError(f"the answer is over {PAGE_BYTES_MAX} bytes")
    if raw.count(b"[") + raw.count(b"{") > BRACKETS_MAX:
        raise ValueError("the answer is nested deeper than records are")
    try:
        said: Any = json.loads(raw)
    except (ValueError, RecursionError):
        raise ValueError("the answer is not JSON") from None
    rows = said.get("records") if isinstance(said, dict) else None
    if not isinstance(rows, list) or len(rows) > LIMIT or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"the answer has no list of at most {LIMIT} records")
    return [record_of(row) for row in rows]


class Walk:
    """Along a site's records, page by page, from the one at the place on. `wrong`: a record that does not
    hold; `waiting`: one that its contract has no room for. Behind either nothing is taken, but behind the
    latter the gap that passes it over. `key`: whose turn it is behind the place, empty: nobody's."""

    def __init__(self, at: Place, who: Chained) -> None:
        self.pieces: list[Piece] = []
        self.key = at.key
        self.after = max(0, at.sequence - 1)  # the last record looked at
        self.wrong = ""
        self.waiting = ""
        self.at, self._who = at, who
        # Should the site no longer have the record at the place, only a gap, which may jump, goes on.
        self._chain = Chain(at.key, at.sequence, b"" if at.sequence else GENESIS)
        self._ended = False  # what comes next is another key's, or nobody's

    def page(self, found: Sequence[Record]) -> bool:
        """Take the next page. True: it may be worth to read on."""
        for record in found:
            if self.wrong or self._ended:
                break
            if record.sequence == self.at.sequence > self.after:
                self._begin(record)
            else:
                self._next(record)
        return bool(found and self.waiting) and not self.wrong and not self._ended

    def _begin(self, record: Record) -> None:
        """The record at the place: by the key that speaks there, or the one by which it was handed to it."""
        chain = Chain()
        self.wrong = "; ".join(map(str, chain.add(record)))
        if not self.wrong and self.at.key not in (chain.keys[0], chain.signer):
            self.wrong = f"record {record.sequence}: signed by {chain.keys[0]}, not {self.at.key}"
        self.key, self._chain, self.after = chain.turn, chain, record.sequence
        self._ended = self.key != self.at.key

    def _next(self, record: Record) -> None:
        if faults := list(self._chain.add(record)):
            self.wrong = str(faults[0])
            return
        self.after = record.sequence
        if self.waiting and record.kind != "gap":
            return
        try:
            self.pieces.append(self._piece(record))
            self.waiting = ""
        except NotEncodable as error:
            self.waiting = f"record {record.sequence} stays at the site: {error}"
        except ValueError as error:
            self.wrong = f"record {record.sequence}: {error}"
        self._ended = record.kind in ("rotation", "revocation")

    def _piece(self, record: Record) -> Piece:
        said, who = bodies.read(record.kind, record.body), self._who
        if said.site != who.site:
            raise ValueError(f"is of the site {said.site!r}")
        if said.domain.chain_id != who.chain_id:
            raise NotEncodable(f"it is for chain {said.domain.chain_id}")
        method, arguments = packed.submission(record, who.contract)
        if record.kind == "interval":
            return Piece(record.sequence, record.digest, tuple(map(_word, arguments)))
        call = Call(who.contract, calldata(ARTIFACT, method, *arguments), GAS[record.kind])
        return Piece(record.sequence, record.digest, call=call)


def _word(value: object) -> bytes:
    assert isinstance(value, bytes | int)
    return value if isinstance(value, bytes) else value.to_bytes(32, "big")
