"""An audit of exported records and readings: everything wrong with them, and the proof of one reading.

Pure: it is fed rows (the JSON lines of `gridseal export --format records`) in order and holds the leaves of
one record at a time, so a chain of years needs little memory. It refuses to call a chain good that it could
not check: what is missing is told in `notes`, what is wrong in `faults`.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from gateway.evidence import body as bodies
from gateway.evidence import certificate, endorsement, merkle
from gateway.evidence.address import checksum
from gateway.evidence.binding import Binding
from gateway.evidence.body import Statement
from gateway.evidence.records import Chain, Fault
from gateway.evidence.typed import Body, Gap, Revocation, Rotation, Setup
from gateway.model import Delivery, Interval, Record

FAULTS_MAX = 1000  # a file that is wrong throughout must not fill the memory
NOTES_MAX = 1000
LEAVES_MAX = 5_000_000  # of one record: a day of a thousand points at 1 Hz is far beyond any period
_UNSIGNED = "not signed"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The reading to prove."""

    point: str
    at_ms: int


@dataclass
class Audit:
    """Feed `row` with each line, then call `finish`. `signer`: the address expected of the first record, or
    empty for any one."""

    signer: str = ""
    wanted: Wanted | None = None
    binding: Binding | None = None  # of a capture
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    first: int = 0
    readings: int = 0
    roots: int = 0
    proof: dict[str, Any] | None = None
    places: list[tuple[int, str, str]] = field(default_factory=list)  # chain id, contract, site
    certificates: list[str] = field(default_factory=list)  # those that hold, in words

    def __post_init__(self) -> None:
        self._chain = Chain(self.signer)
        self._record: Record | None = None
        self._said: Statement | None = None
        self._leaves: list[bytes] = []
        self._target: dict[str, Any] | None = None
        self._unsigned: list[Fault] = []  # at the end of the chain they are only young

    @property
    def last(self) -> int:
        return max(self._chain.sequence, 0)

    @property
    def signed_by(self) -> list[str]:
        """The keys, in their order; more than one only by rotation, or as a fault."""
        return self._chain.keys

    @property
    def turn(self) -> str:
        """The key that signs what comes behind these records; empty when no more do."""
        return self._chain.turn

    def row(self, row: dict[str, Any]) -> None:
        """One line. ValueError when it is of no known type, or no reading of the record before it."""
        match row.get("type"):
            case "record":
                self._close()
                self._open(record_of(row))
            case "reading":
                self._reading(row)
            case "certificate":
                self._certificate(row)
            case "endorsement":
                self._endorsement(row)
            case other:
                raise ValueError(
                    f"a line of type {other!r} is none of record, reading, certificate, endorsement"
                )

    def finish(self) -> None:
        self._close()
        self.notes += [f"{fault} yet" for fault in self._unsigned]
        if not self.kinds:
            self.notes.append("no records at all")
        if len(self.places) > 1:
            self.notes.append(f"records for {len(self.places)} different places (chain, contract, site)")

    def _certificate(self, row: dict[str, Any]) -> None:
        """It counts when a key of the chain signed it; they stand behind all records."""
        body = row.get("body")
        if not isinstance(body, str):
            raise ValueError("a certificate needs its body")
        signature = _hex(row, "signature", (65,))
        digest, known = _hex(row, "digest", (32,)), self.signed_by or [self.signer]
        wrong = min((certificate.check(body, digest, signature, key) for key in known), key=len)
        if wrong:
            self.faults.append(Fault(0, f"certificate of {row.get('device')}: {'; '.join(wrong)}"))
        elif len(self.certificates) < NOTES_MAX:
            self.certificates.append(certificate.told(certificate.read(body)[2]))

    def _endorsement(self, row: dict[str, Any]) -> None:
        """It counts when it is for a key of the chain; they stand behind all records."""
        body = row.get("body")
        if not isinstance(body, str):
            raise ValueError("an endorsement needs its body")
        if wrong := endorsement.check(body, _hex(row, "digest", (32,)), _hex(row, "signature", (64,))):
            self.faults.append(Fault(0, f"endorsement: {'; '.join(wrong)}"))
            return
        _, said = endorsement.read(body)
        if (key := checksum(said.key)) not in self.signed_by:
            self.faults.append(Fault(0, f"endorsement: it is for {key}, which signed nothing here"))
        elif len(self.notes) < NOTES_MAX:
            self.notes.append(f"{key} is endorsed by the P-256 key 0x04{said.x.hex()}{said.y.hex()}")

    # ---- one record -------------------------------------------------------------------------------------

    def _open(self, record: Record) -> None:
        before = self._chain.sequence
        for fault in self._chain.add(record):
            (self._unsigned if fault.message == _UNSIGNED else self.faults).append(fault)
        if record.signature:
            self.faults += self._unsigned  # one in the middle of a signed chain is not young
            self._unsigned.clear()
        if len(self.faults) > FAULTS_MAX:
            raise ValueError(f"more than {FAULTS_MAX} faults; the last: {self.faults[-1]}")
        self.kinds[record.kind] += 1
        self.first = self.first or record.sequence
        self._record, self._said, self._leaves, self._target = record, _statement(record), [], None
        if self._said is None:
            return
        if self.binding and isinstance(self._said.body, Setup):
            self.binding.setup(self._said.body.profiles)
        place = (self._said.domain.chain_id, self._said.domain.contract, self._said.site)
        if place not in self.places:
            self.places.append(place)
        if (note := _note(record, before, self._said.body)) and len(self.notes) < NOTES_MAX:
            self.notes.append(note)

    def _reading(self, row: dict[str, Any]) -> None:
        if self._record is None or row.get("record") != self._record.sequence:
            raise ValueError(f"a reading of record {row.get('record')!r} is not behind that record")
        point, at_ms, value, quality = reading_of(row)
        if len(self._leaves) >= LEAVES_MAX:
            raise ValueError(f"more than {LEAVES_MAX} readings of one record")
        leaf = merkle.leaf(point, at_ms, value, quality)
        self._leaves.append(leaf)
        self.readings += 1
        if self.binding:
            self.binding.reading((point, at_ms), (value, quality))
        if self.wanted == Wanted(point, at_ms):
            reading = {"point": point, "at_ms": at_ms, "value": value, "quality": quality}
            self._target = {**reading, "leaf": leaf}

    def _close(self) -> None:
        before = self.roots
        self._rebuild()
        if self.binding and self._record and self._said:
            body = self._said.body
            span = (body.start_ms, body.end_ms) if isinstance(body, Interval) else None
            self.binding.close(self._record.sequence, span, rebuilt=self.roots > before)

    def _rebuild(self) -> None:
        """Compare the root of the record just read with that of its readings, as far as they are there."""
        record, said = self._record, self._said
        if (
            record is None
            or said is None
            or not isinstance(said.body, Interval | Delivery)
            or not self._leaves
        ):
            return
        have, count = len(self._leaves), said.body.count
        if have < count:
            text = f"record {record.sequence}: {have} of its {count} readings are here: root not checked"
            self.notes.extend([text] if len(self.notes) < NOTES_MAX else [])
            return
        nodes = merkle.tree(self._leaves)
        if have != count or nodes[0] != said.body.merkle_root:
            text = f"its {have} readings do not give its Merkle root over {count}"
            self.faults.append(Fault(record.sequence, text))
            return
        self.roots += 1
        if self._target:
            self.proof = _proof(record, self._target, nodes)


