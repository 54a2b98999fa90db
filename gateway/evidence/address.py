"""Ethereum addresses: from a public key, and the mixed-case checksum people compare (EIP-55). Pure."""

from gateway.errors import ConfigError
from gateway.evidence.typed import keccak


def address_of(public_key: bytes) -> str:
    """The checksummed address of an uncompressed public key (65 bytes, 04 || x || y)."""
    if len(public_key) != 65 or public_key[0] != 4:
        raise ValueError("an uncompressed public key is 65 bytes beginning with 04")
    return checksum(keccak(public_key[1:])[12:].hex())


def checksum(address: str) -> str:
    """0x and 40 hex digits in EIP-55 case. ConfigError when it is no address."""
    digits = address.lower().removeprefix("0x")
    if len(digits) != 40 or any(c not in "0123456789abcdef" for c in digits):
        raise ConfigError(f"{address!r} is not an address: 0x and 40 hex digits are needed")
    marks = keccak(digits.encode()).hex()
    return "0x" + "".join(c.upper() if int(m, 16) > 7 else c for c, m in zip(digits, marks, strict=False))
