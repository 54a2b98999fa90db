"""How people write quantities ("10 kW", "15 min", "95 %"), to canonical integers and back.

Pure. Used by site.yaml, by profiles and by the command line, so that all three accept the same words.
It refuses numbers without a unit, units of another dimension, and anything finer than the canonical unit.
"""

import re
from collections.abc import Mapping
from fractions import Fraction

from gateway.model import UNITS

POWER_W = {"W": 1, "kW": 1000, "MW": 1_000_000}
ENERGY_WH = {"Wh": 1, "kWh": 1000, "MWh": 1_000_000}
RAMP_W_PER_S = {"W/s": 1, "kW/s": 1000, "kW/min": Fraction(1000, 60), "W/min": Fraction(1, 60)}
DURATION_MS = {
    "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000, "weeks": 604_800_000,
}  # fmt: skip
PERCENT_BP = {"%": 100}
TEMPERATURE_CC = {"°C": 100, "C": 100}
SIZE_BYTES = {
    "B": 1, "kB": 1000, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30,
    "TB": 10**12,
}  # fmt: skip
MONEY_WEI = {"wei": 1, "gwei": 10**9, "ether": 10**18}
MONEY_USTX = {"uSTX": 1, "STX": 10**6}

_NUMBER_UNIT = re.compile(r"([+-]?\d{1,30}(?:\.\d{1,30})?)\s*([^\d\s].*)?")
_COMMA = re.compile(r"[+-]?\d+,\d+")
_SHOWN_MAX = 40  # of what was written: a message stays one line

Scale = Mapping[str, int | Fraction]


def parse(text: object, units: Scale, *, least: int | None = None, most: int | None = None) -> int:
    """The canonical integer of `text`; ValueError with a sentence for a person otherwise."""
    written = "" if text is None else str(text).strip()
    shown = repr(written if len(written) <= _SHOWN_MAX else f"{written[:_SHOWN_MAX]}…")
    example = f'write it like "10 {next(iter(units))}" (units: {", ".join(units)})'
    if _COMMA.match(written):
        raise ValueError(f"{shown} has a comma: decimals are written with a point, like 5.5")
    match = _NUMBER_UNIT.fullmatch(written)
    if isinstance(text, bool) or match is None:
        raise ValueError(f"{shown} is not a number with a unit: {example}")
    number, unit = match[1], (match[2] or "").strip()
    if not unit:
        raise ValueError(f"{shown} has no unit: {example}")
    if unit not in units:
        raise ValueError(f"{shown} has the unknown unit {unit!r}: {_meant(number, unit, units) or example}")
    value = Fraction(number) * units[unit]
    if value.denominator != 1 and unit not in ("kW/min", "W/min"):
        raise ValueError(f"{shown} is finer than this setting can hold")
    whole = int(value)
    if (least is not None and whole < least) or (most is not None and whole > most):
        raise ValueError(f"{shown} is out of range: {_range(units, least, most)}")
    return whole


def _meant(number: str, unit: str, units: Scale) -> str:
    """The unit that was written in other letters or at length: KW, sec, days, kWh; else nothing."""
    low = unit.lower()
    near = [u for u in units if low.startswith(u.lower()) or (len(low) > 1 and u.lower().startswith(low))]
    return f'did you mean "{number} {max(near, key=len)}"? (units: {", ".join(units)})' if near else ""


def _range(units: Scale, least: int | None, most: int | None) -> str:
    bounds = (("at least", least), ("at most", most))
    return ", ".join(f"{word} {_round(bound, units)}" for word, bound in bounds if bound is not None)


def _round(bound: int, units: Scale) -> str:
    """A bound in the largest unit that gives a whole number."""
    whole = [unit for unit, factor in units.items() if bound and bound % factor == 0]
    unit = max(whole, key=lambda u: units[u]) if whole else next(iter(units))
    return f"{int(bound / units[unit])} {unit}"


def show(value: int, unit: str) -> str:
    """A canonical integer as people read it: show(5000, "bp") is "50.00 %"; powers above 10 kW in kW."""
    symbol, places = UNITS[unit]
    if unit in ("w", "var", "va", "wh") and abs(value) >= 10_000:
        return f"{value / 1000:.2f} k{symbol}"
    number = f"{value / 10**places:.{places}f}" if places else str(value)
    return f"{number} {symbol}".rstrip()


def size(count: int) -> str:
    """Bytes as people read them: size(310_000_000) is "310 MB"."""
    for unit in ("TB", "GB", "MB", "kB"):
        if count >= SIZE_BYTES[unit]:
            value = count / SIZE_BYTES[unit]
            return f"{value:.0f} {unit}" if value >= 10 else f"{value:.1f} {unit}"
    return f"{count} B"


def days(count: int) -> str:
    """A span that is only roughly known: days(1000) is "2.7 years"."""
    if count >= 200 * 365:
        return "more than 200 years"
    if count >= 365:
        return f"{count / 365:.0f} years" if count >= 3650 else f"{count / 365:.1f} years"
    return f"{count // 30} months" if count >= 90 else f"{count} days"
