"""The Merkle tree of an interval's readings, leaf for leaf OpenZeppelin's StandardMerkleTree.

Pure. Values are (string point, uint64 at_ms, int64 value, uint8 quality); a leaf is the double keccak of
their ABI encoding; leaves are sorted; a node is the keccak of its sorted children. ABSENT readings are
leaves too (value 0, quality 3): that a device said nothing is evidence. Points with `evidence=False` are
left out. It refuses to look for a leaf that is not there.
"""

import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache

import sha3

from gateway.model import Point, Reading, Sample

_HEAD = struct.Struct(">32s24xQ24s q31xB")
_PLUS, _MINUS = bytes(24), b"\xff" * 24  # the upper bytes of a non-negative and a negative int64
_STRING_AT = (128).to_bytes(32, "big")  # the string begins after the four head words
_keccak = sha3.keccak_256
POINTS_CACHED = 8192  # a site has a few thousand points at most


@lru_cache(maxsize=POINTS_CACHED)
def _tail(point: str) -> bytes:
    """ABI encoding of the string: its length, its bytes, zeros up to a word."""
    raw = point.encode()
    return len(raw).to_bytes(32, "big") + raw + bytes(-len(raw) % 32)


@lru_cache(maxsize=POINTS_CACHED)
def _point_tail(point: Point) -> bytes:
    return _tail(point.key) if point.evidence else b""


def _hash(tail: bytes, at_ms: int, value: int, quality: int) -> bytes:
    head = _HEAD.pack(_STRING_AT, at_ms, _PLUS if value >= 0 else _MINUS, value, quality)
    return _keccak(_keccak(head + tail).digest()).digest()  # type: ignore[no-any-return]


def leaf(point: str, at_ms: int, value: int, quality: int) -> bytes:
    """The hash of one reading, 32 bytes. struct.error when a number does not fit its type."""
    return _hash(_tail(point), at_ms, value, quality)


def leaves(sample: Sample) -> list[bytes]:
    """The leaf hashes of a sample's evidence points, in their order."""
    at_ms = sample.stamp.wall_ms
    return [
        _hash(tail, at_ms, value, quality)
        for point, value, quality in zip(sample.points, sample.values, sample.qualities, strict=True)
        if (tail := _point_tail(point))
    ]


def leaf_of(reading: Reading) -> bytes:
    return leaf(reading.point.key, reading.at_ms, reading.value, reading.quality)


def _pair(a: bytes, b: bytes) -> bytes:
    return _keccak(a + b if a < b else b + a).digest()  # type: ignore[no-any-return]


def tree(hashes: Iterable[bytes]) -> list[bytes]:
    """All nodes, root first; node i has children 2i+1 and 2i+2; sorted leaves fill the end, backwards.

    ValueError without leaves.
    """
    nodes = sorted(hashes, reverse=True)
    if not nodes:
        raise ValueError("a Merkle tree needs at least one leaf")
    count = len(nodes)
    nodes[:0] = [b""] * (count - 1)
    for i in range(count - 2, -1, -1):
        nodes[i] = _pair(nodes[2 * i + 1], nodes[2 * i + 2])
    return nodes


def root(hashes: Iterable[bytes]) -> bytes:
    """The root of the tree over these leaf hashes (any order). ValueError without leaves."""
    return tree(hashes)[0]


def proof(nodes: Sequence[bytes], target: bytes) -> list[bytes]:
    """The siblings from a leaf up to the root of `tree(...)`. ValueError when the leaf is not in it."""
    first = len(nodes) // 2
    try:
        i = nodes.index(target, first)
    except ValueError:
        raise ValueError("this reading is not a leaf of the tree")
    siblings = []
    while i > 0:
        siblings.append(nodes[i + 1 if i % 2 else i - 1])
        i = (i - 1) // 2
    return siblings


def verify(expected: bytes, target: bytes, siblings: Iterable[bytes]) -> bool:
    """Does the proof lead from this leaf hash to the root?"""
    for sibling in siblings:
        target = _pair(target, sibling)
    return target == expected
