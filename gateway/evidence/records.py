"""The hash chain of a key: making the next link, and checking a sequence of links.

Pure. `seal` makes an unsigned Record; `check` walks records in order and says everything that is wrong:
digest not that of the body, sequence not rising by one, `previous` not the digest before, signature not by
the key. A gap record alone may jump ahead; behind a rotation the key is the next one, which must have agreed.
It refuses to repair or to guess.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import coincurve

from gateway.evidence import body as bodies
from gateway.evidence import possession
from gateway.evidence.address import address_of, checksum
from gateway.evidence.body import Statement
from gateway.evidence.typed import GENESIS, KINDS, Body, Domain, Revocation, Rotation, digest
from gateway.model import Record

HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_KIND_OF = {cls: name for name, cls in KINDS.items()}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with one record; `sequence` 0: with what is beside them."""

    sequence: int
    message: str

    def __str__(self) -> str:
        return f"record {self.sequence}: {self.message}" if self.sequence else self.message


def seal(domain: Domain, site: str, sequence: int, previous: bytes, body: Body) -> Record:
    """The unsigned link: digest and canonical body, ready to be made durable and only then signed."""
    value = digest(domain, site, sequence, previous, body)
    return Record(sequence, previous, value, _KIND_OF[type(body)], bodies.write(domain, site, body))


def signed(record: Record, signature: bytes) -> Record:
    return replace(record, signature=signature)


def recover(value: bytes, signature: bytes) -> str:
    """The address that signed a digest. ValueError unless r || s || v, 65 bytes, low s, v 27 or 28."""
    if len(signature) != 65 or signature[64] not in (27, 28):
        raise ValueError("signature is not 65 bytes ending in 27 or 28")
    if int.from_bytes(signature[32:64], "big") > HALF_ORDER:
        raise ValueError("signature has a high s")
    compact = signature[:64] + bytes((signature[64] - 27,))
    try:
        key = coincurve.PublicKey.from_signature_and_message(compact, value, hasher=None)
    except ValueError as error:
        raise ValueError(f"signature is not on the curve: {error}")
    return address_of(key.format(compressed=False))


class Chain:
    """A walk along one history, in order. Feed `add`; each call yields what is wrong with that record.

    `signer` and `previous`/`sequence` are given when known (the first record's address, the last accepted
    link), else taken from the first record: a part of a chain can be checked on its own. Afterwards `signer`
    is the key whose turn is next, and `keys` are all that signed.
    """

    def __init__(self, signer: str = "", sequence: int = -1, previous: bytes = GENESIS) -> None:
        self.signer = signer
        self.sequence = sequence
        self.previous = previous
        self.keys: list[str] = []
        self._ended = False

    @property
    def turn(self) -> str:
        """Whose signature comes next; empty behind a revocation."""
        return "" if self._ended else self.signer

    def add(self, record: Record) -> Iterator[Fault]:
        yield from (Fault(record.sequence, text) for text in self._wrong(record))
        self.sequence, self.previous = record.sequence, record.digest

    def _wrong(self, record: Record) -> Iterator[str]:
        if self._ended:
            yield "its key was revoked by a record before it"
        yield from self._wrong_place(record)
        try:
            said = bodies.read(record.kind, record.body)
            right = digest(said.domain, said.site, record.sequence, record.previous, said.body)
        except (ValueError, struct.error) as error:
            yield str(error)
            return
        if right != record.digest:
            yield "digest is not that of its body"
        yield from self._wrong_signature(replace(record, digest=right))
        yield from self._handed_over(said)

    def _handed_over(self, said: Statement) -> Iterator[str]:
        """Who signs next, after a record that ends a key."""
        self._ended = self._ended or isinstance(said.body, Revocation)
        if not isinstance(said.body, Rotation) or not self.signer:
            return
        if problem := disagreed(said, self.signer):
            yield problem
        self.signer = checksum(said.body.next)

    def _wrong_place(self, record: Record) -> Iterator[str]:
        if self.sequence < 0:
            if record.sequence < 1:
                yield "sequences begin at 1"
            if record.sequence == 1 and record.previous != GENESIS:
                yield "previous of the first record is not zero"
            return
        jump = record.kind == "gap" and record.sequence > self.sequence + 1
        if record.sequence != self.sequence + 1 and not jump:
            yield f"sequence does not follow {self.sequence}"
        elif record.previous != self.previous and not jump:
            yield f"previous is not the digest of record {self.sequence}"

    def _wrong_signature(self, record: Record) -> Iterator[str]:
        if not record.signature:
            yield "not signed"
            return
        try:
            address = recover(record.digest, record.signature)
        except ValueError as error:
            yield str(error)
            return
        self.signer = self.signer or address
        if address not in self.keys:
            self.keys.append(address)
        if address != self.signer:
            yield f"signed by {address}, not {self.signer}"


def turn(record: Record) -> str:
    """The address that signs what comes behind this signed record; empty behind a revocation."""
    if record.kind == "revocation":
        return ""
    if record.kind == "rotation":
        said = bodies.read(record.kind, record.body).body
        assert isinstance(said, Rotation)
        return checksum(said.next)
    return recover(record.digest, record.signature)


def disagreed(said: Statement, binder: str) -> str:
    """Why a rotation by `binder` does not bind its next key; empty when that key agreed to it."""
    assert isinstance(said.body, Rotation)
    value = possession.digest(said.domain, binder, said.body.asset, said.site)
    try:
        proven = recover(value, said.body.possession)
    except ValueError as error:
        return f"the next key's possession: {error}"
    return "" if proven == checksum(said.body.next) else "the next key did not agree to it"


def check(records: Iterable[Record], signer: str = "") -> list[Fault]:
    """Everything wrong with a whole chain or a part of one; empty means it holds."""
    chain = Chain(signer)
    return [fault for record in records for fault in chain.add(record)]
