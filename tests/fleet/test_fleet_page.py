"""What a site says, judged: only what holds, follows and is by its key goes on; anything else is refused."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.evidence.typed import NO_CHAIN, Gap, GapCause, Revocation, RevocationReason
from gateway.fleet.page import LIMIT, PAGE_BYTES_MAX, Chained, Place, Walk, read
from tests.chain.people import delivery
from tests.chain.world import CHAIN_ID
from tests.fleet.scene import CONTRACT, Signing, forged, page_of

SITE = Signing(1)
for _ in range(5):
    SITE.sign()
WHO = Chained(SITE.name, CHAIN_ID, CONTRACT)


def walked(found, at=None, who=WHO) -> Walk:
    walk = Walk(at or Place(0, SITE.key.address), who)
    walk.page(found)
    return walk


def sequences(walk: Walk) -> list[int]:
    return [piece.sequence for piece in walk.pieces]


def test_a_chain_from_its_beginning_and_from_any_place():
    assert sequences(walked(SITE.made)) == [1, 2, 3, 4, 5]
    for last in range(1, 6):
        walk = walked(SITE.made[last - 1 :], Place(last, SITE.key.address))
        assert (sequences(walk), walk.wrong, walk.key) == (list(range(last + 1, 6)), "", SITE.key.address)


def test_an_interval_is_the_contract_s_seven_words():
    (piece,) = walked(SITE.made[:1]).pieces
    assert [len(word) for word in piece.words] == [32] * 7
    assert (piece.words[1], piece.words[5]) == (bytes(32), SITE.made[0].signature[:32])
    assert (piece.digest, piece.call) == (SITE.made[0].digest, None)


def test_another_kind_is_a_call_of_its_own():
    site = Signing(2)
    site.sign(delivery("ab" * 32, 1, 2, 3))
    site.sign(Gap(0, 1, 0, GapCause.READINGS_DROPPED))
    walk = walked(site.made, Place(0, site.key.address), replace(WHO, site=site.name))
    assert [(p.words, p.call.contract) for p in walk.pieces] == [((), CONTRACT)] * 2
    assert walk.pieces[0].call.data != walk.pieces[1].call.data


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (forged, "digest is not that of its body"),
        (lambda r: replace(r, signature=b""), "not signed"),
        (lambda r: replace(r, signature=Signing(9).key.sign(r.digest)), "signed by"),
        (lambda r: replace(r, previous=bytes([1]) * 32), "previous"),
        (lambda r: replace(r, sequence=r.sequence + 1), "does not follow"),
        (lambda r: replace(r, body="{}"), "missing or unknown fields"),
        (lambda r: replace(r, kind="letter"), "none of"),
    ],
    ids=["energy", "unsigned", "another's", "previous", "sequence", "body", "kind"],
)
def test_a_record_that_does_not_hold_ends_the_page(spoil, said):
    walk = walked([*SITE.made[:2], spoil(SITE.made[2]), *SITE.made[3:]])
    assert sequences(walk) == [1, 2]
    assert said in walk.wrong


def test_a_record_twice_is_not_taken_twice():
    one, two, three = SITE.made[:3]
    assert sequences(walked([one, two, two, three])) == [1, 2]
    again = walked([one, two, one, two], Place(1, SITE.key.address))
    assert (sequences(again), bool(again.wrong)) == ([2], True)


def test_the_record_at_the_place_must_be_by_the_key_that_speaks_there():
    stranger = Signing(9).key.address
    walk = walked(SITE.made, Place(1, stranger))
    assert (walk.pieces, walk.wrong) == ([], f"record 1: signed by {SITE.key.address}, not {stranger}")


def test_records_of_another_site_are_wrong_and_of_another_chain_wait():
    assert "is of the site" in walked(SITE.made, who=replace(WHO, site="other")).wrong
    for who in (replace(WHO, chain_id=1), replace(WHO, contract="0x" + "11" * 20)):
        walk = walked(SITE.made, who=who)
        assert (walk.pieces, walk.wrong) == ([], "")
        assert "stays at the site" in walk.waiting


def test_what_has_no_room_waits_for_its_gap_over_pages():
    site = Signing(3)
    for _ in range(4):
        site.sign(contract=NO_CHAIN.contract)
    site.sign(Gap(0, 1, 0, GapCause.NOT_ENCODABLE))
    site.sign()
    walk = Walk(Place(0, site.key.address), replace(WHO, site=site.name))
    assert walk.page(site.made[:3]), "read on"
    assert not walk.page(site.made[3:])
    assert (sequences(walk), walk.waiting, walk.after) == ([5, 6], "", 6)


def test_a_site_that_lost_its_records_goes_on_with_a_gap_only():
    site = Signing(4)
    site.sign(Gap(0, 1, 0, GapCause.STORE_LOST), sequence=9)
    site.sign()
    at, who = Place(6, site.key.address), replace(WHO, site=site.name)
    assert sequences(walked(site.made, at, who)) == [9, 10]
    assert walked(site.made[1:], at, who).wrong != ""


def test_nothing_is_taken_behind_a_key_s_last_record():
    site = Signing(5)
    site.sign()
    site.sign(Revocation(1, RevocationReason.RETIRED))
    site.sign()
    who = replace(WHO, site=site.name)
    assert sequences(walked(site.made, Place(0, site.key.address), who)) == [1, 2]
    ended = walked(site.made[1:], Place(2, site.key.address), who)
    assert (ended.pieces, ended.key) == ([], "")


def test_a_page_is_read_as_the_route_writes_it():
    assert read(page_of(SITE.made, 2)) == SITE.made[2:]
    assert read(b'{"records": [], "next": null}') == []


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"[]", b"null", b"{}", b'{"records": {}}', b'{"records": [1]}', b'{"records": [{}]}',
        b"[" * 5000, b'{"records": [' + b"{}," * LIMIT + b"{}]}", b" " * (PAGE_BYTES_MAX + 1), b"\xff",
    ],
)  # fmt: skip
def test_anything_else_is_refused_in_one_line(raw):
    with pytest.raises(ValueError) as refused:
        read(raw)
    assert "\n" not in str(refused.value)


@given(st.integers(0, 2000), st.binary(max_size=8))
def test_a_page_that_was_damaged_anywhere_gives_nothing_that_was_not_signed(at, junk):
    raw = page_of(SITE.made[:2], 0)
    at = min(at, len(raw))
    try:
        found = read(raw[:at] + junk + raw[at + len(junk) :])
    except ValueError:
        return
    signed = {record.digest for record in SITE.made}
    assert {piece.digest for piece in walked(found).pieces} <= signed


LEAVES = st.none() | st.integers() | st.text(max_size=5)
NAMES = st.sampled_from(("records", "sequence", "kind", "body", "previous", "digest", "signature"))
ROWS = st.lists(st.dictionaries(NAMES, LEAVES | st.lists(LEAVES, max_size=3)) | LEAVES, max_size=5)


@given(ROWS | LEAVES)
def test_any_json_is_records_or_a_value_error(said):
    try:
        found = read(json.dumps({"records": said}).encode())
    except ValueError:
        return
    assert walked(found).pieces == []
