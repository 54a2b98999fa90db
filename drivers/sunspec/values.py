"""Raw SunSpec values to canonical integers: sentinels, scale factors and rounding.

Pure and exact: integers all the way, a float32 by its exact ratio. It refuses to make a number of what a
device marks as not implemented (ABSENT) or of what no device can mean (INVALID).
"""

import math

from gateway.model import INT64_MAX, Quality

SF_ABSENT = -0x8000
SF_LIMIT = 10  # SunSpec allows scale factors of -10 to 10

# Powers of ten between the unit of a definition and the canonical unit of a point's suffix.
PLACES = {
    "w": 0, "var": 0, "va": 0, "wh": 0, "s": 0, "count": 0, "code": 0, "flags": 0,
    "mv": 3, "ma": 3, "mhz": 3, "cc": 2, "bp": 2,
}  # fmt: skip

Value = tuple[int, Quality]
ABSENT: Value = (0, Quality.ABSENT)
INVALID: Value = (0, Quality.INVALID)


def decode(raw: int | float, absent: int | None, sf: int, places: int, *, down: bool = False) -> Value:
    """`raw` * 10^(sf + places), to the nearest integer (ties away from zero), or toward zero if `down`.

    `sf` is 0 for points without a scale factor. ABSENT for sentinels and NaN, of value or scale factor.
    """
    if raw == absent or sf == SF_ABSENT:
        return ABSENT
    if isinstance(raw, float):
        if math.isnan(raw):
            return ABSENT
        if math.isinf(raw):
            return INVALID
        numerator, denominator = raw.as_integer_ratio()
    else:
        numerator, denominator = raw, 1
    if not -SF_LIMIT <= sf <= SF_LIMIT:
        return INVALID
    power = sf + places
    if power >= 0:
        numerator *= 10**power
    else:
        denominator *= 10**-power
    value = divide(numerator, denominator, down=down)
    return (value, Quality.GOOD) if abs(value) <= INT64_MAX else INVALID


def divide(numerator: int, denominator: int, *, down: bool) -> int:
    """Whole quotient (denominator > 0): toward zero if `down`, else to the nearest, ties away from zero."""
    magnitude = abs(numerator) if down else abs(numerator) + denominator // 2
    quotient = magnitude // denominator
    return -quotient if numerator < 0 else quotient


def text(raw: bytes) -> str:
    """A string point as one printable line; whatever a device sends, nothing else gets through."""
    shown = raw.split(b"\0", 1)[0].decode("utf-8", "replace")
    return "".join(c for c in shown if c.isprintable()).strip()
