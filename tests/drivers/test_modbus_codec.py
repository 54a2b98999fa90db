"""Registers to canonical integers and back, and everything in between that must not become a number."""

import math
import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.codec import FLOATS, TYPES, Decoder, Field, encode, hold, native_range, parse_scale
from gateway.model import INT64_MAX, INT64_MIN, Quality

GOOD, INVALID, ABSENT = Quality.GOOD, Quality.INVALID, Quality.ABSENT


def one(field: Field, data: bytes) -> tuple[int, Quality]:
    values, qualities = Decoder([field], field.address, field.count).decode(data)
    return values[0], Quality(qualities[0])


def words(registers: tuple[int, ...]) -> bytes:
    return struct.pack(f">{len(registers)}H", *registers)


@pytest.mark.parametrize(
    ("field", "hexed", "value", "quality"),
    [
        (Field("a_w", 0, "u16"), "ffff", 65535, GOOD),
        (Field("a_w", 0, "s16"), "ffff", -1, GOOD),
        (Field("a_w", 0, "s32"), "fffffffe", -2, GOOD),
        (Field("a_w", 0, "s32", little=True), "fffeffff", -2, GOOD),
        (Field("a_w", 0, "u32", little=True), "00020001", 0x00010002, GOOD),
        (Field("a_w", 0, "u64", little=True), "0004000300020001", 0x0001000200030004, GOOD),
        (Field("a_w", 0, "s64"), "8000000000000000", INT64_MIN, GOOD),
        (Field("a_w", 0, "u64"), "ffffffffffffffff", INT64_MAX, INVALID),
        (Field("a_w", 0, "s16", scale=Fraction(-1)), "8000", 32768, GOOD),
        (Field("a_w", 0, "s16", scale=Fraction(-10)), "0005", -50, GOOD),
        (Field("a_w", 0, "u16", scale=Fraction(1, 10)), "0019", 3, GOOD),  # 2.5 up
        (Field("a_w", 0, "s16", scale=Fraction(1, 10)), "ffe7", -2, GOOD),  # -2.5 up
        (Field("a_w", 0, "s16", absent=(0x8000,)), "8000", 0, ABSENT),
        (Field("a_w", 0, "s16", absent=(-32768,)), "8000", 0, ABSENT),
        (Field("a_w", 0, "s16", absent=(0x8000,)), "8001", -32767, GOOD),
        (Field("a_w", 0, "u32", absent=(0xFFFFFFFF,)), "ffffffff", 0, ABSENT),
        (Field("a_w", 0, "u16", low=0, high=100), "0065", 101, INVALID),
        (Field("a_w", 0, "u16", low=0, high=100), "0064", 100, GOOD),
        (Field("a_w", 0, "s16", low=0), "ffff", -1, INVALID),
        (Field("a_code", 0, "u16", mask=0x0F00), "a5ff", 5, GOOD),
        (Field("a_code", 0, "s16", mask=0x8000), "8000", 1, GOOD),
        (Field("a_mv", 0, "f32", scale=Fraction(1000)), struct.pack(">f", 52.37).hex(), 52370, GOOD),
        (Field("a_w", 0, "f32"), struct.pack(">f", math.nan).hex(), 0, ABSENT),
        (Field("a_w", 0, "f32"), struct.pack(">f", -math.inf).hex(), 0, ABSENT),
        (Field("a_w", 0, "f32", absent=(0xFF7FFFFF,)), "ff7fffff", 0, ABSENT),
        (Field("a_w", 0, "f64", scale=Fraction(1000)), struct.pack(">d", 1e308).hex(), INT64_MAX, INVALID),
        (Field("a_w", 0, "f64", scale=Fraction(1000)), struct.pack(">d", -1e308).hex(), INT64_MIN, INVALID),
        (Field("a_w", 0, "f32", scale=Fraction(-1), little=True), "0000447a", -1000, GOOD),
        (Field("a_w", 0, "s32", zero=32_000), "00007530", -2000, GOOD),
        (Field("a_w", 0, "u16", scale=Fraction(-10), zero=1_000), "03e9", -10, GOOD),
        (Field("a_w", 0, "u16", absent=(0,), zero=1_000), "0000", 0, ABSENT),
        (Field("a_w", 0, "u16", mask=0x0FFF, zero=1_000), "f3e9", 1, GOOD),
    ],
)
def test_one_value(field: Field, hexed: str, value: int, quality: Quality) -> None:
    assert one(field, bytes.fromhex(hexed)) == (value, quality)


def test_a_block_with_holes_overlaps_and_both_word_orders() -> None:
    fields = [
        Field("hi_code", 10, "u16", mask=0xFF00),
        Field("lo_code", 10, "u16", mask=0x00FF),
        Field("x_w", 12, "s32", little=True),
        Field("y_w", 15, "u16"),
    ]
    data = bytes.fromhex("0102 dead 0005 0001 beef 0007".replace(" ", ""))
    assert Decoder(fields, 10, 6).decode(data) == ([1, 2, 65541, 7], bytes(4))
    plain = [Field("x_w", 12, "u32"), Field("y_w", 15, "u16")]
    assert Decoder(plain, 10, 6).decode(data) == ([0x00050001, 7], bytes(2))


