"""The read plan of one device: bound points to Modbus reads, one struct and a list of operations each.

Pure. A value and its scale factor are always read together, models that lie next to each other share one
read of at most 125 registers, and each model's ID and L are read with its values, so that a chain that
moved is noticed. It refuses answers of another length and models that are no longer where they were.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from drivers.sunspec.binding import Bound, Present, Term
from drivers.sunspec.models import Field, spanning
from drivers.sunspec.scan import Moved
from drivers.sunspec.values import ABSENT, Value, decode
from gateway.errors import FrameError
from gateway.model import INT64_MAX, Quality

READ_MAX = 125  # registers in one Modbus read
HOLE_MAX = 32  # registers read for nothing that cost no more than another request at 9600 baud

Key = tuple[int, str]  # address of the model, name of the field


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of one model that must be read at once: fields with absolute addresses."""

    fields: tuple[tuple[Key, Field], ...]

    @property
    def start(self) -> int:
        return min(field.offset for _, field in self.fields)

    @property
    def end(self) -> int:
        return max(field.offset + field.registers for _, field in self.fields)


@dataclass(frozen=True, slots=True)
class Block:
    """One Modbus read. `keys` name what `codes` unpacks; `checks` are (position, value) that must hold."""

    address: int
    count: int
    codes: struct.Struct
    keys: tuple[Key, ...]
    checks: tuple[tuple[int, int], ...]

    @property
    def models(self) -> frozenset[int]:
        return frozenset(address for address, _ in self.keys)

    def take(self, data: bytes) -> tuple[Any, ...]:
        """Raw values of an answer. FrameError if it is of another length, Moved if the chain is another."""
        if len(data) != 2 * self.count:
            raise FrameError(f"{len(data)} bytes for {self.count} registers at {self.address}")
        raw = self.codes.unpack(data)
        for position, expected in self.checks:
            if raw[position] != expected:
                model = self.keys[position][0]
                raise Moved(f"there is no longer the same SunSpec model at {model}: scanning again")
        return raw


@dataclass(frozen=True, slots=True)
class Operation:
    """How one point comes from the raw values: (slot, slot of scale factor or -1, sentinel, sign) each.
    `counts`: it is an energy, and INVALID below zero."""

    terms: tuple[tuple[int, int, int | None, int], ...]
    every: bool
    places: int
    down: bool
    counts: bool = False

    def run(self, raw: Sequence[Any]) -> Value:
        value, quality = self._one_or_sum(raw)
        if self.counts and value < 0:
            return value, Quality.INVALID
        return value, quality

    def _one_or_sum(self, raw: Sequence[Any]) -> Value:
        if len(self.terms) == 1:
            slot, scale, absent, sign = self.terms[0]
            value, quality = decode(
                raw[slot], absent, raw[scale] if scale >= 0 else 0, self.places, down=self.down
            )
            return sign * value, quality
        return self._sum(raw)

    def _sum(self, raw: Sequence[Any]) -> Value:
        total, having = 0, 0
        for slot, scale, absent, sign in self.terms:
            value, quality = decode(
                raw[slot], absent, raw[scale] if scale >= 0 else 0, self.places, down=self.down
            )
            if quality is Quality.INVALID or (quality is Quality.ABSENT and self.every):
                return value, quality
            if quality is Quality.GOOD:
                total, having = total + sign * value, having + 1
        if not having:
            return ABSENT
        return (total, Quality.GOOD) if abs(total) <= INT64_MAX else (0, Quality.INVALID)


@dataclass(frozen=True, slots=True)
class Program:
    """A device's polls. The fast blocks come first in both, so slots of fast operations always hold."""

    fast: tuple[Block, ...]
    slow: tuple[Block, ...]
    operations: tuple[Operation, ...]  # of all points; those of the fast points first
    fast_count: int


def program(bounds: Sequence[Bound], apart: frozenset[int] = frozenset()) -> Program:
    """The plan for `bounds` (fast ones first). Models at the addresses `apart` share no read."""
    ordered = sorted(bounds, key=lambda bound: not bound.fast)
    quick = {term.model.found.address for bound in ordered if bound.fast for term in bound.terms}
    terms = [term for bound in ordered for term in bound.terms]
    fast = _blocks((t for t in terms if t.model.found.address in quick), apart)
    slow = _blocks((t for t in terms if t.model.found.address not in quick), apart)
    slots = _Slots((*fast, *slow))
    operations = tuple(
        Operation(tuple(map(slots.of, b.terms)), b.every, b.places, b.down, b.name.endswith("_wh"))
        for b in ordered
    )
    return Program(fast, slow, operations, sum(bound.fast for bound in ordered))


