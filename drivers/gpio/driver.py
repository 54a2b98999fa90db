"""Pins as a Driver and Switches: each poll says what relays and contacts are, a switch is one line set.

A relay's line is at rest until somebody switches it: making the driver sheds nothing. It refuses to guess a
contact: what cannot be read is a LinkError, and control then commands nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from gateway.clock import Clock
from gateway.model import Point, Points, Sample
from gateway.site import Device


@dataclass(frozen=True, slots=True)
class Relay:
    """An output line; `off_pulled`: its load is off while the relay is pulled."""

    channel: str
    line: int
    active_low: bool = False
    off_pulled: bool = True


@dataclass(frozen=True, slots=True)
class Contact:
    """An input line to ground; `active_open`: it counts as 1 while it is open. `pull`: up, down, none."""

    name: str
    line: int
    pull: str = "up"
    active_open: bool = True


@dataclass(frozen=True, slots=True)
class GpioTable:
    """A checked profile."""

    driver: str
    role: str
    vendor: str
    model: str
    relays: tuple[Relay, ...] = ()
    contacts: tuple[Contact, ...] = ()


class Lines(Protocol):
    """The pins. All of it is a system call of microseconds; LinkError when the chip is gone."""

    def open(self, table: GpioTable) -> None:
        """Claim all lines of `table`: outputs inactive, inputs with their pull. Again is no error."""
        ...

    def get(self, line: int) -> bool:
        """Whether the line is active (an output: as last set; an input: high)."""
        ...

    def set(self, line: int, active: bool) -> None: ...


def point_names(table: GpioTable) -> tuple[str, ...]:
    return (
        *(f"relay_{relay.channel}_code" for relay in table.relays),
        *(f"{contact.name}_code" for contact in table.contacts),
    )


class GpioDriver:
    """gateway.driver.Driver and Switches."""

    pushed = False

    def __init__(self, device: Device, table: GpioTable, lines: Lines, clock: Clock) -> None:
        self._device, self._table, self._lines, self._clock = device, table, lines, clock
        self.points: Points = tuple(Point(device.name, name) for name in point_names(table))

    async def connect(self) -> Mapping[str, str]:
        self._lines.open(self._table)
        return {"vendor": self._table.vendor, "model": self._table.model}

    async def read(self) -> Sample:
        """1 for a relay whose load may run, 1 for a contact that is active."""
        stamp = self._clock.now()
        on = [self._is_on(relay) for relay in self._table.relays]
        active = [self._lines.get(c.line) == c.active_open for c in self._table.contacts]
        values = tuple(int(value) for value in (*on, *active))
        return Sample(self._device.name, stamp, self.points, values, bytes(len(values)))

    async def switched(self) -> Mapping[str, bool]:
        return {relay.channel: self._is_on(relay) for relay in self._table.relays}

    async def switch(self, channel: str, on: bool) -> None:
        relay = next(r for r in self._table.relays if r.channel == channel)
        self._lines.set(relay.line, on != relay.off_pulled)

    async def close(self) -> None:
        """Nothing of its own: the link belongs to all devices on it."""

    def _is_on(self, relay: Relay) -> bool:
        return self._lines.get(relay.line) != relay.off_pulled
