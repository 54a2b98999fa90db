"""The hash chain: what holds, and every single thing that breaks it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.evidence import possession, records
from gateway.evidence.records import Chain, check, recover, seal, signed
from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import GENESIS, Gap, Rotation
from gateway.model import Record
from tests.gateway.evidence_samples import BODIES, DELIVERY, DOMAIN, GAP, INTERVAL, REVOCATION, SETUP

KEY, OTHER = KeySigner(b"\x01" * 32), KeySigner(b"\x02" * 32)
ORDER = 2 * records.HALF_ORDER + 1


def chain_of(bodies, key: KeySigner = KEY, sequence: int = 1, previous: bytes = GENESIS) -> list[Record]:
    made = []
    for body in bodies:
        record = seal(DOMAIN, "meadow", sequence, previous, body)
        made.append(signed(record, key.sign(record.digest)))
        sequence, previous = sequence + 1, record.digest
    return made


@given(st.lists(BODIES, max_size=6))
def test_a_chain_as_it_is_made_holds(bodies) -> None:
    assert check(chain_of(bodies), KEY.address) == []


def broken(change) -> list[str]:
    links = chain_of([INTERVAL, DELIVERY, GAP, INTERVAL])
    links[1] = change(links[1])
    return [str(fault) for fault in check(links)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: replace(r, body=r.body.replace("745", "746")), "record 2: digest is not that of its body"),
        (lambda r: replace(r, digest=b"\x09" * 32), "record 2: digest is not that of its body"),
        (lambda r: replace(r, previous=GENESIS), "record 2: previous is not the digest of record 1"),
        (lambda r: replace(r, sequence=3), "record 3: sequence does not follow 1"),
        (lambda r: replace(r, signature=b""), "record 2: not signed"),
        (lambda r: replace(r, signature=OTHER.sign(r.digest)), f"record 2: signed by {OTHER.address}"),
        (lambda r: replace(r, signature=r.signature[:64] + b"\x1d"), "ending in 27 or 28"),
        (lambda r: replace(r, signature=bytes(64) + b"\x1b"), "not on the curve"),
        (lambda r: replace(r, kind="interval"), "record 2: body has missing or unknown fields"),
        (lambda r: replace(r, kind="other"), "record 2: kind 'other'"),
        (lambda r: replace(r, body="{}"), "record 2: body has missing"),
    ],
)
def test_each_break_is_named_at_its_record(change, said: str) -> None:
    assert any(said in fault for fault in broken(change)), broken(change)


def test_a_missing_a_doubled_and_a_swapped_record_are_found() -> None:
    links = chain_of([INTERVAL] * 5)
    assert check([links[0], *links[2:]])
    assert check([links[0], links[0], *links[1:]])
    assert check([links[0], links[2], links[1], *links[3:]])


def test_a_part_of_a_chain_holds_and_can_be_held_to_what_came_before() -> None:
    links = chain_of([INTERVAL] * 5)
    assert check(links[2:]) == []
    walk = Chain(KEY.address, links[1].sequence, links[1].digest)
    assert [f for link in links[2:] for f in walk.add(link)] == []
    walk = Chain(KEY.address, links[1].sequence, b"\x01" * 32)
    assert [f.message for f in walk.add(links[2])] == ["previous is not the digest of record 2"]


def test_only_a_gap_may_jump() -> None:
    links = chain_of([INTERVAL, INTERVAL])
    far = chain_of([GAP, INTERVAL], sequence=58, previous=links[0].digest)
    assert isinstance(GAP, Gap) and check(links + far) == []
    late = chain_of([INTERVAL], sequence=58, previous=links[1].digest)
    assert [f.message for f in check(links + late)] == ["sequence does not follow 2"]


def test_the_first_record_begins_the_chain() -> None:
    assert [f.message for f in check(chain_of([INTERVAL], previous=b"\x01" * 32))] == [
        "previous of the first record is not zero"
    ]
    assert [f.message for f in check(chain_of([INTERVAL], sequence=0))] == ["sequences begin at 1"]


@given(st.binary(min_size=32, max_size=32))
def test_signatures_recover_to_their_key_and_a_high_s_is_refused(value) -> None:
    signature = KEY.sign(value)
    assert recover(value, signature) == KEY.address
    s = ORDER - int.from_bytes(signature[32:64], "big")
    flipped = signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])
    with pytest.raises(ValueError, match="high s"):
        recover(value, flipped)


@given(st.binary(max_size=70))
def test_any_bytes_are_a_signature_or_a_value_error(raw) -> None:
    try:
        assert recover(b"\x05" * 32, raw) != KEY.address
    except ValueError as error:
        assert "signature" in str(error)


def rotation(by: KeySigner = KEY, to: KeySigner = OTHER, asset: int = 7) -> Rotation:
    agreed = to.sign(possession.digest(DOMAIN, by.address, asset, "meadow"))
    return Rotation(1000, to.address.lower(), asset, agreed)


def rotated(change=lambda r: r) -> list[Record]:
    """Two records of KEY, its rotation, two of OTHER, back to back in one numbering."""
    first = chain_of([INTERVAL, SETUP, change(rotation())])
    return first + chain_of([INTERVAL, GAP], OTHER, 4, first[-1].digest)


def test_a_key_hands_over_and_the_history_stays_one() -> None:
    walk = Chain(KEY.address)
    assert [fault for link in rotated() for fault in walk.add(link)] == []
    assert (walk.keys, walk.signer) == ([KEY.address, OTHER.address], OTHER.address)
    assert check(rotated()[3:], OTHER.address) == []  # a part of it, behind the rotation


def test_behind_its_rotation_a_key_is_refused() -> None:
    first = chain_of([INTERVAL, rotation()])
    late = chain_of([INTERVAL], KEY, 3, first[-1].digest)
    assert [str(f) for f in check(first + late)] == [
        f"record 3: signed by {KEY.address}, not {OTHER.address}"
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: replace(r, asset=8), "did not agree"),  # consent for one asset is none for another
        (lambda r: replace(r, next=KEY.address.lower()), "did not agree"),
        (lambda r: rotation(by=OTHER), "did not agree"),  # consent to another binder
        (lambda r: replace(r, possession=bytes(65)), "not 65 bytes ending in 27 or 28"),
    ],
)
def test_nobody_is_made_the_next_key_without_agreeing(change, said: str) -> None:
    faults = [str(fault) for fault in check(rotated(change))]
    assert any(fault.startswith("record 3: ") and said in fault for fault in faults), faults


def test_a_revocation_is_the_last_record() -> None:
    assert check(chain_of([INTERVAL, REVOCATION])) == []
    faults = check(chain_of([INTERVAL, REVOCATION, INTERVAL, GAP]))
    assert [(f.sequence, f.message) for f in faults] == [
        (n, "its key was revoked by a record before it") for n in (3, 4)
    ]
