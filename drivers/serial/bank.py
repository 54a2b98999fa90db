"""Packs in parallel on one wire as one Driver: asks each at its address, and tells of them as of one battery.

The addresses follow one another, from the device's unit on. A poll is that of all packs or none: one that
does not answer is a LinkError that names it, because what it takes and carries is not known.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from drivers.bms.bank import together
from drivers.bms.families import FAMILIES
from drivers.bms.values import finish
from drivers.serial.driver import SerialDriver
from drivers.serial.link import Wire
from drivers.serial.table import SerialTable
from gateway.clock import Clock
from gateway.errors import LinkError
from gateway.model import Points, Sample
from gateway.site import Device


class SerialBank:
    """A Driver (gateway.driver)."""

    pushed = False

    def __init__(self, device: Device, profile: SerialTable, link: Wire, clock: Clock) -> None:
        self._device, self._clock = device, clock
        self._family = FAMILIES[profile.family]
        self._packs = {
            unit: SerialDriver(replace(device, unit=unit), profile, link, clock)
            for unit in range(device.unit, device.unit + profile.packs)
        }
        self.points: Points = self._packs[device.unit].points

    @property
    def dropped(self) -> int:
        return sum(pack.dropped for pack in self._packs.values())

    async def connect(self) -> Mapping[str, str]:
        """Every pack; who the bank is says its first one."""
        found: list[Mapping[str, str]] = []
        for unit, pack in self._packs.items():
            with self._named(unit):
                found.append(await pack.connect())
        return found[0]

    async def read(self) -> Sample:
        stamp = self._clock.now()  # before the wire: an age is never understated
        told = []
        for unit, pack in self._packs.items():
            with self._named(unit):
                told.append(await pack.told())
        values, qualities = finish(self._family, together(told))
        return Sample(self._device.name, stamp, self.points, values, qualities)

    def refresh(self) -> None:
        for pack in self._packs.values():
            pack.refresh()

    async def close(self) -> None:
        """Nothing of its own: the link belongs to all devices on it."""

    @contextmanager
    def _named(self, unit: int) -> Iterator[None]:
        try:
            yield
        except LinkError as error:
            raise LinkError(f"{self._device.name}, pack at {unit}: {error}") from error
