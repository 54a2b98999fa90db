"""Of which key an address is, on which of the two networks. Pure."""

from hashlib import sha256

from Crypto.Hash import RIPEMD160

from gateway.principal import MAINNET, TESTNET, Principal

MAINNET_ID, TESTNET_ID = 1, 0x80000000  # chain ids


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
