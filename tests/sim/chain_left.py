"""Reads a transaction that left the gateway: who may have been given its nonce, which record it carries.

By the reference contracts' own layouts (Records.sol), with nothing of the gateway's encoder. It refuses what
is not a signed EIP-1559 transaction.
"""

from collections.abc import Callable, Mapping, Sequence

from eth_utils import keccak
from rig.deploy import artifact
from rig.evmchain import Evm

from tests.sim.chain_judge import Left

# Method -> the sequence in its words; the last two words are r and vs, all before them is signed.
PLACES: Mapping[str, Callable[[Sequence[int]], int]] = {
    "submitInterval": lambda words: words[3] >> 223 & (1 << 32) - 1,
    "submitDelivery": lambda words: words[5] >> 192,
    "submitGap": lambda words: words[1],
}


def read(evm: Evm, raw: bytes) -> Left:
    sent = evm.decoded(raw)
    to, data = "0x" + sent.to.hex(), bytes(sent.data)
    place = PLACES.get(METHODS.get(data[:4], ""))
    if place is None:
        return Left(sent.nonce, to, data)
    words = [int.from_bytes(data[at : at + 32], "big") for at in range(4, len(data), 32)]
    return Left(sent.nonce, to, data, place(words), data[:-64], data[-64:-32])


def _selectors() -> Mapping[bytes, str]:
    found = {}
    for entry in artifact("StorageVerification")["abi"]:
        if entry.get("name") in PLACES and entry["type"] == "function":
            types = ",".join(given["type"] for given in entry["inputs"])
            found[keccak(text=f"{entry['name']}({types})")[:4]] = entry["name"]
    return found


METHODS = _selectors()
