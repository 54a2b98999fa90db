"""Reads what a site's key sent: the record that a transaction carries, and what the contract took on chain.

By the names in the contract's own ABI, with nothing of the gateway's encoder: a method with a signature
(`r`, `vs`) carries a record, whose number is in `sequence`, or packed into `status` or `times` as Records.sol
has it. It refuses what is not a signed EIP-1559 transaction.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from eth_abi.abi import decode
from eth_utils import keccak
from rig.deploy import artifact
from rig.evmchain import Evm

from tests.sim.chain_judge import Left

SHIFTS = {"sequence": 0, "status": 223, "times": 192}  # where a record's number is -> its lowest bit there
UINT32 = 2**32 - 1


def read(evm: Evm, raw: bytes) -> Left:
    sent = evm.decoded(raw)
    to, data = "0x" + sent.to.hex(), bytes(sent.data)
    names = METHODS.get(data[:4])
    if names is None:
        return Left(sent.nonce, to, data)
    words = [data[at : at + 32] for at in range(4, len(data), 32)]
    place = next(name for name in SHIFTS if name in names)
    number = int.from_bytes(words[names.index(place)], "big") >> SHIFTS[place] & UINT32
    said = [word for at, word in enumerate(words) if at >= len(names) or names[at] not in ("r", "vs")]
    return Left(sent.nonce, to, data, number, b"".join(said), words[names.index("r")])


@dataclass
class Story:
    """What became of a key's transactions on the honest chain."""

    accepted: dict[int, list[bytes]] = field(default_factory=lambda: defaultdict(list))  # number -> digests
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)  # that succeeded
    reverted: int = 0

    @property
    def again(self) -> int:
        """Calls that were mined more than once with success."""
        return sum(count > 1 for count in self.calls.values())

    @property
    def mined(self) -> int:
        return self.calls.total() + self.reverted


def story(evm: Evm, sender: str) -> Story:
    found = Story()
    for name in (name for number in range(evm.number + 1) for name in _inside(evm, number)):
        sent, receipt = evm.transaction(name), evm.receipt(name)
        assert sent is not None
        assert receipt is not None
        if sent["from"] != sender.lower():
            continue
        if receipt["status"] != "0x1":
            found.reverted += 1
            continue
        found.calls[sent["to"], sent["input"]] += 1
        for log in receipt["logs"]:
            if (types := EVENTS.get(log["topics"][0])) is not None:
                said = dict(
                    zip(types, decode(list(types.values()), bytes.fromhex(log["data"][2:])), strict=True)
                )
                found.accepted[said["sequence"]].append(said["digest"])
    return found


def _inside(evm: Evm, number: int) -> Iterator[str]:
    block = evm.block(hex(number))
    assert block is not None
    yield from block["transactions"]


def _described(kind: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Signature and inputs of what the contract has of this kind."""
    for entry in artifact("StorageVerification")["abi"]:
        if entry["type"] == kind:
            types = ",".join(given["type"] for given in entry["inputs"])
            yield f"{entry['name']}({types})", entry["inputs"]


def _methods() -> Mapping[bytes, list[str]]:
    found = {}
    for signature, inputs in _described("function"):
        names = [given["name"] for given in inputs]
        if {"r", "vs"} <= set(names) and set(SHIFTS) & set(names):
            found[keccak(text=signature)[:4]] = names
    return found


def _events() -> Mapping[str, Mapping[str, str]]:
    """Topic -> name and type of the fields that are not indexed, where a record is accepted."""
    found = {}
    for signature, inputs in _described("event"):
        fields = {given["name"]: given["type"] for given in inputs if not given["indexed"]}
        if signature.partition("(")[0].endswith("Accepted") and {"sequence", "digest"} <= set(fields):
            found["0x" + keccak(text=signature).hex()] = fields
    return found


METHODS, EVENTS = _methods(), _events()
