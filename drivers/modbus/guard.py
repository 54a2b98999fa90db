"""A Modbus link as one device may use it that must be a certain one: no other is written to, none believed.

Until the device is identified reads pass, for so it is identified, and nothing is written. From then on all
is asked on that one connection: when it is gone, so is all that was known. It refuses to identify.
"""

from collections.abc import Sequence

from drivers.modbus.link import ModbusLink
from gateway.standing import NOBODY, Standing


class GuardedLink:
    """A RegisterLink and CoilLink (gateway.driver) around the one that all devices on the wire share."""

    def __init__(self, link: ModbusLink, standing: Standing) -> None:
        self._link, self._standing = link, standing

    @property
    def url(self) -> str:
        return self._link.url

    async def read(self, unit: int, table: str, address: int, count: int, *, timeout_s: float) -> bytes:
        known = self._reading()
        return await self._link.read(unit, table, address, count, timeout_s=timeout_s, connection=known)

    async def write(
        self, unit: int, address: int, registers: Sequence[int], *, timeout_s: float, single: bool = False
    ) -> None:
        known = self._standing.identified
        await self._link.write(unit, address, registers, timeout_s=timeout_s, single=single, connection=known)

    async def read_bits(
        self, unit: int, table: str, address: int, count: int, *, timeout_s: float
    ) -> tuple[bool, ...]:
        known = self._reading()
        return await self._link.read_bits(unit, table, address, count, timeout_s=timeout_s, connection=known)

    async def write_coil(self, unit: int, address: int, on: bool, *, timeout_s: float) -> None:
        known = self._standing.identified
        await self._link.write_coil(unit, address, on, timeout_s=timeout_s, connection=known)

    async def close(self) -> None:
        await self._link.close()

    def _reading(self) -> int | None:
        known = self._standing.identified
        return None if known == NOBODY else known
