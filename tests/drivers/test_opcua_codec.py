"""What a server says of a node becomes an integer in its unit, or nothing: never a guess."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.opcua import codec
from drivers.opcua.codec import TYPES, Field, Heard
from drivers.opcua.node import Node
from gateway.model import INT64_MAX, INT64_MIN, Quality

NODE = Node("urn:x", "s", "n")
GOOD, UNCERTAIN, BAD = 0x0000_0000, 0x4092_0000, 0x8003_0000
NOT_THERE = 0x8034_0000


def field(type_="Double", **more):
    return Field("battery_power_w", NODE, type_, **more)


@pytest.mark.parametrize(
    ("told", "heard", "value"),
    [
        (field(scale=Fraction(1000)), Heard("Double", 1.2345), 1234),
        (field(scale=Fraction(-1000)), Heard("Double", 1.5), -1500),
        (field(), Heard("Double", -0.4), 0),
        (field("Int16", scale=Fraction(1, 10)), Heard("Int16", -25), -2),
        (field("UInt64"), Heard("UInt64", 7), 7),
        (field("Boolean"), Heard("Boolean", True), 1),
        (field("Float", scale=Fraction(1000)), Heard("Float", 51.20000076293945), 51200),
        (field(scale=Fraction(1000), down=True), Heard("Double", 4.9999), 4999),
        (field("Int16", down=True, scale=Fraction(1, 10)), Heard("Int16", 19), 1),
    ],
)
def test_good_values_are_scaled_and_turned(told, heard, value):
    assert codec.decode(told, heard) == (value, Quality.GOOD)


@pytest.mark.parametrize(
    ("told", "heard", "found"),
    [
        (field(), Heard("Double", math.nan), (0, Quality.ABSENT)),
        (field(), Heard("Double", math.inf), (0, Quality.ABSENT)),
        (field("Int16", absent=(-32768,)), Heard("Int16", -32768), (0, Quality.ABSENT)),
        (field(), Heard("", None), (0, Quality.ABSENT)),
        (field(), Heard("Double", 5.0, NOT_THERE), (0, Quality.ABSENT)),
        (field(), Heard("Double", 5.0, BAD), (0, Quality.INVALID)),
        (field(), Heard("", None, BAD), (0, Quality.INVALID)),
        (field(), Heard("Double", 5.0, 0xC000_0000), (0, Quality.INVALID)),
        (field(), Heard("Double", 5.0, UNCERTAIN), (5, Quality.INVALID)),
        (field(uncertain=True), Heard("Double", 5.0, UNCERTAIN), (5, Quality.GOOD)),
        (field(high=4), Heard("Double", 5.0), (5, Quality.INVALID)),
        (field(low=6), Heard("Double", 5.0), (5, Quality.INVALID)),
        (field(), Heard("Double", 1e300), (INT64_MAX, Quality.INVALID)),
        (field(), Heard("Double", -1e300), (INT64_MIN, Quality.INVALID)),
        (field("UInt64"), Heard("UInt64", 2**64 - 1), (INT64_MAX, Quality.INVALID)),
    ],
)
def test_what_is_not_to_be_believed_is_not_good(told, heard, found):
    assert codec.decode(told, heard) == found


@pytest.mark.parametrize(
    "heard",
    [
        Heard("Float", 5.0),
        Heard("String", "5"),
        Heard("[]Double", [5.0]),
        Heard("Double", 5),
        Heard("Double", "5"),
        Heard("Double", [5.0]),
        Heard("ExtensionObject", object()),
    ],
)
def test_another_type_is_a_mismatch(heard):
    with pytest.raises(TypeError, match="battery_power_w: s=n is "):
        codec.decode(field(), heard)


def test_a_number_beyond_its_own_type_is_a_mismatch():
    with pytest.raises(TypeError):
        codec.decode(field("Byte"), Heard("Byte", 256))
    with pytest.raises(TypeError):
        codec.decode(field("Int32"), Heard("Int32", True))
    with pytest.raises(TypeError):
        codec.decode(field("Boolean"), Heard("Boolean", 1))


def test_the_source_time_is_measured_by_the_servers_own_clock():
    told = field(aged_ms=10_000)
    assert codec.decode(told, Heard("Double", 1.0, 0, 1000), 11_000) == (1, Quality.GOOD)
    assert codec.decode(told, Heard("Double", 1.0, 0, 1000), 11_001) == (1, Quality.STALE)
    assert codec.decode(told, Heard("Double", 1.0, 0, None), 1000) == (1, Quality.STALE)
    assert codec.decode(told, Heard("Double", 1.0, 0, 1000), None) == (1, Quality.STALE)
    assert codec.decode(field(), Heard("Double", 1.0)) == (1, Quality.GOOD)


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.lists(st.floats(), max_size=3),
    st.builds(object),
)
names = st.one_of(st.sampled_from([*TYPES, "", "String", "[]Double", "DateTime"]), st.text(max_size=8))
moments = st.one_of(st.none(), st.integers(-(2**63), 2**63))


@given(
    st.sampled_from(sorted(TYPES)), st.fractions(Fraction(1, 1000), 10**6), st.booleans(), names, anything,
    st.integers(0, 2**32 - 1), moments, moments,
)  # fmt: skip
def test_whatever_a_server_says_is_a_number_of_its_type_or_none(
    type_, scale, down, name, value, status, at, now
):
    told = field(type_, scale=scale, down=down, low=-(10**9), high=10**9, aged_ms=5000)
    try:
        found, quality = codec.decode(told, Heard(name, value, status, at), now)
    except TypeError:
        assert status >> 30 < 2 and name != ""
        return
    assert INT64_MIN <= found <= INT64_MAX and isinstance(found, int)
    if quality in (Quality.GOOD, Quality.STALE):
        assert name == type_ and abs(found) <= 10**9 and status >> 30 == 0
    if quality == Quality.ABSENT:
        assert found == 0


@given(
    st.sampled_from(sorted(set(TYPES) - {"Boolean"})),
    st.fractions(Fraction(1, 1000), 10**4),
    st.integers(-100_000, 100_000),
    st.booleans(),
)
def test_what_is_written_reads_back_and_never_is_more(type_, scale, power_w, turned):
    told = field(type_, scale=-scale if turned else scale)
    wanted = codec.fitting(told, power_w)
    native = codec.encode(told, wanted)
    stored = Fraction(native) * told.scale
    assert abs(stored) <= abs(wanted)
    assert stored == 0 or (stored > 0) == (wanted > 0)
    held = codec.hold(told, wanted)
    assert abs(stored) <= abs(held) < abs(stored) + 1
    assert codec.encode(told, held) == native
    found, quality = codec.decode(told, Heard(type_, native))
    assert quality == Quality.GOOD and abs(found - held) <= 1


def test_what_a_node_cannot_hold_is_not_written():
    with pytest.raises(ValueError, match="outside what Int16"):
        codec.encode(field("Int16"), 40_000)
    with pytest.raises(ValueError, match="no value"):
        codec.encode(field("Int16", absent=(-1,)), -1)
    with pytest.raises(ValueError, match="outside what Float"):
        codec.encode(field("Float", scale=Fraction(1, 10**9)), 10**40)
    with pytest.raises(ValueError, match="outside what Double"):
        codec.encode(field("Double", scale=Fraction(1, 10**9)), 10**310)
    assert codec.encode(field("Boolean"), 1) is True
    assert codec.encode(field("Boolean"), 0) is False


@pytest.mark.parametrize(
    ("said", "scale"),
    [(10, 10), (0.1, Fraction(1, 10)), ("1/3", Fraction(1, 3)), (1e-5, Fraction(1, 10**5)), (Fraction(2), 2)],
)
def test_a_scale_is_exact(said, scale):
    assert codec.parse_scale(said) == scale


@pytest.mark.parametrize("said", [0, -1, True, None, "x", "1/0", "1e999999", math.nan, math.inf, 10**10, [1]])
def test_a_scale_is_a_positive_number_of_a_sane_size(said):
    with pytest.raises(ValueError, match="scale"):
        codec.parse_scale(said)