def test_a_scaled_block_stays_exact() -> None:
    fields = [Field(f"p{n}_wh", 2 * n, "u32", scale=Fraction(10**9)) for n in range(3)]
    data = struct.pack(">3I", 0, 1, 2**32 - 1)
    assert Decoder(fields, 0, 6).decode(data) == ([0, 10**9, (2**32 - 1) * 10**9], bytes(3))


@pytest.mark.parametrize(
    ("written", "scale"),
    [
        (10, Fraction(10)),
        (0.1, Fraction(1, 10)),
        ("0.1", Fraction(1, 10)),
        ("1/10", Fraction(1, 10)),
        ("10", Fraction(10)),
    ],
)
def test_scale_is_exact(written: object, scale: Fraction) -> None:
    assert parse_scale(written) == scale


@pytest.mark.parametrize(
    "written",
    [0, -1, "x", "1/0", True, None, [], "1e12", "1/3000000000", float("nan"), float("inf"), "9" * 500,
     "1e999999999", "1e-999999999", 10**100],
)  # fmt: skip
def test_scales_that_are_refused(written: object) -> None:
    with pytest.raises(ValueError):
        parse_scale(written)


SCALES = st.fractions(Fraction(1, 1000), 1000, max_denominator=1000).filter(bool)
INTEGERS = sorted(set(TYPES) - FLOATS)


@given(st.sampled_from(INTEGERS), st.booleans(), SCALES, st.booleans(), st.integers(0, 40_000), st.data())
def test_integers_survive_the_round_trip(
    type_: str, little: bool, scale: Fraction, negate: bool, zero: int, data: st.DataObject
) -> None:
    field = Field("a_w", 0, type_, little, -scale if negate else scale, zero=zero)
    native = data.draw(st.integers(*native_range(type_)))
    exact = (native - zero) * field.scale
    value, quality = one(field, words(tuple(encode(Field("a_w", 0, type_, little), native))))
    if INT64_MIN <= exact <= INT64_MAX:
        assert quality is GOOD and abs(value - exact) <= Fraction(1, 2)
    else:
        assert value in (INT64_MIN, INT64_MAX) and quality in (GOOD, INVALID)


@given(st.sampled_from(sorted(TYPES)), SCALES, st.data())
def test_a_limit_is_never_rounded_up(type_: str, scale: Fraction, data: st.DataObject) -> None:
    """Invariant 1 of the design: within the limits after rounding and scaling."""
    field = Field("charge_limit_w", 0, type_, scale=scale, down=True)
    if type_ in FLOATS:
        native: int | float = data.draw(st.floats(-1e6, 1e6, width=32))
    else:
        native = data.draw(st.integers(*(max(-(10**6), min(n, 10**6)) for n in native_range(type_))))
    value, quality = one(field, struct.pack(">" + TYPES[type_][0], native))
    exact = abs(Fraction(native) * scale)
    slack = exact / 2**52 if type_ in FLOATS else 0
    assert quality is GOOD and abs(value) <= exact + slack < abs(value) + 1 + 2 * slack


@given(st.sampled_from(sorted(TYPES)), st.booleans(), SCALES, st.booleans(), st.integers(-40000, 40000))
def test_encoding_never_goes_beyond_what_was_asked(
    type_: str, little: bool, scale: Fraction, negate: bool, value: int
) -> None:
    field = Field("a_w", 0, type_, little, -scale if negate else scale)
    try:
        registers = encode(field, value)
    except ValueError:
        low, high = native_range(type_)
        assert not low <= int(value / field.scale) <= high
        return
    held = hold(field, value)
    raw = words(registers[::-1] if little else registers)
    stored = Fraction(struct.unpack(">" + TYPES[type_][0], raw)[0]) * field.scale
    assert abs(stored) <= abs(value) and stored * value >= 0
    assert abs(stored) <= abs(held) < abs(stored) + 1 and abs(held) <= abs(value)
    assert encode(field, held) == registers
    if type_ not in FLOATS:
        assert abs(value) - abs(stored) < abs(field.scale)


@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(TYPES)), st.booleans(), st.integers(0, 3)), min_size=1, max_size=20
    ),
    st.data(),
)
def test_any_bytes_decode_to_int64_and_a_quality(layout: list, data: st.DataObject) -> None:
    fields, at = [], 5
    for type_, little, hole in layout:
        fields.append(Field("a_w", at + hole, type_, little, absent=(0,)))
        at = fields[-1].end
    raw = data.draw(st.binary(min_size=2 * (at - 5), max_size=2 * (at - 5)))
    values, qualities = Decoder(fields, 5, at - 5).decode(raw)
    alone = [one(f, raw[2 * (f.address - 5) : 2 * (f.end - 5)]) for f in fields]
    assert list(zip(values, map(Quality, qualities), strict=True)) == alone
    assert all(INT64_MIN <= v <= INT64_MAX for v in values)
    assert all(v == 0 for v, q in zip(values, qualities, strict=True) if q == ABSENT)


@pytest.mark.parametrize("value", [65536, -1])
def test_what_does_not_fit_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        encode(Field("a_w", 0, "u16"), value)


def test_a_number_that_would_read_as_absent_is_refused() -> None:
    with pytest.raises(ValueError, match="no value"):
        encode(Field("a_w", 0, "s16", absent=(0x8000,)), -32768)
    with pytest.raises(ValueError, match="f32"):
        encode(Field("a_w", 0, "f32"), 10**40)