def _statement(record: Record) -> Statement | None:
    try:
        return bodies.read(record.kind, record.body)
    except ValueError:
        return None  # the chain has already said so as a fault


def _note(record: Record, before: int, said: Body) -> str:
    """What people should know of a record besides that it holds; empty for intervals and deliveries."""
    match said:
        case Gap():
            jump = f", skips from {before}" if 0 < before < record.sequence - 1 else ""
            text = f"gap, {_words(said.cause)}{jump}"
        case Setup():
            text = (
                f"from {said.at_ms} on by {said.software}, configuration 0x{said.configuration.hex()},"
                f" profiles 0x{said.profiles.hex()}"
            )
        case Rotation():
            text = f"the key hands over to {checksum(said.next)}"
        case Revocation():
            text = f"the key is revoked, {_words(said.reason)}"
        case _:
            return ""
    return f"record {record.sequence}: {text}"


def _words(number: IntEnum) -> str:
    return number.name.lower().replace("_", " ")


def _proof(record: Record, target: dict[str, Any], nodes: list[bytes]) -> dict[str, Any]:
    siblings = merkle.proof(nodes, target["leaf"])
    return {
        **target,
        "leaf": "0x" + target["leaf"].hex(),
        "proof": ["0x" + node.hex() for node in siblings],
        "root": "0x" + nodes[0].hex(),
        "record": record.sequence,
        "digest": "0x" + record.digest.hex(),
        "signature": "0x" + record.signature.hex(),
    }


def record_of(row: dict[str, Any]) -> Record:
    """The record in an exported line. ValueError when it is malformed."""
    sequence, kind, body = row.get("sequence"), row.get("kind"), row.get("body")
    if type(sequence) is not int or not isinstance(kind, str) or not isinstance(body, str):
        raise ValueError("a record needs sequence, kind and body")
    if not 0 < sequence < 2**64:
        raise ValueError(f"sequence {sequence} is not a uint64 above 0")
    return Record(
        sequence, _hex(row, "previous", (32,)), _hex(row, "digest", (32,)), kind, body,
        _hex(row, "signature", (0, 65)),
    )  # fmt: skip


def reading_of(row: dict[str, Any]) -> tuple[str, int, int, int]:
    """(point, at_ms, value, quality) of an exported line. ValueError when it cannot be a leaf."""
    point, numbers = row.get("point"), [row.get(name) for name in ("at_ms", "value", "quality")]
    if not isinstance(point, str) or any(type(n) is not int for n in numbers):
        raise ValueError("a reading needs point, at_ms, value and quality")
    at_ms, value, quality = (int(n) for n in numbers if n is not None)
    if not (0 <= at_ms < 2**64 and -(2**63) <= value < 2**63 and 0 <= quality < 256):
        raise ValueError(f"a reading of {point} has a number out of its type")
    return point, at_ms, value, quality


def _hex(row: dict[str, Any], name: str, lengths: tuple[int, ...]) -> bytes:
    text = row.get(name)
    if not isinstance(text, str) or not text.startswith("0x"):
        raise ValueError(f"{name} is not 0x hex")
    raw = bytes.fromhex(text[2:])
    if len(raw) not in lengths:
        raise ValueError(f"{name} has {len(raw)} bytes, not {' or '.join(map(str, lengths))}")
    return raw
