"""Points that a device spreads over several registers. Pure.

A Compound is the sum of parts (strings of a PV field, phases, discharge minus charge), turned round while
another register says so (a magnitude with its direction beside it), and an offset (temperatures that count
from -100 °C). The parts are read like any field; here
they become one value and one quality. It refuses a sum of which a part is missing, unless the profile calls
that part optional: then what is not fitted counts nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

from drivers.modbus.codec import Field
from gateway.model import INT64_MAX, INT64_MIN, Quality

_GOOD, _INVALID, _ABSENT = int(Quality.GOOD), int(Quality.INVALID), int(Quality.ABSENT)


@dataclass(frozen=True, slots=True)
class Compound:
    """`parts`, `optional` and `turn` are names of fields; `low` and `high` bound the whole. The sum is turned
    round while the field `turn` is `turned_at`; the offset comes last."""

    name: str
    parts: tuple[str, ...]
    optional: frozenset[str] = frozenset()
    turn: str = ""
    turned_at: int = 0
    offset: int = 0
    low: int | None = None
    high: int | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        return (*self.parts, self.turn) if self.turn else self.parts


class Composer:
    """Turns what a Reader of `fields` gives into points: those fields that are points themselves, then the
    compounds of them. `names` is their order."""

    def __init__(self, fields: Sequence[Field], compounds: Sequence[Compound]) -> None:
        index = {field.name: n for n, field in enumerate(fields)}
        own = [c for c in compounds if c.parts[0] in index]
        inner = {name for c in own for name in c.needs}
        self._plain = tuple(n for n, field in enumerate(fields) if field.name not in inner)
        self._own = tuple((c, tuple(index[name] for name in c.needs)) for c in own)
        self.names = (*(fields[n].name for n in self._plain), *(c.name for c in own))

    def compose(self, values: list[int], qualities: bytes) -> tuple[list[int], bytes]:
        """One value and one quality a name."""
        if not self._own:
            return values, qualities
        composed = [values[n] for n in self._plain]
        marks = bytearray(qualities[n] for n in self._plain)
        for compound, places in self._own:
            pick = [(values[n], qualities[n]) for n in places]
            value, quality = _one(compound, pick)
            composed.append(value)
            marks.append(quality)
        return composed, bytes(marks)


def _one(compound: Compound, found: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The sum; ABSENT with a part that is, unless it is optional; INVALID with one that is."""
    fitted = [
        pair
        for name, pair in zip(compound.needs, found, strict=True)
        if not (name in compound.optional and pair[1] == _ABSENT)
    ]
    worst = max(map(itemgetter(1), fitted), default=_ABSENT)
    turned = bool(compound.turn) and fitted.pop()[0] == compound.turned_at
    if worst == _ABSENT or not fitted:  # a direction of nothing is nothing
        return 0, _ABSENT
    value = sum(map(itemgetter(0), fitted)) * (-1 if turned else 1) + compound.offset
    low = INT64_MIN if compound.low is None else compound.low
    high = INT64_MAX if compound.high is None else compound.high
    believed = worst == _GOOD and low <= value <= high
    return min(max(value, INT64_MIN), INT64_MAX), _GOOD if believed else _INVALID
