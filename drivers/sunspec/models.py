"""SunSpec model definitions compiled into field tables: which value lies where, of what type, scaled by what.

Owns the reading of pysunspec2's JSON definitions, once per (model id, length) that a device shows, and
the byte layout of the point types. It refuses to guess: a model that is not in SUPPORTED has no layout,
and a point that does not fit in the length a device states, or whose scale factor does not, is not there.
"""

import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any

HEADER = 2  # registers of ID and L, in front of every model and not counted in L
LENGTH_MAX = 2048  # registers of one model: the longest real ones (804, 63 modules) have about 1,100

_LEGACY = (1, 101, 102, 103, 111, 112, 113, 120, 121, 122, 123, 124, 160)
_METERS = (201, 202, 203, 204, 211, 212, 213, 214)
_DER = (701, 702, 703, 704, 713, 714, 715, 802, 803, 804)
SUPPORTED = frozenset((*_LEGACY, *_METERS, *_DER))


@dataclass(frozen=True, slots=True)
class Type:
    """How a point type lies in registers: struct code, and the raw value that says "not implemented"."""

    code: str
    registers: int
    absent: int | None  # None: floats (NaN), text and padding have no single value


# An acc32 of a meter: some count what is fed in below zero (Kostal), which unsigned would look like 4 GWh.
SIGNED_ACC32 = "acc32 with a sign"

TYPES = {
    "int16": Type("h", 1, -0x8000),
    "uint16": Type("H", 1, 0xFFFF),
    "count": Type("H", 1, 0xFFFF),
    "acc16": Type("H", 1, 0),
    "enum16": Type("H", 1, 0xFFFF),
    "bitfield16": Type("H", 1, 0xFFFF),
    "sunssf": Type("h", 1, -0x8000),
    "pad": Type("H", 1, None),
    "int32": Type("i", 2, -(2**31)),
    "uint32": Type("I", 2, 0xFFFFFFFF),
    "acc32": Type("I", 2, 0),
    SIGNED_ACC32: Type("i", 2, 0),
    "enum32": Type("I", 2, 0xFFFFFFFF),
    "bitfield32": Type("I", 2, 0xFFFFFFFF),
    "ipaddr": Type("I", 2, 0),
    "float32": Type("f", 2, None),
    "int64": Type("q", 4, -(2**63)),
    "uint64": Type("Q", 4, 2**64 - 1),
    "acc64": Type("Q", 4, 0),
    "float64": Type("d", 4, None),
    "eui48": Type("8s", 4, None),
    "ipv6addr": Type("16s", 8, None),
    "string": Type("", 0, None),  # of the size its definition states
}


@dataclass(frozen=True, slots=True)
class Field:
    """One point of one model: `offset` in registers from the model's ID; `scale` names its scale factor."""

    name: str  # "W"; in groups "module.3.DCW", "PFWInj.PF"
    offset: int
    registers: int
    type: str
    scale: str = ""

    @property
    def code(self) -> str:
        return f"{2 * self.registers}s" if self.type == "string" else TYPES[self.type].code

    @property
    def absent(self) -> int | None:
        return TYPES[self.type].absent


@dataclass(frozen=True)
class Layout:
    """All points of a model as one device has it. `length` is L: registers after the header."""

    model: int
    length: int
    fields: tuple[Field, ...]

    @cached_property
    def by_name(self) -> dict[str, Field]:
        return {field.name: field for field in self.fields}

    @cached_property
    def span(self) -> struct.Struct:
        return spanning(self.fields, 0, self.length + HEADER)

    def unpack(self, data: bytes) -> dict[str, Any]:
        """Raw values by name, of a whole model with its header (2 * (length + 2) bytes)."""
        return dict(zip(self.by_name, self.span.unpack(data), strict=True))

    def instances(self, group: str) -> int:
        """How many times the repeating group is there, by the model's length."""
        return max(
            (int(f.name.split(".")[1]) for f in self.fields if f.name.startswith(f"{group}.")), default=0
        )


def spanning(fields: Iterable[Field], start: int, registers: int) -> struct.Struct:
    """One struct over `registers` from offset `start` that picks `fields` (in order of offset)."""
    codes, at = [">"], start
    for field in fields:
        if field.offset > at:
            codes.append(f"{2 * (field.offset - at)}x")
        codes.append(field.code)
        at = field.offset + field.registers
    if at < start + registers:
        codes.append(f"{2 * (start + registers - at)}x")
    return struct.Struct("".join(codes))


@lru_cache(maxsize=128)  # more pairs than one site's devices show
def layout(model: int, length: int) -> Layout | None:
    """The layout of `model` with L = `length`; None when it is not supported or L is out of reason."""
    if model not in SUPPORTED or length > LENGTH_MAX:
        return None
    text = files("sunspec2").joinpath(f"models/json/model_{model}.json").read_text(encoding="utf-8")
    group = json.loads(text)["group"]
    end = length + HEADER
    fitting = [_signed(f, model) for f in _group(group, 0, "", end) if f.offset + f.registers <= end]
    names = {f.name for f in fitting}
    return Layout(model, length, tuple(f for f in fitting if not f.scale or f.scale in names))


def _signed(field: Field, model: int) -> Field:
    return replace(field, type=SIGNED_ACC32) if model in _METERS and field.type == "acc32" else field


def _group(group: dict[str, Any], start: int, prefix: str, end: int) -> Iterator[Field]:
    """Fields of a group and its sub-groups, laid one after the other; a counted group fills up to `end`."""
    yield from _points(group["points"], start, prefix)
    at = start + _size(group["points"])
    for inner in group.get("groups", ()):
        size = _registers(inner)
        counted = "count" in inner
        for index in range(1, (end - at) // size + 1) if counted else (0,):
            yield from _group(inner, at, f"{prefix}{inner['name']}.{f'{index}.' if counted else ''}", end)
            at += size


def _points(points: Sequence[dict[str, Any]], start: int, prefix: str) -> Iterator[Field]:
    at = start
    for point in points:
        yield Field(prefix + point["name"], at, int(point["size"]), point["type"], str(point.get("sf", "")))
        at += int(point["size"])


def _size(points: Sequence[dict[str, Any]]) -> int:
    return sum(int(point["size"]) for point in points)


def _registers(group: dict[str, Any]) -> int:
    """Registers of one instance of a group. Groups within a counted group are not counted in SUPPORTED."""
    return _size(group["points"]) + sum(_registers(inner) for inner in group.get("groups", ()))