class _Slots:
    """Where each field of each block lands when the blocks' values are put one after the other."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        self._blocks: list[dict[Key, int]] = []
        at = 0
        for block in blocks:
            self._blocks.append({key: at + position for position, key in enumerate(block.keys)})
            at += len(block.keys)

    def of(self, term: Term) -> tuple[int, int, int | None, int]:
        value = (term.model.found.address, term.field.name)
        if term.scale is None:
            slot = next(block[value] for block in self._blocks if value in block)
            return slot, -1, term.field.absent, term.sign
        scale = (term.model.found.address, term.scale.name)
        pairs = ((b[value], b[scale]) for b in self._blocks if value in b and scale in b)
        apart = (
            (b[value], next(c[scale] for c in self._blocks if scale in c)) for b in self._blocks if value in b
        )
        slot, factor = next(pairs, None) or next(apart)
        return slot, factor, term.field.absent, term.sign


def _blocks(terms: Iterable[Term], apart: frozenset[int]) -> tuple[Block, ...]:
    by_model: dict[int, list[Term]] = {}
    for term in terms:
        by_model.setdefault(term.model.found.address, []).append(term)
    merged: list[Chunk] = []
    for address in sorted(by_model):
        for chunk in _chunks(by_model[address]):
            if merged and _joins(merged[-1], chunk, apart):
                merged[-1] = _join(merged[-1], chunk)
            else:
                merged.append(chunk)
    headers = {
        (address, name): expected
        for address, group in by_model.items()
        for name, expected in (("ID", group[0].model.found.model), ("L", group[0].model.found.length))
    }
    return tuple(_block(chunk, headers) for chunk in merged)


def _chunks(terms: Sequence[Term]) -> list[Chunk]:
    """One model in as few stretches as hold each value together with its scale factor.

    Only a scale factor more than 125 registers away from its value (160 with more than six modules) is
    read apart from it, in the same poll.
    """
    model = terms[0].model
    wanted = [_chunk(model, [model.layout.by_name[name] for name in ("ID", "L")])]
    for term in sorted(terms, key=lambda t: t.field.offset):
        pair = _chunk(model, [term.field] if term.scale is None else [term.field, term.scale])
        far = pair.end - pair.start > READ_MAX
        wanted.extend([_chunk(model, [f]) for f in (term.scale, term.field) if f] if far else [pair])
    chunks: list[Chunk] = []
    for chunk in wanted:
        home = next((i for i, c in enumerate(chunks) if _span(c, chunk) <= READ_MAX), None)
        if home is None:
            chunks.append(chunk)
        else:
            chunks[home] = _join(chunks[home], chunk)
    return sorted(chunks, key=lambda c: c.start)


def _chunk(model: Present, fields: Iterable[Field]) -> Chunk:
    base = model.found.address
    return Chunk(tuple(((base, f.name), replace(f, offset=base + f.offset)) for f in fields))


def _span(one: Chunk, other: Chunk) -> int:
    return max(one.end, other.end) - min(one.start, other.start)


def _joins(one: Chunk, other: Chunk, apart: frozenset[int]) -> bool:
    alone = any(key[0] in apart for chunk in (one, other) for key, _ in chunk.fields)
    return not alone and _span(one, other) <= READ_MAX and other.start - one.end <= HOLE_MAX


def _join(one: Chunk, other: Chunk) -> Chunk:
    return Chunk(tuple(dict((*one.fields, *other.fields)).items()))


def _block(chunk: Chunk, headers: Mapping[Key, int]) -> Block:
    fields = sorted(chunk.fields, key=lambda item: item[1].offset)
    keys = tuple(key for key, _ in fields)
    return Block(
        address=chunk.start,
        count=chunk.end - chunk.start,
        codes=spanning((field for _, field in fields), chunk.start, chunk.end - chunk.start),
        keys=keys,
        checks=tuple((i, headers[key]) for i, key in enumerate(keys) if key in headers),
    )
