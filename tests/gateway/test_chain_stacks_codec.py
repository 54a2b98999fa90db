"""gateway.chain.stacks.codec: every value is its bytes and back; any bytes are a value or one clean error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.chain.stacks.codec import DEPTH_MAX, Ascii, Err, Int, Ok, Some, UInt, Utf8, decode, encode
from gateway.errors import ChainError
from gateway.principal import Principal
from tests.gateway.stacks_values import values


@given(values)
def test_a_value_comes_back_as_it_went(value):
    assert decode(encode(value)) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_of_their_own_or_one_clean_error(raw):
    try:
        found = decode(raw)
    except ChainError:
        return
    assert encode(found) == raw


@given(values, st.data())
def test_what_is_cut_or_changed_is_another_value_or_a_clean_error(value, data):
    raw = encode(value)
    cut = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(ChainError):
        decode(raw[:cut])
    with pytest.raises(ChainError):
        decode(raw + b"\0")
    changed = bytearray(raw)
    changed[cut] ^= data.draw(st.integers(1, 255))
    try:
        found = decode(bytes(changed))
    except ChainError:
        return
    assert encode(found) == changed


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        (Int(-1), "00" + "ff" * 16),
        (UInt(1), "01" + "00" * 15 + "01"),
        (b"\xde\xad", "0200000002dead"),
        (True, "03"),
        (False, "04"),
        (Principal(0, bytes(20)), "05" + "00" * 21),
        (Principal(0, bytes(20), "abcd"), "06" + "00" * 21 + "0461626364"),
        (Ok(False), "0704"),
        (Err(True), "0803"),
        (None, "09"),
        (Some(None), "0a09"),
        ([True, False], "0b000000020304"),
        ({"foobar": True, "baz": None}, "0c00000002" + "0362617a09" + "06666f6f62617203"),
        (Ascii("hi"), "0d000000026869"),
        (Utf8("é"), "0e00000002c3a9"),
    ],
)
def test_the_encoding_of_sip_005(value, raw):
    assert encode(value).hex() == raw
    assert decode(bytes.fromhex(raw)) == value


@pytest.mark.parametrize(
    "value",
    [
        Int(2**127), UInt(-1), UInt(2**128), Ascii("é"), Ascii("\x07"), Utf8("\ud800"), {}, {"": True},
        {"9a": True}, Principal(32, bytes(20)), Principal(1, bytes(19)), Principal(1, bytes(20), "9"),
        Principal(1, bytes(20), "a" * 41), bytes(2**20), {"n" * 129: None},
    ],
)  # fmt: skip
def test_what_no_contract_can_hold_is_refused(value):
    with pytest.raises(ChainError):
        encode(value)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("", "too early"),
        ("ff", "begins with 0xff"),
        ("02ffffffff", "too early"),
        ("0bffffffff", "too early"),
        ("0c00000000", "without fields"),
        ("0c00000002" + "016203" + "016103", "do not ascend"),
        ("0c00000002" + "016103" + "016103", "do not ascend"),
        ("0d0000000107", "control character"),
        ("0d00000001ff", "control character"),
        ("0e00000001ff", "not UTF-8"),
        ("05ff" + "00" * 20, "version"),
        ("0a" * DEPTH_MAX + "09", "nested"),
    ],
)
def test_what_is_no_value_says_why(raw, why):
    with pytest.raises(ChainError, match=why):
        decode(bytes.fromhex(raw))


def test_depth_is_bounded_both_ways():
    value = None
    for _ in range(DEPTH_MAX):
        value = Some(value)
    with pytest.raises(ChainError, match="nested"):
        encode(value)
    assert decode(encode(value.value)) == value.value
