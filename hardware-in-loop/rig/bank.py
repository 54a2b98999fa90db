"""A device's registers as a table: rows with address, type and where the value comes from.

Owns encoding, address checks and held (writable) registers. What a write means belongs to the device's
Logic. It refuses what a device refuses: unknown addresses (exception 2), values out of the row's range (3);
a refused write changes nothing.
"""

import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Protocol

from rig.physics import Order, SiteSpec, State
from rig.plant import Plant

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, BUSY, NO_TARGET = 1, 2, 3, 6, 11

FORMATS = {
    "u16": ">H",
    "s16": ">h",
    "u32": ">I",
    "s32": ">i",
    "u64": ">Q",
    "s64": ">q",
    "f32": ">f",
}


class Refusal(Exception):
    """The device answers with this Modbus exception code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exception {code}")
        self.code = code


@dataclass(frozen=True, slots=True)
class View:
    """What a row may look at when it is read."""

    s: State
    spec: SiteSpec
    bank: "Bank"
    now_ms: int


Source = Callable[[View], Any] | int | float | str | None


@dataclass(frozen=True, slots=True)
class Row:
    """One value. `source` is a constant, a function of the View, or (held) the value at start.

    `size` counts registers (only strings state it); `little` puts the low word first; `na` is the raw
    number for "not available", shown when the source gives None. `shown` is what a held row reads as, where
    that is not what it holds.
    """

    address: int
    type: str
    source: Source = None
    name: str = ""
    size: int = 0
    little: bool = False
    held: bool = False
    na: int | None = None
    allowed: Collection[int] | None = None
    shown: Callable[[View], Any] | None = None

    @property
    def registers(self) -> int:
        return self.size or struct.calcsize(FORMATS[self.type]) // 2

    def encode(self, value: Any) -> tuple[int, ...]:
        """Registers as sent. OverflowError-free: numbers beyond the type show its nearest end."""
        return words(self.bytes_of(value), little=self.little)

    def bytes_of(self, value: Any) -> bytes:
        if self.type == "str":
            return str(value).encode("ascii")[: 2 * self.size].ljust(2 * self.size, b"\0")
        if value is None:
            if self.na is None:
                raise ValueError(f"row {self.name or self.address} has no value and no mark for that")
            return (self.na % (1 << 16 * self.registers)).to_bytes(2 * self.registers)
        if self.type == "f32":
            return struct.pack(">f", value)
        bits = 16 * self.registers
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if self.type[0] == "s" else (0, (1 << bits) - 1)
        return struct.pack(FORMATS[self.type], min(max(round(value), low), high))

    def decode(self, registers: Sequence[int]) -> Any:
        """The number of these registers; the raw `na` pattern is only a number to a device too."""
        ordered = reversed(registers) if self.little else registers
        return struct.unpack(FORMATS[self.type], b"".join(r.to_bytes(2) for r in ordered))[0]


def words(data: bytes, *, little: bool = False) -> tuple[int, ...]:
    """Bytes in network order as registers; `little`: low word first."""
    found = tuple(int.from_bytes(data[i : i + 2]) for i in range(0, len(data), 2))
    return found[::-1] if little else found


class Logic(Protocol):
    """What writes mean to a device. `order` is asked at every physics step and lets timers run out."""

    def written(self, bank: "Bank", names: frozenset[str], now_ms: int) -> None: ...

    def order(self, bank: "Bank", now_ms: int) -> Order: ...


class Bank:
    """The registers of all units of one device, over one plant, which it takes control of."""

    def __init__(
        self,
        plant: Plant,
        units: Mapping[int, Sequence[Row]],
        logic: Logic,
        *,
        tables: Collection[str] = ("holding",),
        whole_values: bool = False,
    ) -> None:
        self.plant, self.logic = plant, logic
        self.tables, self.whole_values = frozenset(tables), whole_values
        self._index = {unit: _index(rows) for unit, rows in units.items()}
        self._named = {row.name: (unit, row) for unit, rows in units.items() for row in rows if row.name}
        self._cells = {
            (unit, row.address): list(row.encode(row.source))
            for unit, rows in units.items()
            for row in rows
            if row.held
        }
        self._frozen: State | None = None
        plant.control = lambda now_ms: self.logic.order(self, now_ms)

    @property
    def units(self) -> frozenset[int]:
        return frozenset(self._index)

    def value(self, name: str) -> Any:
        """What a held row holds."""
        unit, row = self._named[name]
        return row.decode(self._cells[unit, row.address])

    def put(self, name: str, value: Any) -> None:
        """The device itself changes a held row (a timer ran out)."""
        unit, row = self._named[name]
        self._cells[unit, row.address] = list(row.encode(value))

    def freeze(self, frozen: bool) -> None:
        """Show the measurements of this moment for ever, or live ones again. The site goes on."""
        self._frozen = (self._frozen or copy(self.plant.state)) if frozen else None

    def read(self, unit: int, table: str, address: int, count: int, now_ms: int) -> bytes:
        """`count` registers as sent, at the present of the plant. Refusal when the device would."""
        if table not in self.tables:
            raise Refusal(ILLEGAL_FUNCTION)
        index, live = self._unit(unit), self.plant.advance(now_ms)
        view = View(self._frozen or live, self.plant.spec, self, now_ms)
        registers: list[int] = []
        while len(registers) < count:
            row, within = self._row(index, address + len(registers))
            registers += self._show(unit, row, view)[within:]
        return b"".join(r.to_bytes(2) for r in registers[:count])

    def write(self, unit: int, address: int, registers: Sequence[int], now_ms: int) -> None:
        """Write holding registers, tell the logic, journal the demand that results."""
        self.plant.advance(now_ms)
        try:
            changes = self._changes(unit, address, registers)
        except Refusal:
            self.plant.witness.refuse()
            raise
        self._cells.update(changes)
        rows = [self._index[unit][at][0] for _, at in changes]
        self.logic.written(self, frozenset(row.name for row in rows), now_ms)
        order = self.logic.order(self, now_ms)
        demand_w = self.plant.demand_w(order)
        self.plant.witness.write(now_ms, unit, address, registers, demand_w, order.var)
        self.plant.witness.react(order.var, self.plant.spec.var_max)

    def read_bits(self, unit: int, table: str, address: int, count: int, now_ms: int) -> list[bool]:
        """None of these devices has coils or discrete inputs."""
        raise Refusal(ILLEGAL_FUNCTION)

    def write_coil(self, unit: int, address: int, on: bool, now_ms: int) -> None:
        raise Refusal(ILLEGAL_FUNCTION)

    def _changes(self, unit: int, address: int, registers: Sequence[int]) -> dict[tuple[int, int], list[int]]:
        index = self._unit(unit)
        changes: dict[tuple[int, int], list[int]] = {}
        touched: dict[int, int] = {}
        for offset, register in enumerate(registers):
            row, within = self._row(index, address + offset)
            if not row.held:
                raise Refusal(ILLEGAL_ADDRESS)
            cell = changes.setdefault((unit, row.address), list(self._cells[unit, row.address]))
            cell[within] = register
            touched[row.address] = touched.get(row.address, 0) + 1
        for (_, at), cell in changes.items():
            row = index[at][0]
            if self.whole_values and touched[at] != row.registers:
                raise Refusal(ILLEGAL_ADDRESS)
            if row.allowed is not None and row.decode(cell) not in row.allowed:
                raise Refusal(ILLEGAL_VALUE)
        return changes

    def _show(self, unit: int, row: Row, view: View) -> Sequence[int]:
        if row.shown:
            return row.encode(row.shown(view))
        if row.held:
            return self._cells[unit, row.address]
        return row.encode(row.source(view) if callable(row.source) else row.source)

    def _unit(self, unit: int) -> Mapping[int, tuple[Row, int]]:
        if unit not in self._index:
            raise Refusal(NO_TARGET)
        return self._index[unit]

    @staticmethod
    def _row(index: Mapping[int, tuple[Row, int]], address: int) -> tuple[Row, int]:
        if address not in index:
            raise Refusal(ILLEGAL_ADDRESS)
        return index[address]


def _index(rows: Sequence[Row]) -> dict[int, tuple[Row, int]]:
    index: dict[int, tuple[Row, int]] = {}
    for row in rows:
        for within in range(row.registers):
            if row.address + within in index:
                raise ValueError(f"rows overlap at {row.address + within}")
            index[row.address + within] = (row, within)
    return index
