"""Points to read requests. Pure.

A block is one request: neighbours of one unit and table, merged across small holes, never longer than a
reply can carry, never touching a forbidden register, never cutting a value in two. Where a device
refuses a merged block, `split` gives its parts: first without the holes, then point by point.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from drivers.modbus.codec import Field

BLOCK_MAX = 125  # registers in one reply: 253 byte PDU limit
WRITE_MAX = 123  # registers in one FC 16
BITS_MAX = 2000  # coils or discrete inputs in one reply
# A register costs 2.3 ms at 9,600 baud, a request of its own about 25 ms: ten unread ones are cheaper.
HOLE_MAX = 10


@dataclass(frozen=True, slots=True)
class Forbidden:
    """Registers that must not be read, both ends included."""

    table: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Block:
    """One read request and the fields in it, by address."""

    unit: int
    table: str
    address: int
    count: int
    fields: tuple[Field, ...]

    @property
    def end(self) -> int:
        return self.address + self.count

    def __str__(self) -> str:
        return f"unit {self.unit} {self.table} {self.address}..{self.end - 1}"


def plan(
    unit: int, fields: Iterable[Field], forbidden: Sequence[Forbidden] = (), hole_max: int = HOLE_MAX
) -> tuple[Block, ...]:
    """The fewest-request cover that a left-to-right walk finds; blocks and fields in address order.

    `unit` is the device's own, of all fields that name none.
    """
    blocks: list[Block] = []
    alone = (_alone(unit, field) for field in fields)
    for block in sorted(alone, key=lambda b: (b.unit, b.table, b.address, b.end)):
        if blocks and (merged := _merge(blocks[-1], block, forbidden, hole_max)):
            blocks[-1] = merged
        else:
            blocks.append(block)
    return tuple(blocks)


def split(block: Block) -> tuple[Block, ...]:
    """The parts of a refused block, in order; empty when it cannot be smaller."""
    runs = plan(block.unit, block.fields, hole_max=0)
    if len(runs) > 1:
        return runs
    return tuple(_alone(block.unit, field) for field in block.fields) if len(block.fields) > 1 else ()


def _alone(unit: int, field: Field) -> Block:
    own = unit if field.unit is None else field.unit
    return Block(own, field.table, field.address, field.count, (field,))


def _merge(block: Block, more: Block, forbidden: Sequence[Forbidden], hole_max: int) -> Block | None:
    if (block.unit, block.table) != (more.unit, more.table) or more.address - block.end > hole_max:
        return None
    end = max(block.end, more.end)
    if end - block.address > BLOCK_MAX or _touches(forbidden, block.table, block.address, end):
        return None
    return Block(block.unit, block.table, block.address, end - block.address, block.fields + more.fields)


def _touches(forbidden: Sequence[Forbidden], table: str, address: int, end: int) -> bool:
    return any(f.table == table and f.first < end and f.last >= address for f in forbidden)
