"""Registers to canonical integers and back: one struct and one table per block, compiled once.

Pure. A Field says how one value lies in registers and what turns it into its canonical unit: an exact
rational scale (negative where the device's sign is the other way round), the patterns that mean "no
value", a plausible range. Decoding rounds to the nearest integer, limits and encoding toward zero. What
the device calls absent is ABSENT and 0; what is implausible or beyond int64 is INVALID and kept visible.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, isfinite
from operator import itemgetter
from struct import Struct

from gateway.model import INT64_MAX, INT64_MIN, Quality

# type -> (struct code, registers)
TYPES: Mapping[str, tuple[str, int]] = {
    "u16": ("H", 1),
    "s16": ("h", 1),
    "u32": ("I", 2),
    "s32": ("i", 2),
    "u64": ("Q", 4),
    "s64": ("q", 4),
    "f32": ("f", 2),
    "f64": ("d", 4),
}
FLOATS = frozenset({"f32", "f64"})
SCALE_TERM_MAX = 10**9  # no device scales by more; keeps every product well inside exact arithmetic
SCALE_TEXT_MAX = 40
_HUGE = re.compile(r"[eE][+-]?\d{4}")  # 1e999999999 would be worked out before it is refused

_GOOD, _INVALID, _ABSENT = int(Quality.GOOD), int(Quality.INVALID), int(Quality.ABSENT)

Native = int | float
Convert = Callable[[Native], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Field:
    """One value in registers. canonical = (native - zero) * scale; `low`/`high` bound the canonical value.

    `absent` holds bit patterns (0x8000) or native numbers (-32768), equal to the codec. `mask` picks bits,
    shifted down to bit 0. `little`: the lowest 16 bits come first. `down`: a limit, never rounded up.
    `unit` None: the device's own.
    """

    name: str
    address: int
    type: str
    little: bool = False
    scale: Fraction = Fraction(1)
    absent: tuple[int, ...] = ()
    mask: int = 0
    low: int | None = None
    high: int | None = None
    unit: int | None = None
    table: str = "holding"
    down: bool = False
    zero: int = 0

    @property
    def count(self) -> int:
        return TYPES[self.type][1]

    @property
    def end(self) -> int:
        """The first address after it."""
        return self.address + self.count


def parse_scale(value: object) -> Fraction:
    """An exact positive rational from 10, 0.1, "0.1" or "1/10". ValueError with what to write."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Fraction):
        raise ValueError("scale must be a number such as 10, 0.1 or 1/10")
    try:
        text = str(value)  # by its decimal text: 0.1 is one tenth, not the nearest binary float
        scale = Fraction(text if len(text) <= SCALE_TEXT_MAX and not _HUGE.search(text) else "")
    except (ValueError, ZeroDivisionError):
        raise ValueError("scale must be a number such as 10, 0.1 or 1/10") from None
    if scale <= 0 or max(scale.numerator, scale.denominator) > SCALE_TERM_MAX:
        raise ValueError(f"scale {value!r} must be positive, with terms up to {SCALE_TERM_MAX}")
    return scale


