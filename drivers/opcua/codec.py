"""What a server says of a node, to canonical integers and back.

Pure; knows no library. A Field says which type a node must have, and what turns its value into its
canonical unit: an exact rational scale (negative where the device's sign is the other way round), sentinels,
a plausible range. It refuses to guess: another type than the profile's, an array, a string is a mismatch and
never a number. Decoding rounds to the nearest, limits and encoding toward zero.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, isfinite, nextafter
from struct import Struct

from drivers.opcua.node import Node
from gateway.model import INT64_MAX, INT64_MIN, Quality

# type -> least and most of what it holds; None: a float
TYPES: Mapping[str, tuple[int, int] | None] = {
    "Boolean": (0, 1),
    "SByte": (-(2**7), 2**7 - 1),
    "Byte": (0, 2**8 - 1),
    "Int16": (-(2**15), 2**15 - 1),
    "UInt16": (0, 2**16 - 1),
    "Int32": (-(2**31), 2**31 - 1),
    "UInt32": (0, 2**32 - 1),
    "Int64": (-(2**63), 2**63 - 1),
    "UInt64": (0, 2**64 - 1),
    "Float": None,
    "Double": None,
}
SCALE_TERM_MAX = 10**9  # no device scales by more
_HUGE = re.compile(r"[eE][+-]?\d{4}")  # 1e999999999 would be worked out before it is refused
_SINGLE = Struct(">f")
_UNCERTAIN, _BAD = 1, 2  # severity: the two highest bits of a status code
# The node is not there: this device does not have what others of its kind have.
_NOT_THERE = frozenset(
    {0x80340000, 0x80330000, 0x80350000}
)  # NodeIdUnknown, NodeIdInvalid, AttributeIdInvalid

Native = bool | int | float


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a node. canonical = native * scale; `low`/`high` bound the canonical value.

    `absent` holds native numbers that mean "no value". `down`: a limit, never rounded up. `uncertain`: a
    status of uncertain severity is good enough. `aged_ms`: how far its source time may be behind the
    server's; 0: not judged.
    """

    name: str
    node: Node
    type: str
    scale: Fraction = Fraction(1)
    absent: tuple[int, ...] = ()
    low: int | None = None
    high: int | None = None
    down: bool = False
    uncertain: bool = False
    aged_ms: int = 0


@dataclass(frozen=True, slots=True)
class Heard:
    """What a server said of a node: the type it claims ("": no value; "[]Double": an array), the value as it
    was decoded, the status code, and its source time in ms, where it gave one."""

    type: str
    value: object
    status: int = 0
    source_ms: int | None = None


def decode(field: Field, heard: Heard, now_ms: int | None = None) -> tuple[int, int]:
    """Value and quality. TypeError when it is of another type than the profile's, whatever its status says
    of it. `now_ms`: what the server's own clock says."""
    severity = heard.status >> 30
    if severity >= _BAD:
        return 0, Quality.ABSENT if heard.status & 0xFFFF0000 in _NOT_THERE else Quality.INVALID
    if heard.type == "":
        return 0, Quality.ABSENT
    native = _native(field, heard)
    value = None if native in field.absent else scaled(field, native)
    if value is None:
        return 0, Quality.ABSENT
    if not (INT64_MIN if field.low is None else field.low) <= value <= _most(field):
        return min(max(value, INT64_MIN), INT64_MAX), Quality.INVALID
    if severity == _UNCERTAIN and not field.uncertain:
        return value, Quality.INVALID
    return value, Quality.STALE if _aged(field, heard, now_ms) else Quality.GOOD


def _most(field: Field) -> int:
    return INT64_MAX if field.high is None else field.high


def _native(field: Field, heard: Heard) -> Native:
    """The value, if it is what its type says and its type is the field's."""
    bounds, value = TYPES[field.type], heard.value
    if heard.type == field.type:
        if field.type == "Boolean":
            if isinstance(value, bool):
                return value
        elif bounds is None:
            if isinstance(value, float):
                return value
        elif isinstance(value, int) and not isinstance(value, bool) and bounds[0] <= value <= bounds[1]:
            return value
    raise TypeError(f"{field.name}: {field.node} is {heard.type}, not {field.type}")


def _aged(field: Field, heard: Heard, now_ms: int | None) -> bool:
    if not field.aged_ms:
        return False
    return heard.source_ms is None or now_ms is None or now_ms - heard.source_ms > field.aged_ms


def scaled(field: Field, native: Native) -> int | None:
    """The canonical value; None of what is no number at all."""
    if not isfinite(native):
        return None
    exact = Fraction(native) * field.scale
    return int(exact) if field.down else round(exact)


def encode(field: Field, value: int) -> Native:
    """What the node is to hold for `value` (canonical), toward zero. ValueError when it does not fit."""
    exact, bounds = Fraction(value) / field.scale, TYPES[field.type]
    if bounds is None:
        return _below(field.type, exact)
    native = int(exact)
    if not bounds[0] <= native <= bounds[1]:
        raise ValueError(f"{field.name}: {value} is outside what {field.type} at {field.node} can hold")
    if native in field.absent:
        raise ValueError(f"{field.name}: {value} would be written as the number for 'no value'")
    return bool(native) if field.type == "Boolean" else native


def _below(type_: str, exact: Fraction) -> float:
    """The float nearest to `exact` that is not beyond it."""
    try:
        near = float(exact)
        if type_ == "Float":
            near = _SINGLE.unpack(_SINGLE.pack(near))[0]
    except OverflowError:
        raise ValueError(f"{exact} is outside what {type_} can hold") from None
    if abs(Fraction(near)) <= abs(exact):
        return near
    if type_ == "Double":
        return nextafter(near, 0.0)
    lower: float = _SINGLE.unpack((int.from_bytes(_SINGLE.pack(near)) - 1).to_bytes(4))[0]
    return lower  # one step toward zero


def hold(field: Field, value: int) -> int:
    """The power nearest to zero that `encode` stores as it stores `value`: what the device holds, less than 1
    above it where that is no whole number."""
    native = Fraction(value) / field.scale
    stored = Fraction(_below(field.type, native)) if TYPES[field.type] is None else Fraction(int(native))
    held = ceil(abs(stored * field.scale))
    return -held if value < 0 else held


def fitting(field: Field, wanted: int) -> int:
    """`wanted`, or what of it an integer node can hold."""
    bounds = TYPES[field.type]
    if bounds is None:
        return wanted
    ends = sorted(int(n * field.scale) for n in bounds)
    return min(max(wanted, ends[0]), ends[1])


def parse_scale(value: object) -> Fraction:
    """An exact positive rational from 10, 0.1, "0.1" or "1/10". ValueError with what to write."""
    hint = "scale must be a number above 0 such as 1000, 0.1 or 1/10"
    if isinstance(value, bool) or not isinstance(value, int | float | str | Fraction):
        raise ValueError(hint)
    text = str(value)  # by its decimal text: 0.1 is one tenth, not the nearest binary float
    try:
        scale = Fraction(text if len(text) <= 40 and not _HUGE.search(text) else "")
    except (ValueError, ZeroDivisionError):
        raise ValueError(hint) from None
    if scale <= 0 or max(scale.numerator, scale.denominator) > SCALE_TERM_MAX:
        raise ValueError(f"scale {value!r} must be above 0, with terms up to {SCALE_TERM_MAX}")
    return scale
