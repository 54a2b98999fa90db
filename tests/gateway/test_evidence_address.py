"""Addresses: known keys, the examples of EIP-55, and what is none."""

import pytest

from gateway.errors import ConfigError
from gateway.evidence.address import address_of, checksum
from gateway.evidence.signer import KeySigner


@pytest.mark.parametrize(
    "text",
    [
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    ],
)
def test_checksums_are_those_of_the_standard(text: str) -> None:
    assert checksum(text.lower()) == text
    assert checksum(text[2:].upper()) == text


@pytest.mark.parametrize("text", ["", "0x12", "0x" + "g" * 40, "0x" + "1" * 41, "x"])
def test_what_is_no_address_is_said(text: str) -> None:
    with pytest.raises(ConfigError, match="not an address"):
        checksum(text)


def test_the_address_of_a_well_known_key() -> None:
    assert KeySigner((1).to_bytes(32, "big")).address == "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"


@pytest.mark.parametrize("key", [b"", b"\x02" + bytes(32), b"\x03" + bytes(64), bytes(65)])
def test_only_an_uncompressed_key_has_an_address(key: bytes) -> None:
    with pytest.raises(ValueError, match="65 bytes"):
        address_of(key)