def native_range(type_: str) -> tuple[int, int]:
    """Least and most of an integer type."""
    bits = 16 * TYPES[type_][1]
    return (0, 2**bits - 1) if type_[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def native_absent(type_: str, pattern: int) -> Native:
    """A sentinel as the struct module decodes it. ValueError when the type cannot hold it."""
    bits = 16 * TYPES[type_][1]
    if not -(2 ** (bits - 1)) <= pattern < 2**bits:
        raise ValueError(f"{pattern} does not fit {type_}")
    raw = (pattern % 2**bits).to_bytes(bits // 8, "big")
    native: Native = Struct(">" + TYPES[type_][0]).unpack(raw)[0]
    return native


class Decoder:
    """The fields of one block, compiled. `decode` keeps their order."""

    def __init__(self, fields: Sequence[Field], address: int, count: int) -> None:
        stored = sorted({(f.address, f.type, f.little) for f in fields})
        index = {key: n for n, key in enumerate(stored)}
        places = [index[f.address, f.type, f.little] for f in fields]
        self._order = None if places == list(range(len(stored))) else places
        self._gather, self._unpack = _layout(stored, address, count)
        self._good = bytes(len(fields))
        self._factors = tuple((n, f.scale.numerator) for n, f in enumerate(fields) if _is_factor(f))
        self._work = tuple((n, _converter(f)) for n, f in enumerate(fields) if not _is_plain(f))

    def decode(self, data: bytes) -> tuple[list[int], bytes]:
        """Values in canonical units and their qualities, from the 2 * count bytes of the block."""
        raw = self._unpack(data if self._gather is None else bytes(self._gather(data)))
        values = list(raw) if self._order is None else [raw[n] for n in self._order]
        for n, factor in self._factors:
            values[n] *= factor
        if not self._work:
            return values, self._good
        qualities = bytearray(self._good)
        for n, convert in self._work:
            values[n], qualities[n] = convert(values[n])
        return values, bytes(qualities)


_Stored = tuple[int, str, bool]
_Gather = Callable[[bytes], tuple[int, ...]]


def _layout(
    stored: Sequence[_Stored], address: int, count: int
) -> tuple[_Gather | None, Callable[[bytes], tuple[int, ...]]]:
    """One struct for the block: with pad bytes when values lie in order, else over gathered bytes."""
    ends = [a + TYPES[t][1] for a, t, _ in stored]
    overlap = any(start[0] < end for start, end in zip(stored[1:], ends[:-1], strict=True))
    if overlap or any(little for _, _, little in stored):
        wanted = [byte for item in stored for byte in _bytes_of(item, address)]
        return itemgetter(*wanted), Struct(">" + "".join(TYPES[t][0] for _, t, _ in stored)).unpack
    text, at = ">", address
    for (start, type_, _), end in zip(stored, ends, strict=True):
        text += f"{2 * (start - at)}x{TYPES[type_][0]}"
        at = end
    return None, Struct(f"{text}{2 * (address + count - at)}x").unpack


def _bytes_of(item: _Stored, address: int) -> list[int]:
    start, type_, little = item
    words = range(start - address, start - address + TYPES[type_][1])
    return [2 * word + half for word in (reversed(words) if little else words) for half in (0, 1)]


def _is_bare(field: Field) -> bool:
    """Integers that need no look at each value: any pattern is a value, and it fits int64."""
    unchecked = not field.absent and not field.mask and not field.zero
    unchecked = unchecked and field.low is None and field.high is None
    return unchecked and field.type not in FLOATS and field.scale.denominator == 1


def _is_factor(field: Field) -> bool:
    # 32 bits times at most 10**9 fits int64; 64-bit types are checked one by one
    return _is_bare(field) and field.scale != 1 and field.count < 4


def _is_plain(field: Field) -> bool:
    return _is_factor(field) or (_is_bare(field) and field.scale == 1 and field.type != "u64")


def _converter(field: Field) -> Convert:
    absent = frozenset(native_absent(field.type, p) for p in field.absent)
    low = INT64_MIN if field.low is None else field.low
    high = INT64_MAX if field.high is None else field.high
    scale = _float_scaler(field) if field.type in FLOATS else _integer_scaler(field)

    def convert(native: Native) -> tuple[int, int]:
        if native in absent:
            return 0, _ABSENT
        value = scale(native)
        if value is None:
            return 0, _ABSENT
        if low <= value <= high:
            return value, _GOOD
        return min(max(value, INT64_MIN), INT64_MAX), _INVALID

    return convert


def _integer_scaler(field: Field) -> Callable[[Native], int | None]:
    numerator, denominator, mask = field.scale.numerator, field.scale.denominator, field.mask
    shift = (mask & -mask).bit_length() - 1

    def scale(native: Native) -> int | None:
        whole = int(native)
        if mask:
            whole = (whole & mask) >> shift
        whole -= field.zero
        if field.down:
            return int(whole * field.scale)
        return (2 * whole * numerator + denominator) // (2 * denominator)

    return scale


def _float_scaler(field: Field) -> Callable[[Native], int | None]:
    numerator, denominator = field.scale.numerator, field.scale.denominator

    def scale(native: Native) -> int | None:
        if not isfinite(native):
            return None
        scaled = native * numerator / denominator
        if isfinite(scaled):
            return int(scaled) if field.down else round(scaled)
        return INT64_MAX + 1 if scaled > 0 else INT64_MIN - 1

    return scale


def encode(field: Field, value: int) -> tuple[int, ...]:
    """Registers that hold `value` (canonical), rounded toward zero. ValueError when it does not fit."""
    exact = Fraction(value) / field.scale
    if field.type in FLOATS:
        raw = _float_bytes(field.type, exact)
    else:
        native, (least, most) = int(exact) + field.zero, native_range(field.type)
        if not least <= native <= most:
            raise ValueError(
                f"{field.name}: {value} is outside what {field.type} at {field.address} can hold"
            )
        raw = native.to_bytes(2 * field.count, "big", signed=least < 0)
    decoded = Struct(">" + TYPES[field.type][0]).unpack(raw)[0]
    if decoded in {native_absent(field.type, p) for p in field.absent}:
        raise ValueError(f"{field.name}: {value} would be written as the pattern for 'no value'")
    words = tuple(int.from_bytes(raw[n : n + 2], "big") for n in range(0, len(raw), 2))
    return words[::-1] if field.little else words


def _float_bytes(type_: str, exact: Fraction) -> bytes:
    """The float nearest to `exact` that is not beyond it."""
    packer = Struct(">" + TYPES[type_][0])
    try:
        raw = packer.pack(float(exact))
    except OverflowError:
        raise ValueError(f"{float(exact):g} is outside what {type_} can hold") from None
    if abs(Fraction(packer.unpack(raw)[0])) > abs(exact):
        raw = (int.from_bytes(raw, "big") - 1).to_bytes(len(raw), "big")  # one step toward zero
    return raw


def hold(field: Field, value: int) -> int:
    """The power nearest to zero that `encode` stores as it stores `value`: what the device holds, less than 1
    above it where that is no whole number."""
    native = Fraction(value) / field.scale
    if field.type in FLOATS:
        stored = Fraction(Struct(">" + TYPES[field.type][0]).unpack(_float_bytes(field.type, native))[0])
    else:
        stored = Fraction(int(native))
    held = ceil(abs(stored * field.scale))
    return -held if value < 0 else held
