"""A relay board as a Driver and Switches: coils that loads hang on, bits that contacts close.

Each poll reads coils and contacts in runs of neighbours, so nothing is asked that the profile does not name.
What a relay does is read from its coil, never remembered; connecting switches nothing. It refuses to guess a
contact: what cannot be read is a LinkError, and control then commands nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from drivers.modbus.driver import request_ms
from drivers.modbus.plan import BITS_MAX
from drivers.modbus.table import Board, Relay
from drivers.modbus.url import parse
from gateway.clock import Clock
from gateway.driver import CoilLink, Plan, PlanLine
from gateway.model import Point, Points, Sample
from gateway.site import Device

COILS = "coils"
Bit = tuple[str, int]  # table, address


@dataclass(frozen=True, slots=True)
class Run:
    """One read request: neighbouring bits of one table."""

    table: str
    address: int
    count: int

    def __str__(self) -> str:
        return f"{self.table} {self.address}..{self.address + self.count - 1}"


def runs(wanted: Iterable[Bit]) -> tuple[Run, ...]:
    """The fewest requests that touch only what is wanted. Pure."""
    found: list[Run] = []
    for table, address in sorted(set(wanted)):
        last = found[-1] if found else None
        if last and (last.table, last.address + last.count) == (table, address) and last.count < BITS_MAX:
            found[-1] = Run(table, last.address, last.count + 1)
        else:
            found.append(Run(table, address, 1))
    return tuple(found)


class BoardDriver:
    """gateway.driver.Driver and Switches over a CoilLink."""

    pushed = False

    def __init__(self, device: Device, board: Board, link: CoilLink, clock: Clock) -> None:
        self._device, self._board, self._link, self._clock = device, board, link, clock
        self._timeout_s = device.timeout_ms / 1000
        self._relays = runs(_coils(board))
        self._all = runs(_bits(board))
        self.points: Points = _points(device, board)

    async def connect(self) -> Mapping[str, str]:
        """Read everything once, so that a wrong profile shows now."""
        await self._read(self._all)
        return {"vendor": self._board.vendor, "model": self._board.model}

    async def read(self) -> Sample:
        """1 for a relay whose load may run, 1 for a contact that is active."""
        stamp = self._clock.now()  # before the wire: an age is never understated
        bits = await self._read(self._all)
        on = [bits[COILS, relay.coil] != relay.off_pulled for relay in self._board.relays]
        active = [bits[c.table, c.address] != c.active_open for c in self._board.contacts]
        values = tuple(int(value) for value in (*on, *active))
        return Sample(self._device.name, stamp, self.points, values, bytes(len(values)))

    async def switched(self) -> Mapping[str, bool]:
        bits = await self._read(self._relays)
        return {relay.channel: bits[COILS, relay.coil] != relay.off_pulled for relay in self._board.relays}

    async def switch(self, channel: str, on: bool) -> None:
        relay = self._relay(channel)
        pulled = on != relay.off_pulled
        await self._link.write_coil(self._device.unit, relay.coil, pulled, timeout_s=self._timeout_s)

    async def close(self) -> None:
        """Nothing of its own: the link belongs to all devices on it."""

    def _relay(self, channel: str) -> Relay:
        return next(relay for relay in self._board.relays if relay.channel == channel)

    async def _read(self, wanted: tuple[Run, ...]) -> dict[Bit, bool]:
        found: dict[Bit, bool] = {}
        for run in wanted:
            bits = await self._link.read_bits(
                self._device.unit, run.table, run.address, run.count, timeout_s=self._timeout_s
            )
            found |= {(run.table, run.address + n): bit for n, bit in enumerate(bits)}
        return found


def offline(device: Device, board: Board) -> Plan:
    """What a poll asks and costs, without the device."""
    where = parse(device.link)
    lines = tuple(
        PlanLine(f"unit {device.unit} {run}", request_ms(where, -(-run.count // 16)), run.count)
        for run in runs(_bits(board))
    )
    notes = [f"{board.vendor} {board.model}: {board.proof}"]
    if board.enable:
        notes.append(f"before: {board.enable}")
    return Plan(lines, _points(device, board), None, tuple(notes), named=False)


def _coils(board: Board) -> tuple[Bit, ...]:
    return tuple((COILS, relay.coil) for relay in board.relays)


def _bits(board: Board) -> tuple[Bit, ...]:
    return *_coils(board), *((contact.table, contact.address) for contact in board.contacts)


def _points(device: Device, board: Board) -> Points:
    names = [f"relay_{relay.channel}_code" for relay in board.relays]
    names += [f"{contact.name}_code" for contact in board.contacts]
    return tuple(Point(device.name, name) for name in names)
