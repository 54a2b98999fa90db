"""What a JSON-RPC endpoint may say, checked: quantities, hashes, blocks, logs and receipts.

Pure. Every byte of an answer is hostile: each parser accepts exactly the shape of the Ethereum JSON-RPC
specification within stated bounds and raises ChainError, one line, for anything else.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from gateway.errors import ChainError

QUANTITY = re.compile(r"0x(0|[1-9a-fA-F][0-9a-fA-F]{0,63})")
DATA = re.compile(r"0x([0-9a-fA-F]{2})*")
UINT64_MAX = 2**64 - 1
UINT256_MAX = 2**256 - 1
WEI_MAX = 2**63 - 1  # a price or fee: 9.2 ether a gas is absurd, and SQLite holds no more
TOPICS_MAX = 4
LOGS_MAX = 1024  # of our contracts in one block; a block cannot hold so many orders for one site
LOG_DATA_MAX = 2 * 2**20  # as much as an answer holds; too much for an order is for the platform to say


@dataclass(frozen=True, slots=True)
class Block:
    """A header as far as the gateway uses it. Hashes are lower case 0x hex."""

    number: int
    hash: str
    parent: str
    timestamp_s: int
    base_fee_wei: int


@dataclass(frozen=True, slots=True)
class Log:
    """One event of one contract, with its place in the chain."""

    address: str  # lower case
    topics: tuple[bytes, ...]
    data: bytes
    block_hash: str
    transaction: str
    index: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a transaction was mined and whether it did what it should."""

    hash: str
    block_number: int
    block_hash: str
    ok: bool
    gas_used: int
    price_wei: int


def _wrong(what: str, value: object) -> ChainError:
    return ChainError(f"the RPC gave no {what}: {repr(value)[:60]}")


def quantity(value: object, top: int = UINT256_MAX) -> int:
    """A 0x number without leading zeros, 0 to `top`."""
    if not isinstance(value, str) or not QUANTITY.fullmatch(value):
        raise _wrong("quantity", value)
    number = int(value, 16)
    if number > top:
        raise _wrong(f"quantity up to {top}", value)
    return number


def data(value: object, size_max: int) -> bytes:
    """0x bytes, at most `size_max` of them."""
    if not isinstance(value, str) or len(value) > 2 + 2 * size_max or not DATA.fullmatch(value):
        raise _wrong(f"bytes, at most {size_max}", value)
    return bytes.fromhex(value[2:])


def _fixed(value: object, size: int, what: str) -> str:
    if not isinstance(value, str) or len(value) != 2 + 2 * size or not DATA.fullmatch(value):
        raise _wrong(what, value)
    return value.lower()


def hash32(value: object) -> str:
    return _fixed(value, 32, "hash of 32 bytes")


def address(value: object) -> str:
    return _fixed(value, 20, "address")


def mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(what, value)
    return value


def block(value: object) -> Block:
    """A block of eth_getBlockBy…; ChainError also for a pending one, which has no hash."""
    fields = mapping(value, "block")
    return Block(
        quantity(fields.get("number"), UINT64_MAX),
        hash32(fields.get("hash")),
        hash32(fields.get("parentHash")),
        quantity(fields.get("timestamp"), UINT64_MAX),
        quantity(fields.get("baseFeePerGas", "0x0"), WEI_MAX),
    )


def log(value: object, block_hash: str) -> Log:
    """One entry of eth_getLogs, which must be of the block that was asked for, and not removed."""
    fields = mapping(value, "log")
    topics = fields.get("topics")
    if not isinstance(topics, list) or len(topics) > TOPICS_MAX:
        raise _wrong("list of topics", topics)
    if fields.get("removed", False) is not False or hash32(fields.get("blockHash")) != block_hash:
        raise ChainError(f"the RPC gave a log of another block than {block_hash}")
    return Log(
        address(fields.get("address")),
        tuple(bytes.fromhex(hash32(topic)[2:]) for topic in topics),
        data(fields.get("data"), LOG_DATA_MAX),
        block_hash,
        hash32(fields.get("transactionHash")),
        quantity(fields.get("logIndex"), UINT64_MAX),
    )


def logs(value: object, block_hash: str) -> tuple[Log, ...]:
    """All entries in the order of the block; an index twice or out of order is a ChainError."""
    if not isinstance(value, list) or len(value) > LOGS_MAX:
        raise _wrong(f"list of at most {LOGS_MAX} logs", value)
    found = tuple(log(entry, block_hash) for entry in value)
    if any(a.index >= b.index for a, b in pairwise(found)):
        raise ChainError("the RPC gave logs out of order")
    return found


def receipt(value: object, transaction: str) -> Receipt:
    """The receipt of exactly that transaction."""
    fields = mapping(value, "receipt")
    if hash32(fields.get("transactionHash")) != transaction:
        raise ChainError(f"the RPC gave a receipt of another transaction than {transaction}")
    return Receipt(
        transaction,
        quantity(fields.get("blockNumber"), UINT64_MAX),
        hash32(fields.get("blockHash")),
        quantity(fields.get("status"), 1) == 1,
        quantity(fields.get("gasUsed"), 2**40),
        quantity(fields.get("effectiveGasPrice"), WEI_MAX),
    )
