"""Leaves against eth-abi, the tree against its definition, proofs for every leaf."""

import struct

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from gateway.evidence import merkle
from gateway.evidence.typed import keccak
from gateway.model import ClockTrust, Point, Sample, Stamp
from tests.gateway.evidence_samples import sint, uint

READINGS = st.tuples(st.text(max_size=70), uint(64), sint(64), uint(8))
HASHES = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40)


@given(READINGS)
def test_a_leaf_is_the_double_keccak_of_its_abi_encoding(reading) -> None:
    encoded = encode(["string", "uint64", "int64", "uint8"], reading)
    assert merkle.leaf(*reading) == keccak(keccak(encoded))


@given(HASHES)
def test_the_tree_is_openzeppelins(hashes) -> None:
    nodes = merkle.tree(hashes)
    count = len(hashes)
    assert len(nodes) == 2 * count - 1
    assert nodes[count - 1 :] == sorted(hashes, reverse=True)
    for i in range(count - 1):
        assert nodes[i] == keccak(b"".join(sorted(nodes[2 * i + 1 : 2 * i + 3])))
    assert merkle.root(reversed(hashes)) == nodes[0]


@given(HASHES, st.binary(min_size=32, max_size=32))
def test_every_leaf_has_a_proof_and_no_other_hash_has(hashes, foreign) -> None:
    nodes = merkle.tree(hashes)
    for target in hashes:
        siblings = merkle.proof(nodes, target)
        assert merkle.verify(nodes[0], target, siblings)
        if foreign not in hashes:
            assert not merkle.verify(nodes[0], foreign, siblings)
    if foreign not in hashes:
        with pytest.raises(ValueError, match="not a leaf"):
            merkle.proof(nodes, foreign)


def test_an_inner_node_is_not_taken_for_a_leaf() -> None:
    nodes = merkle.tree([bytes([n]) * 32 for n in range(8)])
    with pytest.raises(ValueError, match="not a leaf"):
        merkle.proof(nodes, nodes[1])


def test_a_tree_needs_a_leaf() -> None:
    with pytest.raises(ValueError, match="at least one"):
        merkle.root([])


def test_a_samples_leaves_are_those_of_its_evidence_readings_absent_ones_too() -> None:
    points = (Point("bms", "battery_soc_bp"), Point("bms", "raw_code", evidence=False), Point("bms", "x_w"))
    sample = Sample("bms", Stamp(5, 1_790_000_000_123, ClockTrust.TRUSTED), points, (5120, 9, 0), b"\0\0\3")
    expected = [
        merkle.leaf("bms/battery_soc_bp", 1_790_000_000_123, 5120, 0),
        merkle.leaf("bms/x_w", 1_790_000_000_123, 0, 3),
    ]
    assert merkle.leaves(sample) == expected
    readings = [r for r in sample.readings() if r.point.evidence]
    assert [merkle.leaf_of(r) for r in readings] == expected


@pytest.mark.parametrize("reading", [("p", -1, 0, 0), ("p", 0, 2**63, 0), ("p", 0, 0, 256)])
def test_a_number_beyond_its_type_is_no_leaf(reading) -> None:
    with pytest.raises(struct.error):
        merkle.leaf(*reading)
