"""gateway.principal: c32check, there and back, and mistyped ones found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.principal import ALPHABET, MAINNET, TESTNET, Principal, c32, parse
from tests.gateway.stacks_values import principals


@given(principals)
def test_an_address_comes_back_as_it_went(principal):
    assert parse(str(principal)) == principal


@given(st.integers(0, 31), st.integers(0, 20), st.data())
def test_leading_zero_bytes_are_kept(version, zeros, data):
    digest = bytes(zeros) + data.draw(st.binary(min_size=20 - zeros, max_size=20 - zeros))
    assert parse(c32(version, digest)) == Principal(version, digest)


@given(principals, st.data())
def test_one_wrong_letter_is_found(principal, data):
    text = str(principal).partition(".")[0]
    at = data.draw(st.integers(1, len(text) - 1))
    other = data.draw(st.sampled_from([c for c in ALPHABET if c != text[at]]))
    with pytest.raises(ValueError, match=r"Stacks address|contract's name"):
        parse(text[:at] + other + text[at + 1 :])


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_one_clean_error(text):
    try:
        found = parse(text)
    except ValueError:
        return
    assert str(found) == text


def test_known_addresses():
    """The burn addresses, as their own source prints them."""
    assert c32(MAINNET, bytes(20)) == "SP000000000000000000002Q6VF78"
    assert c32(TESTNET, bytes(20)) == "ST000000000000000000002AMW42H"


@pytest.mark.parametrize(
    "text",
    [
        "SP000000000000000000002Q6VF78.", "SP000000000000000000002Q6VF78.9",
        "SP000000000000000000002Q6VF78." + "a" * 41, "sp000000000000000000002q6vf78", "S", "SP", "",
        "SP" + "Z" * 48, "SPO00000000000000000002Q6VF78",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match=r"Stacks address|contract's name"):
        parse(text)


def test_hashes_of_another_size_are_refused():
    for version, size in ((22, 19), (32, 20), (-1, 20)):
        with pytest.raises(ValueError, match="20 bytes"):
            c32(version, bytes(size))


@pytest.mark.parametrize(
    ("version", "network"), [(22, "mainnet"), (20, "mainnet"), (26, "testnet"), (21, "testnet"), (5, "")]
)
def test_the_network_is_in_the_address(version, network):
    found = parse(str(Principal(version, bytes(20), "c")))
    assert found.network == network
