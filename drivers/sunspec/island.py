"""Parting an inverter from the grid through model 123 (Conn): pure register sequences, like setpoint.py.

Conn and Conn_RvrtTms stand beside each other and are written together: the timer is never without its value.
It refuses devices without that timer. What being apart means (off, or feeding the house alone) no model says:
a profile does.
"""

from dataclasses import dataclass

from drivers.sunspec.binding import Present
from drivers.sunspec.setpoint import TIMER16_MAX, Raw, Writes, parse_model
from gateway.beside_model import IslandBack

DISCONNECT, CONNECT = 0, 1
LAST = "Conn"  # nothing behind it is read


@dataclass(frozen=True)
class Conn123:
    """One device's Conn."""

    present: Present

    @property
    def registers(self) -> int:
        return self.present.layout.by_name[LAST].offset + 1

    def parse(self, data: bytes) -> Raw:
        return parse_model(self.present, self.registers, data)

    def usable(self, raw: Raw) -> bool:
        """Implemented, and with a timer that ends it."""
        return raw["Conn"] in (DISCONNECT, CONNECT) and raw["Conn_RvrtTms"] != 0xFFFF

    def arm(self, timeout_s: int) -> Writes:
        """The timer alone, while it is connected."""
        return self._written(min(timeout_s, TIMER16_MAX), CONNECT)

    def part(self, timeout_s: int) -> Writes:
        return self._written(min(timeout_s, TIMER16_MAX), DISCONNECT)

    def rejoin(self) -> Writes:
        return self._written(0, CONNECT)

    def held(self, raw: Raw) -> IslandBack:
        """The model has no remaining time to read; only the timer's setting."""
        return IslandBack(raw["Conn"] == DISCONNECT, raw["Conn_RvrtTms"])

    def _written(self, timer_s: int, conn: int) -> Writes:
        return ((self.present.layout.by_name["Conn_RvrtTms"].offset, (timer_s, conn)),)
