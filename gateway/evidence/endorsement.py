"""A hardware identity that vouches for a key: a P-256 key of a token, where the token has no secp256k1.

Pure. A stand-alone EIP-712 struct in the domain of the site's records. Its signature is ECDSA over P-256 with
SHA-256 of the digest's 32 bytes, 64 bytes r || s with a low s, as every P-256 library and the EVM's
precompile verify it. `write` makes its canonical body, `check` says all that is wrong with a stranger's.
docs/attestation.md is normative.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from Crypto.Hash import SHA256
from Crypto.PublicKey import ECC
from Crypto.Signature import DSS

from gateway.errors import ConfigError
from gateway.evidence.typed import Domain, address_bytes, keccak, site_hash

TYPE = "Endorsement(bytes32 site,address key,uint64 at,bytes32 x,bytes32 y)"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
BODY_CHARS_MAX = 1024
_HASH = keccak(TYPE.encode())
_WORD = re.compile(r"0x[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Endorsement:
    """`key` (0x…, lower case) is vouched for since `at_ms` by the P-256 key (x, y)."""

    site: str
    key: str
    at_ms: int
    x: bytes
    y: bytes


def of(site: str, key: str, at_ms: int, identity: bytes) -> Endorsement:
    """`identity`: 65 bytes, 04 || x || y."""
    return Endorsement(site, key.lower(), at_ms, identity[1:33], identity[33:])


def digest(domain: Domain, said: Endorsement) -> bytes:
    words = site_hash(said.site) + bytes(12) + address_bytes(said.key) + said.at_ms.to_bytes(32, "big")
    return keccak(b"\x19\x01" + domain.separator + keccak(_HASH + words + said.x + said.y))


def hashed(value: bytes) -> bytes:
    """What the token's raw ECDSA is given for a digest."""
    return hashlib.sha256(value).digest()


def low(signature: bytes) -> bytes:
    """The same raw r || s with a low s: one statement has not two signatures."""
    s = int.from_bytes(signature[32:], "big")
    return signature[:32] + min(s, ORDER - s).to_bytes(32, "big")


def write(domain: Domain, said: Endorsement) -> str:
    """Canonical JSON: sorted keys, no spaces."""
    fields = {
        "chain_id": domain.chain_id,
        "contract": domain.contract.lower(),
        "site": said.site,
        "key": said.key,
        "at_ms": said.at_ms,
        "x": "0x" + said.x.hex(),
        "y": "0x" + said.y.hex(),
    }
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def read(body: str) -> tuple[Domain, Endorsement]:
    """ValueError, one line, when it is not exactly an endorsement's body."""
    fields = _fields(body)
    x, y = (_word(name, fields[name]) for name in ("x", "y"))
    at_ms, chain_id = fields["at_ms"], fields["chain_id"]
    if any(type(n) is not int or not 0 <= n < 2**64 for n in (at_ms, chain_id)):
        raise ValueError("at_ms and chain_id are no uint64")
    if not all(isinstance(fields[name], str) for name in ("site", "key", "contract")):
        raise ValueError("site, key and contract must be strings")
    domain, said = (
        Domain(chain_id, fields["contract"]),
        Endorsement(fields["site"], fields["key"], at_ms, x, y),
    )
    if write(domain, said) != body:
        raise ValueError("the body is not in its canonical form")
    return domain, said


def check(body: str, value: bytes, signature: bytes) -> list[str]:
    """Everything wrong with one; empty means that the identity it names vouches for the key it names."""
    try:
        domain, said = read(body)
        right = digest(domain, said)
    except (ValueError, ConfigError) as error:
        return [str(error)]
    wrong = [] if right == value else ["digest is not that of its body"]
    return wrong if _verifies(said, right, signature) else [*wrong, "its signature is not by that identity"]


def _verifies(said: Endorsement, value: bytes, signature: bytes) -> bool:
    if len(signature) != 64 or signature != low(signature):
        return False
    x, y = int.from_bytes(said.x, "big"), int.from_bytes(said.y, "big")
    try:
        key = ECC.construct(curve="P-256", point_x=x, point_y=y)
        DSS.new(key, "fips-186-3").verify(SHA256.new(value), signature)
    except ValueError:
        return False
    return True


def _fields(body: str) -> dict[str, Any]:
    if len(body) > BODY_CHARS_MAX:
        raise ValueError(f"the body is longer than {BODY_CHARS_MAX} characters")
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict) or fields.keys() != {
        "chain_id", "contract", "site", "key", "at_ms", "x", "y",
    }:  # fmt: skip
        raise ValueError("the body is no JSON object with the fields of an endorsement")
    return fields


def _word(name: str, value: object) -> bytes:
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise ValueError(f"{name} is not 0x and 64 hex digits")
    return bytes.fromhex(value[2:])
