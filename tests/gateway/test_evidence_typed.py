"""Digests against eth-account's own EIP-712 encoder, for any record."""

import struct
from dataclasses import replace

import pytest
from eth_account.messages import _hash_eip191_message, encode_typed_data
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.evidence import typed
from gateway.evidence.typed import (
    CAUSES,
    OUTCOMES,
    Domain,
    Gap,
    cause_bits,
    command_bytes,
    curtailments_hash,
    digest,
    site_hash,
)
from gateway.model import Cause, CommandState, Delivery, Interval
from tests.gateway.evidence_samples import (
    ALL_BODIES,
    DELIVERY,
    DOMAIN,
    DOMAINS,
    GAP,
    INTERVAL,
    REVOCATION,
    ROTATION,
    uint,
)

TYPES = {
    Interval: typed.INTERVAL_TYPE,
    Delivery: typed.DELIVERY_TYPE,
    Gap: typed.GAP_TYPE,
    typed.Setup: typed.SETUP_TYPE,
    typed.Rotation: typed.ROTATION_TYPE,
    typed.Revocation: typed.REVOCATION_TYPE,
}


def fields_of(text: str) -> list[dict[str, str]]:
    """The members in "Name(type name,type name)"."""
    inner = text[text.index("(") + 1 : -1]
    return [dict(zip(("type", "name"), member.split(), strict=True)) for member in inner.split(",")]


def message(site: str, sequence: int, previous: bytes, body: typed.Body) -> dict:
    values = [getattr(body, name) for name in type(body).__dataclass_fields__]
    if isinstance(body, Delivery):
        values[0] = command_bytes(body.command_id)
        listed = b"".join(bytes([CAUSES.index(c)]) + ms.to_bytes(4, "big") for c, ms in body.curtailments)
        values[12:14] = keccak(listed), cause_bits(body.causes), OUTCOMES[body.outcome]
        values[15:] = values[16], values[15]  # count comes before the root in the type
    names = [member["name"] for member in fields_of(TYPES[type(body)])]
    return dict(zip(names, [site_hash(site), sequence, previous, *values], strict=True))


def reference(domain: Domain, site: str, sequence: int, previous: bytes, body: typed.Body) -> bytes:
    full = {
        "types": {
            "EIP712Domain": fields_of(typed.DOMAIN_TYPE),
            type(body).__name__: fields_of(TYPES[type(body)]),
        },
        "primaryType": type(body).__name__,
        "domain": {
            "name": "Gridseal",
            "version": "1",
            "chainId": domain.chain_id,
            "verifyingContract": domain.contract,
        },
        "message": message(site, sequence, previous, body),
    }
    return bytes(_hash_eip191_message(encode_typed_data(full_message=full)))


@given(
    DOMAINS,
    st.text(max_size=40).filter(str.isprintable),
    uint(64),
    st.binary(min_size=32, max_size=32),
    ALL_BODIES,
)
def test_digest_is_that_of_another_encoder(domain, site, sequence, previous, body) -> None:
    assert digest(domain, site, sequence, previous, body) == reference(domain, site, sequence, previous, body)


@pytest.mark.parametrize(
    "body",
    [
        replace(INTERVAL, charged_wh=2**64),
        replace(ROTATION, asset=2**64),
        replace(REVOCATION, at_ms=-1),
        replace(INTERVAL, charged_wh=-1),
        replace(INTERVAL, soc_bp=2**16),
        replace(INTERVAL, flags=2**16),
        replace(INTERVAL, available_wh=2**32),
        replace(DELIVERY, delivered_wh=2**63),
        replace(DELIVERY, power_min_w=-(2**31) - 1),
        replace(DELIVERY, power_mean_w=2**31),
        replace(DELIVERY, response_ms=2**32),
        replace(DELIVERY, error_mean_w=-1),
        replace(DELIVERY, available_bp=2**16),
        replace(DELIVERY, curtailed_ms=-1),
        replace(DELIVERY, curtailments=((Cause.BMS, 2**32),)),
        replace(GAP, lost=2**64),
    ],
)
def test_a_value_beyond_its_type_is_never_hashed(body) -> None:
    with pytest.raises(struct.error):
        digest(DOMAIN, "s", 1, bytes(32), body)


def test_previous_must_be_a_digest() -> None:
    with pytest.raises(struct.error, match="32"):
        digest(DOMAIN, "s", 1, b"short", INTERVAL)


def test_every_digest_depends_on_every_argument() -> None:
    base = (DOMAIN, "s", 2, bytes(32), INTERVAL)
    others = [
        (Domain(11, DOMAIN.contract), *base[1:]),
        (Domain(10, "0x" + "ac" * 20), *base[1:]),
        (DOMAIN, "t", *base[2:]),
        (DOMAIN, "s", 3, *base[3:]),
        (DOMAIN, "s", 2, b"\x01" * 32, INTERVAL),
        (*base[:4], replace(INTERVAL, end_ms=901_001)),
    ]
    assert len({digest(*arguments) for arguments in [base, *others]}) == len(others) + 1


def test_numbers_that_can_never_change() -> None:
    assert cause_bits((Cause.INVERTER, Cause.STOP, Cause.INVERTER)) == 1 | 1 << 14
    assert [c.value for c in CAUSES] == [
        "inverter limit", "bms limit", "limit unknown", "site limit", "grid limit", "contract limit",
        "state of charge", "temperature", "ramp", "direction dwell", "device resolution", "command ended",
        "write budget", "latched fault", "stop", "higher source", "device away",
        "cell voltage", "limit recovering", "grid lost",
    ]  # fmt: skip
    assert OUTCOMES == {CommandState.REFUSED: 1, CommandState.DONE: 2, CommandState.CUT_SHORT: 3}


def test_the_curtailments_are_hashed_in_their_order() -> None:
    two = ((Cause.INVERTER, 1), (Cause.BMS, 0x01020304))
    assert curtailments_hash(two) == keccak(bytes.fromhex("00000000010101020304"))
    assert curtailments_hash(two) != curtailments_hash(two[::-1])
    assert curtailments_hash(()) == keccak(b"")


def test_bad_contract_addresses_and_command_ids_are_named() -> None:
    with pytest.raises(ConfigError, match="0x12 is not a contract address"):
        _ = Domain(1, "0x12").separator
    with pytest.raises(ValueError, match="not 32 bytes"):
        command_bytes("0x12")
    assert command_bytes("0x" + "ab" * 32) == b"\xab" * 32
