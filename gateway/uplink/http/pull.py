"""Pull (EIP-3668): a contract's client fetches signed records here and hands them to the contract.

What is asked and answered is ABI-encoded as docs/attestation.md, section 10, says; the answer proves itself,
so anybody may fetch it and nobody need be believed on the way. It refuses what is not one of its four
questions, and records that it does not hold.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from gateway.evidence import body as bodies
from gateway.evidence.typed import KINDS, keccak, site_hash, words
from gateway.model import Record
from gateway.store import Store, records
from gateway.uplink.http.proofs import Proofs
from gateway.uplink.http.spec import Answer, Ask, Refused

ASKED_BYTES_MAX = 1024
ANSWER_TYPES = ("uint8", "bytes", "bytes")  # kind, record, signature
PROOF_TYPES = ("int64", "uint8", "bytes32[]")  # value, quality, proof
_KIND = {kind: number for number, kind in enumerate(KINDS)}  # 0 interval, 1 delivery, 2 gap
QUESTIONS: Mapping[str, Sequence[str]] = {
    "latestRecord": ("bytes32",),
    "latestInterval": ("bytes32",),
    "recordAt": ("bytes32", "uint64"),
    "readingAt": ("bytes32", "uint64", "string", "uint64"),
}
_BY_SELECTOR = {
    keccak(f"{name}({','.join(types)})".encode())[:4]: (name, types) for name, types in QUESTIONS.items()
}


class Pull:
    """Answers for the site of this id."""

    def __init__(self, site: str, store: Store, proofs: Proofs) -> None:
        self._site = site_hash(site)
        self._store = store
        self._proofs = proofs
        self._answers: Mapping[str, Callable[..., Any]] = {
            "latestRecord": lambda: self._latest(""),
            "latestInterval": lambda: self._latest("interval"),
            "recordAt": self._at,
            "readingAt": self._reading,
        }

    async def get(self, ask: Ask) -> Answer:
        return await self._answer(str(ask.args["data"]))

    async def post(self, ask: Ask) -> Answer:
        try:
            said = json.loads(ask.body)
            data, sender = said["data"], said["sender"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Refused(400, 'the body must be {"sender": "0x…", "data": "0x…"}') from None
        if not isinstance(data, str) or not isinstance(sender, str):
            raise Refused(400, "sender and data must be hex, beginning with 0x")
        return await self._answer(data)

    async def _answer(self, data: str) -> Answer:
        name, (site, *rest) = _asked(data)
        if site != self._site:
            raise Refused(404, "this gateway is another site's")
        found: bytes = await self._answers[name](*rest)
        return Answer({"data": "0x" + found.hex()})

    async def _latest(self, kind: str) -> bytes:
        return encode(ANSWER_TYPES, _fields(await self._store.call(records.last_signed, kind)))

    async def _at(self, sequence: int) -> bytes:
        return encode(ANSWER_TYPES, _fields(await self._signed(sequence)))

    async def _reading(self, sequence: int, point: str, at_ms: int) -> bytes:
        entry = await self._entry(sequence)
        if entry is None or not entry.record.signature:
            raise Refused(404, "there is no signed record with this sequence")
        proven = await self._proofs.of(entry, point, at_ms)
        return encode((*ANSWER_TYPES, *PROOF_TYPES), (*_fields(entry.record), *proven))

    async def _signed(self, sequence: int) -> Record | None:
        entry = await self._entry(sequence)
        return entry.record if entry and entry.record.signature else None

    async def _entry(self, sequence: int) -> records.Entry | None:
        if sequence >= 2**63:  # beyond what a database can hold
            return None
        return await self._store.call(records.entry, sequence)


def _asked(data: str) -> tuple[str, tuple[Any, ...]]:
    try:
        raw = bytes.fromhex(data.removeprefix("0x"))
    except ValueError:
        raise Refused(400, "data must be hex, beginning with 0x") from None
    if not data.startswith("0x") or len(raw) > ASKED_BYTES_MAX:
        raise Refused(400, f"data must be 0x and at most {ASKED_BYTES_MAX} bytes of hex")
    if raw[:4] not in _BY_SELECTOR:
        raise Refused(400, f"data begins with none of the selectors of {', '.join(QUESTIONS)}")
    name, types = _BY_SELECTOR[raw[:4]]
    try:
        return name, decode(types, raw[4:])
    except (DecodingError, UnicodeDecodeError, OverflowError) as error:
        raise Refused(400, f"data is no call of {name}({','.join(types)})") from error


def _fields(record: Record | None) -> tuple[int, bytes, bytes]:
    if record is None:
        raise Refused(404, "there is no signed record of this kind or sequence")
    said = bodies.read(record.kind, record.body)
    return _KIND[record.kind], words(said.site, record.sequence, record.previous, said.body), record.signature
