"""A Stacks transaction that calls a contract, built and signed without ever seeing the key (SIP-005).

Pure. One key, its P2PKH address, standard authorisation, any anchor mode; the post-conditions are none and
in deny mode, so that a call which would take tokens of ours fails. It refuses calls that do not decode: what
is signed is what was meant.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from Crypto.Hash import SHA512

from gateway.chain.stacks.address import MAINNET_ID, of_key, version_of
from gateway.chain.stacks.codec import Reader, Value, contract_named, encode, named
from gateway.errors import ChainError
from gateway.principal import Principal

ARGUMENTS_MAX = 64
_ENVELOPE_BYTES = 116  # of a transaction, beside its call
BYTES_MAX = 64 * 1024  # of a call: far beyond any of ours
_MAINNET, _TESTNET = 0x00, 0x80
_COMPRESSED = 0x00  # how the key is hashed
_STANDARD, _P2PKH, _ANY, _DENY, _CALL = 0x04, 0x00, 0x03, 0x02, 0x02


@dataclass(frozen=True, slots=True)
class Invocation:
    """A function of a contract and its arguments."""

    contract: Principal
    function: str
    arguments: Sequence[Value]


def payload(call: Invocation) -> bytes:
    """What a transaction, and the durable intent before it, says of a call. ChainError when it is none."""
    arguments = b"".join(encode(argument) for argument in call.arguments)
    contract = bytes((call.contract.version,)) + call.contract.hash + contract_named(call.contract.contract)
    function = named(call.function)
    raw = contract + function + struct.pack(">I", len(call.arguments)) + arguments
    if len(raw) > BYTES_MAX or len(call.arguments) > ARGUMENTS_MAX:
        raise ChainError(f"a call of {call.function} with {len(raw)} bytes is too long to be one of ours")
    return raw


def read_payload(raw: bytes) -> Invocation:
    """ChainError when the bytes are no call."""
    reader = Reader(raw)
    contract, function, count = reader.contract(), reader.name(), reader.number()
    if count > ARGUMENTS_MAX:
        raise ChainError(f"a call of {function} with {count} arguments is none of ours")
    call = Invocation(contract, function, [reader.value() for _ in range(count)])
    reader.end()
    return call


def size(call: bytes) -> int:
    """Bytes of the transaction that carries a call: what fees are reckoned by."""
    return _ENVELOPE_BYTES + len(call)


@dataclass(frozen=True, slots=True)
class Fields:
    """What a transaction of ours says beside its call; the fee in microSTX."""

    chain_id: int
    nonce: int
    fee_ustx: int
    public_key: bytes  # 65 bytes, 04 || x || y


def sign(fields: Fields, call: bytes, signer: Callable[[bytes], bytes]) -> tuple[str, bytes]:
    """Id (0x…) and bytes of the signed transaction. `signer` takes a digest, gives r || s || v (27 or 28)."""
    read_payload(call)
    blank = sha512_256(_transaction(fields, call, bytes(65), 0, 0))
    digest = sha512_256(
        blank + bytes((_STANDARD,)) + fields.fee_ustx.to_bytes(8, "big") + fields.nonce.to_bytes(8, "big")
    )
    signature = signer(digest)
    recoverable = bytes((signature[64] - 27,)) + signature[:64]
    raw = _transaction(fields, call, recoverable, fields.nonce, fields.fee_ustx)
    return "0x" + sha512_256(raw).hex(), raw


def _transaction(fields: Fields, call: bytes, signature: bytes, nonce: int, fee_ustx: int) -> bytes:
    signer = of_key(fields.public_key, version_of(fields.chain_id)).hash
    version = _MAINNET if fields.chain_id == MAINNET_ID else _TESTNET
    head = struct.pack(
        ">BIBB20sQQB", version, fields.chain_id, _STANDARD, _P2PKH, signer, nonce, fee_ustx, _COMPRESSED
    )
    return head + signature + struct.pack(">BBIB", _ANY, _DENY, 0, _CALL) + call


def sha512_256(data: bytes) -> bytes:
    return bytes(SHA512.new(data, truncate="256").digest())
