"""Scaling and rounding of raw values: exact, and never a number where there is none."""

import math
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.sunspec.mapping import ROWS
from drivers.sunspec.values import ABSENT, INVALID, PLACES, SF_ABSENT, decode, divide, text
from gateway.model import INT64_MAX, UNITS, Quality


@pytest.mark.parametrize(
    ("raw", "absent", "sf", "places", "expected"),
    [
        (553, 0xFFFF, -1, 2, (5530, Quality.GOOD)),  # 55.3 %
        (50012, 0xFFFF, -3, 3, (50012, Quality.GOOD)),
        (-5, -0x8000, -1, 2, (-50, Quality.GOOD)),  # -0.5 °C
        (1024, 0xFFFF, 1, 0, (10240, Quality.GOOD)),
        (15, 0xFFFF, -1, 0, (2, Quality.GOOD)),  # a tie, away from zero
        (-15, -0x8000, -1, 0, (-2, Quality.GOOD)),
        (0xFFFF, 0xFFFF, 0, 0, ABSENT),
        (0, 0, 0, 0, ABSENT),  # acc32
        (5, 0xFFFF, SF_ABSENT, 0, ABSENT),
        (5, 0xFFFF, 11, 0, INVALID),
        (5, 0xFFFF, -11, 0, INVALID),
        (2**63, 2**64 - 1, 0, 0, INVALID),
        (2**60, 2**64 - 1, 10, 0, INVALID),
        (math.nan, None, 0, 0, ABSENT),
        (math.inf, None, 0, 0, INVALID),
        (-math.inf, None, 0, 0, INVALID),
        (-2500.5, None, 0, 0, (-2501, Quality.GOOD)),
        (230.25, None, 0, 3, (230250, Quality.GOOD)),
        (1e30, None, 0, 0, INVALID),
    ],
)
def test_decode(raw: int | float, absent: int | None, sf: int, places: int, expected: object) -> None:
    assert decode(raw, absent, sf, places) == expected


@given(st.integers(-(2**31), 2**31), st.integers(-10, 3), st.integers(0, 3), st.booleans())
def test_decode_equals_decimal_arithmetic(raw: int, sf: int, places: int, down: bool) -> None:
    exact = Decimal(raw).scaleb(sf + places)
    rounded = exact.to_integral_value(ROUND_DOWN if down else ROUND_HALF_UP)
    assert decode(raw, None, sf, places, down=down) == (int(rounded), Quality.GOOD)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.integers(0, 3))
def test_floats_are_taken_exactly(raw: float, places: int) -> None:
    value, quality = decode(raw, None, 0, places)
    exact = Fraction(raw) * 10**places
    if quality is Quality.GOOD:
        assert abs(value - exact) <= Fraction(1, 2)
    else:
        assert quality is Quality.INVALID and abs(exact) > INT64_MAX - 1


@given(st.integers(), st.integers(1, 10**12))
def test_divide_down_never_grows(numerator: int, denominator: int) -> None:
    quotient = divide(numerator, denominator, down=True)
    assert abs(quotient) * denominator <= abs(numerator)
    assert quotient == int(Fraction(numerator, denominator))


def test_places_are_those_of_the_canonical_units() -> None:
    assert all(UNITS[unit][1] == places for unit, places in PLACES.items())
    assert {row.name.rsplit("_", 1)[1] for row in ROWS} <= set(PLACES)


@given(st.binary(max_size=40))
def test_text_is_printable_whatever_comes(raw: bytes) -> None:
    shown = text(raw)
    assert shown.isprintable() and shown == shown.strip()


def test_text_ends_at_the_first_nul() -> None:
    assert text(b"Fronius\0\0junk") == "Fronius"
    assert text("Wärme ".encode() + b"\0") == "Wärme"
    assert text(b"a\x1b[31mb\r\n") == "a[31mb"
