"""The certificate: its digest by an independent encoder, its body there and back, what it refuses."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from gateway.evidence import certificate
from gateway.evidence.certificate import Commissioning, Part, Timer
from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import Domain, keccak
from gateway.model import ClockTrust

SECRET = bytes(range(1, 33))  # public and worthless, that of the page's other vectors
DOMAIN = Domain(10, "0x" + "11" * 20)
SITE = "meadow-lane-7"
PAGE = Path(__file__).parents[2] / "docs/attestation.md"
UINT32 = st.integers(0, 2**32 - 1)
TEXT = st.text(max_size=certificate.TEXT_MAX)
BYTES32 = st.binary(min_size=32, max_size=32)
INT32 = st.integers(-(2**31), 2**31 - 1)
PARTS = st.builds(Part, TEXT, TEXT, TEXT, BYTES32, BYTES32, INT32, INT32)
SAID = st.builds(
    Commissioning,
    at_ms=st.integers(0, 2**64 - 1),
    clock=st.sampled_from(ClockTrust),
    config=BYTES32,
    power_w=UINT32,
    changes=st.integers(0, 65_535),
    confidence_bp=st.integers(0, 65_535),
    noise_w=UINT32,
    response_ms=UINT32,
    error_w=UINT32,
    timer=st.sampled_from(Timer),
    obeyed_ms=UINT32,
    reverted_ms=UINT32,
    parts=st.lists(PARTS, min_size=1, max_size=3).map(tuple),
)
ONE = Commissioning(
    1_790_000_000_000, ClockTrust.TRUSTED, keccak(b"config"), 500, 8, 9921, 12, 950, 30, Timer.MEASURED,
    59_100, 60_100,
    (
        Part("inverter", "Vendor", "Model", certificate.serial_hash("SN1"), keccak(b"profile"), 10_010, 0),
        Part("meter", "", "", certificate.NO_SERIAL, keccak(b"meter"), 0, -9990),
    ),
)  # fmt: skip


def block() -> str:
    """The test vector as docs/attestation.md prints it."""
    digest = certificate.digest(DOMAIN, SITE, ONE)
    shown = {
        "secret": f"0x{SECRET.hex()}",
        "address": KeySigner(SECRET).address,
        "body": certificate.write(DOMAIN, SITE, ONE),
        "digest": f"0x{digest.hex()}",
        "signature": f"0x{KeySigner(SECRET).sign(digest).hex()}",
    }
    return f"```json\n{json.dumps(shown, indent=1)}\n```"


def test_the_page_prints_the_types_and_a_vector_that_is_made_again_the_same() -> None:
    page = PAGE.read_text()
    main = certificate.TYPE.removesuffix(certificate.PART_TYPE)
    assert f"\n{main}\n{certificate.PART_TYPE}\n" in page
    assert block() in page
    section = page.split("Commissioning certificates")[-1]
    for name in json.loads(certificate.write(DOMAIN, SITE, ONE)):
        assert f"`{name}`" in section
    for name in json.loads(certificate.write(DOMAIN, SITE, ONE))["parts"][0]:
        assert f"`{name}`" in section


def independent(domain: Domain, site: str, said: Commissioning) -> bytes:
    """The digest as eth-account makes it from the types of docs/attestation.md."""
    head, part = certificate.TYPE.split("Part(", 1)
    fields = [f.split(" ") for f in head.removeprefix("Commissioning(").rstrip(")").split(",")]
    parts = [f.split(" ") for f in part.rstrip(")").split(",")]
    values = {
        "site": keccak(site.encode()), "at": said.at_ms, "clock": said.clock, "config": said.config,
        "power": said.power_w, "changes": said.changes, "confidence": said.confidence_bp,
        "noise": said.noise_w, "response": said.response_ms, "error": said.error_w, "timer": said.timer,
        "obeyed": said.obeyed_ms, "reverted": said.reverted_ms,
        "parts": [
            {
                "device": p.device, "vendor": p.vendor, "model": p.model, "serial": p.serial,
                "profile": p.profile, "battery": p.battery_bp, "grid": p.grid_bp,
            }
            for p in said.parts
        ],
    }  # fmt: skip
    typed = {
        "primaryType": "Commissioning",
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Commissioning": [{"name": n, "type": t} for t, n in fields],
            "Part": [{"name": n, "type": t} for t, n in parts],
        },
        "domain": {
            "name": "Gridseal", "version": "1", "chainId": domain.chain_id,
            "verifyingContract": domain.contract,
        },
        "message": values,
    }  # fmt: skip
    message = encode_typed_data(full_message=typed)
    return keccak(b"\x19" + message.version + message.header + message.body)


@given(said=SAID, site=st.text(max_size=20))
def test_the_digest_is_that_of_an_independent_encoder(said, site) -> None:
    assert certificate.digest(DOMAIN, site, said) == independent(DOMAIN, site, said)


@given(said=SAID, site=TEXT)
def test_a_body_reads_back_as_what_was_written(said, site) -> None:
    text = certificate.write(DOMAIN, site, said)
    assert certificate.read(text) == (DOMAIN, site, said)
    assert len(text) < certificate.BODY_CHARS_MAX


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_whatever_else_is_given_is_a_value_error(text) -> None:
    with pytest.raises(ValueError):
        certificate.read(text)


@given(said=SAID, data=st.data())
def test_a_body_with_anything_changed_is_refused_or_another_digest(said, data) -> None:
    text = certificate.write(DOMAIN, "meadow", said)
    at = data.draw(st.integers(0, len(text) - 1))
    other = text[:at] + data.draw(st.characters(codec="ascii")) + text[at + 1 :]
    try:
        read = certificate.read(other)
    except ValueError:
        return
    same = read == (DOMAIN, "meadow", said) or replace_case(read, said)
    assert same or certificate.digest(*read) != certificate.digest(DOMAIN, "meadow", said)


def replace_case(read, said) -> bool:
    """Hex digits and the contract may be in either case."""
    domain, site, found = read
    return (domain.contract.lower(), site, found) == (DOMAIN.contract, "meadow", said)


def test_a_signed_certificate_holds_and_a_changed_one_does_not() -> None:
    signer = KeySigner(SECRET)
    body, digest = certificate.write(DOMAIN, "meadow", ONE), certificate.digest(DOMAIN, "meadow", ONE)
    signature = signer.sign(digest)
    assert Account._recover_hash(digest, signature=signature) == signer.address
    assert certificate.check(body, digest, signature) == []
    assert certificate.check(body, digest, signature, signer.address) == []
    other = KeySigner(bytes(31) + b"\1").address
    assert certificate.check(body, digest, signature, other) == [f"signed by {signer.address}, not {other}"]
    forged = certificate.write(DOMAIN, "meadow", replace(ONE, obeyed_ms=3_600_000))
    assert certificate.check(forged, digest, signature)[0] == "digest is not that of its body"
    assert "not 65 bytes" in certificate.check(body, digest, b"")[0]
    assert "not JSON" in certificate.check("{", digest, signature)[0]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("at_ms", -1, "at_ms is not a uint64"),
        ("clock", True, "clock is not a uint8"),
        ("timer", 9, "9 is not a valid Timer"),
        ("config", "0x" + " 0" * 32, "config is not 0x"),
        ("contract", "0xzz", "contract"),
        ("site", 5, "site is not a text"),
        ("parts", [], "speaks of 1 to"),
        ("parts", [{}], "a part of a certificate has missing"),
        ("more", 1, "missing or unknown fields: more"),
    ],
)
def test_a_field_that_is_not_what_it_must_be_is_named(name, value, text) -> None:
    body = json.loads(certificate.write(DOMAIN, "meadow", ONE)) | {name: value}
    with pytest.raises(ValueError, match=text):
        certificate.read(json.dumps(body))


def test_numbers_out_of_their_types_cannot_be_signed() -> None:
    with pytest.raises(ValueError, match="does not fit uint32"):
        certificate.digest(DOMAIN, "meadow", replace(ONE, noise_w=2**32))
    part = replace(ONE.parts[0], battery_bp=2**31)
    with pytest.raises(ValueError, match="does not fit int32"):
        certificate.digest(DOMAIN, "meadow", replace(ONE, parts=(part,)))
