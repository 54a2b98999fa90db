"""The word of a P-256 identity: the digest of another encoder, one form, refused when anything differs."""

import json

import pytest
from Crypto.PublicKey import ECC
from Crypto.Signature import DSS
from eth_account.messages import _hash_eip191_message, encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from gateway.evidence import endorsement, typed
from gateway.evidence.endorsement import ORDER, Endorsement, check, digest, low, read, write
from gateway.evidence.typed import site_hash
from tests.gateway.evidence_samples import ADDRESSES, DOMAIN, DOMAINS, ROOTS, uint
from tests.gateway.test_evidence_typed import fields_of

IDENTITY = ECC.construct(curve="P-256", d=7)
POINT = b"\x04" + int(IDENTITY.pointQ.x).to_bytes(32, "big") + int(IDENTITY.pointQ.y).to_bytes(32, "big")
SAID = endorsement.of("meadow", "0x" + "AB" * 20, 1000, POINT)
SITES = st.text(max_size=40).filter(str.isprintable)
SAIDS = st.builds(Endorsement, SITES, ADDRESSES, uint(64), ROOTS, ROOTS)


def signed(said: Endorsement = SAID) -> tuple[str, bytes, bytes]:
    from Crypto.Hash import SHA256

    value = digest(DOMAIN, said)
    signature = DSS.new(IDENTITY, "deterministic-rfc6979").sign(SHA256.new(value))
    return write(DOMAIN, said), value, low(signature)


@given(DOMAINS, SAIDS)
def test_digest_is_that_of_another_encoder(domain, said) -> None:
    full = {
        "types": {
            "EIP712Domain": fields_of(typed.DOMAIN_TYPE),
            "Endorsement": fields_of(endorsement.TYPE),
        },
        "primaryType": "Endorsement",
        "domain": {
            "name": "Gridseal",
            "version": "1",
            "chainId": domain.chain_id,
            "verifyingContract": domain.contract,
        },
        "message": {
            "site": site_hash(said.site),
            "key": said.key,
            "at": said.at_ms,
            "x": said.x,
            "y": said.y,
        },
    }
    assert digest(domain, said) == bytes(_hash_eip191_message(encode_typed_data(full_message=full)))


@given(DOMAINS, SAIDS)
def test_what_is_written_is_read_back(domain, said) -> None:
    assert read(write(domain, said)) == (domain, said)


def test_a_good_one_has_nothing_wrong() -> None:
    assert check(*signed()) == []
    assert SAID.key == "0x" + "ab" * 20


def test_each_thing_that_is_wrong_is_said() -> None:
    body, value, signature = signed()
    later = write(DOMAIN, endorsement.of("meadow", SAID.key, 1001, POINT))
    assert check(later, value, signature) == [
        "digest is not that of its body", "its signature is not by that identity",
    ]  # fmt: skip
    s = int.from_bytes(signature[32:], "big")
    high = signature[:32] + (ORDER - s).to_bytes(32, "big")
    nowhere = write(DOMAIN, Endorsement("meadow", SAID.key, 1000, b"\x01" * 32, b"\x02" * 32))
    for bad in ((body, value, high), (body, value, signature[:63]), (body, value, bytes(64))):
        assert check(*bad) == ["its signature is not by that identity"]
    assert "its signature is not by that identity" in check(nowhere, value, signature)


@pytest.mark.parametrize(
    "change",
    [
        {"at_ms": -1}, {"at_ms": True}, {"at_ms": 2**64}, {"chain_id": "10"}, {"key": 5}, {"key": "0x12"},
        {"x": "0x12"}, {"y": "0x" + "AB" * 32}, {"contract": "0x12"}, {"site": None}, {"more": 1},
    ],
)  # fmt: skip
def test_a_body_that_is_none_is_one_line(change) -> None:
    fields = json.loads(signed()[0]) | change
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    (problem,) = check(text, *signed()[1:])
    assert problem and "\n" not in problem


@given(st.text(max_size=60))
def test_any_text_is_judged(text: str) -> None:
    for body in (text, "[" * 2000, signed()[0] + text):
        if body != signed()[0]:
            assert check(body, *signed()[1:])
