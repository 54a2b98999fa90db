"""A Modbus link as one device may use it that must be a certain one: nothing is written to a stranger.

Reads pass. A write goes out on the connection on which the device was identified, or not at all: a lost
connection is opened again by what reads, never for a write. It refuses to identify.
"""

from collections.abc import Sequence

from drivers.modbus.link import ModbusLink
from gateway.standing import Standing


class GuardedLink:
    """A RegisterLink and CoilLink (gateway.driver) around the one that all devices on the wire share."""

    def __init__(self, link: ModbusLink, standing: Standing) -> None:
        self._link, self._standing = link, standing

    @property
    def url(self) -> str:
        return self._link.url

    async def read(self, unit: int, table: str, address: int, count: int, *, timeout_s: float) -> bytes:
        return await self._link.read(unit, table, address, count, timeout_s=timeout_s)

    async def write(
        self, unit: int, address: int, registers: Sequence[int], *, timeout_s: float, single: bool = False
    ) -> None:
        known = self._standing.identified
        await self._link.write(unit, address, registers, timeout_s=timeout_s, single=single, connection=known)

    async def read_bits(
        self, unit: int, table: str, address: int, count: int, *, timeout_s: float
    ) -> tuple[bool, ...]:
        return await self._link.read_bits(unit, table, address, count, timeout_s=timeout_s)

    async def write_coil(self, unit: int, address: int, on: bool, *, timeout_s: float) -> None:
        known = self._standing.identified
        await self._link.write_coil(unit, address, on, timeout_s=timeout_s, connection=known)

    async def close(self) -> None:
        await self._link.close()
