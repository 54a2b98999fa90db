"""From the units that DBC files write to the canonical one of a point, exactly. Pure.

It refuses what does not convert: amperes are no voltage, and a unit that it does not know is not guessed.
"""

from collections.abc import Mapping
from fractions import Fraction

Linear = tuple[Fraction, Fraction]  # canonical = value * first + second

_NUMBER: Mapping[str, Linear] = {word: (Fraction(1), Fraction(0)) for word in ("", "1", "-")}


def _units(**sizes: str) -> Mapping[str, Linear]:
    """Of words like `V=1000`: how much of the canonical unit one of each is."""
    return {word: (Fraction(size), Fraction(0)) for word, size in sizes.items()}


_CELSIUS = (Fraction(100), Fraction(0))
_KELVIN = (Fraction(100), Fraction(-27315))
_FAHRENHEIT = (Fraction(500, 9), Fraction(-16000, 9))
# By the last part of a point's name. The first of each is the one that messages show.
ACCEPTED: Mapping[str, Mapping[str, Linear]] = {
    "w": _units(W="1", kW="1000", MW="1000000", mW="1/1000"),
    "var": _units(var="1", VAr="1", kvar="1000", kVAr="1000"),
    "va": _units(VA="1", kVA="1000"),
    "wh": _units(Wh="1", kWh="1000", MWh="1000000"),
    "mv": _units(V="1000", mV="1", kV="1000000", uV="1/1000", Volt="1000", Volts="1000"),
    "ma": _units(A="1000", mA="1", kA="1000000", Amp="1000", Amps="1000"),
    "mah": _units(Ah="1000", mAh="1", AH="1000"),
    "mhz": _units(Hz="1000", mHz="1", kHz="1000000"),
    "cc": {
        **dict.fromkeys(("°C", "degC", "C", "℃", "deg C", "DegC", "Celsius"), _CELSIUS),
        **dict.fromkeys(("K", "Kelvin"), _KELVIN),
        **dict.fromkeys(("°F", "degF", "F"), _FAHRENHEIT),
    },
    "bp": _units(**{"%": "100", "percent": "100", "pct": "100", "‰": "10"}),
    "s": _units(s="1", sec="1", ms="1/1000", min="60", h="3600", d="86400"),
    "ms": _units(ms="1", s="1000", us="1/1000"),
    "count": _NUMBER,
    "code": _NUMBER,
    "flags": _NUMBER,
}  # fmt: skip


def to_canonical(unit: str, name: str) -> Linear:
    """What makes the unit of the point `name` of a number in `unit`. ValueError, half a sentence, when it
    does not convert."""
    suffix = name.rpartition("_")[2]
    accepted = ACCEPTED[suffix]
    if unit not in accepted:
        known = ", ".join(word or '""' for word in accepted)
        said = f"is in {unit!r}" if unit else "has no unit"
        raise ValueError(f"{said}, which makes no _{suffix} (these do: {known})")
    return accepted[unit]
