"""One signal of a DBC as one point: how its bits become the canonical integer. Pure.

It refuses, in half a sentence about the signal, a unit that does not convert and a number that no point could
hold, and for the point itself a name without a unit and a sign that nobody has thought of.
"""

from math import lcm

from drivers.can import scaling
from drivers.can.codec import Field, Place, Turn
from drivers.can.dbc import Signal
from drivers.can.keys import PointModel
from gateway.model import UNITS, Quantity

SIGNED = frozenset({Quantity.BATTERY_CURRENT, Quantity.BATTERY_POWER})
VALUE_MAX = 2**53  # of a point: what JSON carries exactly; store and contracts take more


def check_point(name: str, point: PointModel) -> None:
    """ValueError for a point that could not be what it is called."""
    stem, _, unit = name.rpartition("_")
    if not stem or not name.isascii() or unit not in UNITS:
        raise ValueError(f"{name!r} must end in one of the units _{', _'.join(UNITS)}")
    if name in SIGNED and point.sign != "battery":
        raise ValueError(f"{name}: write sign: battery, and positive_current for the device")


def absent(place: Place) -> frozenset[int]:
    """The patterns that mean "not available" unless the profile says otherwise. Fewer bits have none that
    would not be a value as often; 0xFFFF signed is -1, a current or temperature like any other."""
    if place.length < 16:
        return frozenset()
    if place.signed:
        return frozenset({1 << place.length - 1})
    return frozenset({(1 << place.length) - 1} | ({0x8000} if place.length == 16 else set()))


def make_field(
    slot: int, name: str, point: PointModel, signal: Signal, place: Place, *, positive_charging: bool
) -> Field:
    """The signal as a field of the codec."""
    size, zero = scaling.to_canonical(signal.unit if point.unit is None else point.unit, name)
    factor, addend = signal.factor * size, signal.offset * size + zero
    if abs(factor) * 2**place.length + abs(addend) > VALUE_MAX:
        raise ValueError(f"could be more than any {name}: is its factor right?")
    patterns = absent(place) if point.absent is None else frozenset(point.absent)
    if patterns and max(patterns) >> place.length:
        raise ValueError(f"has {place.length} bits, which {max(patterns):#x} (absent) does not fit")
    denominator = lcm(factor.denominator, addend.denominator)
    return Field(
        slot=slot,
        place=place,
        numerator=int(factor * denominator),
        denominator=denominator,
        addend=int(addend * denominator),
        turn=_turn(point, positive_charging),
        absent=patterns,
        least=point.plausible[0],
        most=point.plausible[1],
        pages=signal.pages,
    )


def _turn(point: PointModel, positive_charging: bool) -> Turn:
    if point.sign == "magnitude":
        return Turn.MAGNITUDE
    return Turn.NEGATE if point.sign == "battery" and positive_charging else Turn.PLAIN
