"""Stacks addresses: 20 bytes and a version, as the c32check text that people see (SP…, ST…).

Pure, of the standard library alone: site.yaml is checked with it where no chain's libraries are. It refuses
text that is not exactly the one way to write an address; lower case is none.
"""

import re
from dataclasses import dataclass
from hashlib import sha256

MAINNET, TESTNET = 22, 26  # versions of a key's address: SP, ST
NETWORKS = {
    MAINNET: "mainnet",
    20: "mainnet",
    TESTNET: "testnet",
    21: "testnet",
}  # 20 and 21: of several keys
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CONTRACT_NAME = re.compile(r"[a-zA-Z]([a-zA-Z0-9]|[-_])*")
CONTRACT_MAX = 40
_BYTES = 24  # hash and checksum


@dataclass(frozen=True, slots=True)
class Principal:
    """Who owns or acts: a key's address, or with `contract` the contract of that name under it."""

    version: int
    hash: bytes
    contract: str = ""

    @property
    def network(self) -> str:
        """Where it is: "mainnet", "testnet", or empty."""
        return NETWORKS.get(self.version, "")

    def __str__(self) -> str:
        address = c32(self.version, self.hash)
        return f"{address}.{self.contract}" if self.contract else address


def c32(version: int, digest: bytes) -> str:
    """The text of an address. ValueError for what is none."""
    if not 0 <= version < 32 or len(digest) != 20:
        raise ValueError("an address is a version below 32 and 20 bytes")
    raw = digest + _checksum(version, digest)
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, place = divmod(number, 32)
        text = ALPHABET[place] + text
    zeros = len(raw) - len(raw.lstrip(b"\0"))  # each leading zero byte is a digit of its own
    return "S" + ALPHABET[version] + "0" * zeros + text


def _checksum(version: int, digest: bytes) -> bytes:
    return sha256(sha256(bytes((version,)) + digest).digest()).digest()[:4]


def parse(text: str) -> Principal:
    """The principal of `SP…` or `SP….contract`. ValueError when it is none."""
    address, dot, contract = text.partition(".")
    if dot and not (CONTRACT_NAME.fullmatch(contract) and len(contract) <= CONTRACT_MAX):
        raise ValueError(f"{text[:90]!r} has no contract's name behind the address")
    if not (5 < len(address) <= 50 and address[0] == "S" and set(address[1:]) <= set(ALPHABET)):
        raise ValueError(f"{text[:90]!r} is no Stacks address")
    number = 0
    for char in address[2:]:
        number = number * 32 + ALPHABET.index(char)
    if number.bit_length() <= 8 * _BYTES:
        digest, version = number.to_bytes(_BYTES, "big")[:20], ALPHABET.index(address[1])
        if c32(version, digest) == address:
            return Principal(version, digest, contract)
    raise ValueError(f"{text[:90]!r} is no Stacks address: mistyped")
