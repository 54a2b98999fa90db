"""Stacks addresses: 20 bytes and a version, as the c32check text that people see (SP…, ST…).

Pure. It refuses text that is not exactly the one way to write an address; lower case is none.
"""

import re
from dataclasses import dataclass
from hashlib import sha256

from Crypto.Hash import RIPEMD160

from gateway.errors import ChainError

MAINNET, TESTNET = 22, 26  # versions of a key's address: SP, ST
TESTNET_VERSIONS = (TESTNET, 21)  # 21: of several keys
MAINNET_ID, TESTNET_ID = 1, 0x80000000  # chain ids
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
    """The principal of `SP…` or `SP….contract`. ChainError when it is none."""
    address, dot, contract = text.partition(".")
    if dot and not (CONTRACT_NAME.fullmatch(contract) and len(contract) <= CONTRACT_MAX):
        raise ChainError(f"{text[:90]!r} has no contract's name behind the address")
    if not (5 < len(address) <= 50 and address[0] == "S" and set(address[1:]) <= set(ALPHABET)):
        raise ChainError(f"{text[:90]!r} is no Stacks address")
    number = 0
    for char in address[2:]:
        number = number * 32 + ALPHABET.index(char)
    if number.bit_length() <= 8 * _BYTES:
        digest, version = number.to_bytes(_BYTES, "big")[:20], ALPHABET.index(address[1])
        if c32(version, digest) == address:
            return Principal(version, digest, contract)
    raise ChainError(f"{text[:90]!r} is no Stacks address: mistyped")


def of_key(public_key: bytes, version: int) -> Principal:
    """The address of a public key, 65 bytes 04 || x || y."""
    return Principal(version, RIPEMD160.new(sha256(compressed(public_key)).digest()).digest())


def compressed(public_key: bytes) -> bytes:
    """02 or 03, and x."""
    if len(public_key) != 65 or public_key[0] != 4:
        raise ValueError("an uncompressed public key is 65 bytes beginning with 04")
    return bytes((2 + (public_key[64] & 1),)) + public_key[1:33]


def version_of(chain_id: int) -> int:
    """Of the addresses of keys on that chain."""
    return MAINNET if chain_id == MAINNET_ID else TESTNET
