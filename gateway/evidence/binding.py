"""Whether the readings that raw traffic yields are those under the records' Merkle roots. Pure.

It is fed by an Audit: each reading of a record, then whether that record's root was rebuilt from all of them.
Only what stands under a rebuilt root counts. It keeps apart what is proven, what is contradicted, what is
missing where it would have to be, and what no record here speaks of; partial coverage is never called whole.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

Key = tuple[str, int]  # point, at_ms
Value = tuple[int, int]  # value, quality
WRONG_MAX = 20  # of a kind, told one by one


@dataclass(slots=True)
class Binding:
    """`readings` of one device, as its capture was played; `profiles` is keccak256 of the profile digests
    that the capture names, as a setup record has it."""

    device: str
    readings: Mapping[Key, Value]
    profiles: bytes
    proven: dict[Key, int] = field(default_factory=dict)  # the record
    contradicted: dict[Key, int] = field(default_factory=dict)
    others: int = 0  # readings of the device in those records that the capture does not yield
    profiles_differ: set[int] = field(default_factory=set)  # records made under other profiles
    spans: list[tuple[int, int]] = field(default_factory=list)  # of intervals whose root was rebuilt
    _under: bytes = b""  # profiles of the last setup
    _same: list[Key] = field(default_factory=list)
    _other: list[Key] = field(default_factory=list)
    _else: int = 0

    def setup(self, profiles: bytes) -> None:
        """What follows was made under these."""
        self._under = profiles

    def reading(self, key: Key, value: Value) -> None:
        if not key[0].startswith(f"{self.device}/"):
            return
        mine = self.readings.get(key)
        if mine is None:
            self._else += 1
        else:
            (self._same if mine == value else self._other).append(key)

    def close(self, sequence: int, span: tuple[int, int] | None, *, rebuilt: bool) -> None:
        """The record is over; `span` if it is an interval."""
        if rebuilt:
            self.proven.update(dict.fromkeys(self._same, sequence))
            self.contradicted.update(dict.fromkeys(self._other, sequence))
            if span:
                self.spans.append(span)
            if self._same or self._other:
                self.others += self._else
                if self._under and self._under != self.profiles:
                    self.profiles_differ.add(sequence)
        self._same, self._other, self._else = [], [], 0

    @property
    def missing(self) -> list[Key]:
        """At times of which a rebuilt root speaks, and not under it."""
        left = self.readings.keys() - self.proven.keys() - self.contradicted.keys()
        return sorted(k for k in left if any(start <= k[1] < end for start, end in self.spans))

    @property
    def outside(self) -> int:
        """Of times that no rebuilt root here speaks of."""
        return len(self.readings) - len(self.proven) - len(self.contradicted) - len(self.missing)

    @property
    def holds(self) -> bool:
        """Something is proven and nothing speaks against it; it may still be a part."""
        return bool(self.proven) and not (self.contradicted or self.missing or self.profiles_differ)

    def told(self) -> Iterator[str]:
        """How far it reaches, in words."""
        total, records = len(self.readings), sorted({*self.proven.values()})
        if not self.proven:
            yield f"capture: none of its {total} readings is under a Merkle root that was rebuilt here"
        else:
            where = f"record {records[0]}" + (f" to {records[-1]}" if len(records) > 1 else "")
            yield f"capture: {len(self.proven)} of its {total} readings are under the Merkle root of {where}"
            rest = f"not the other {self.others}" if self.others else "no other is there"
            yield f"capture: of what these records hold of {self.device}, it yields those, and {rest}"
        if self.outside:
            yield f"capture: {self.outside} are of times no root here speaks of: neither proven nor wrong"

    def wrong(self) -> Iterator[tuple[int, str]]:
        """What speaks against it, and of which record (0: none)."""
        for (point, at_ms), sequence in list(self.contradicted.items())[:WRONG_MAX]:
            yield sequence, f"{point} at {at_ms} is another value than the captured bytes give"
        for point, at_ms in self.missing[:WRONG_MAX]:
            yield 0, f"{point} at {at_ms} is captured, and the interval of that time does not hold it"
        for sequence in sorted(self.profiles_differ)[:WRONG_MAX]:
            yield sequence, "it was made under other profiles than the capture names"
