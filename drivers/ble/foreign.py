"""One battery with Bluetooth that the library aiobmsble can read (Python 3.12 and newer; extra `ble`).

Owns an instance of the library's class for the module that the profile names. The library connects and asks
by itself, so it is given the adapter only while it connects, and each thing it does has an end. It is read
only; it refuses to let the library connect again on its own, and what its readers make of garbage is a
LinkError.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from sys import version_info
from typing import TYPE_CHECKING, Any

from drivers.ble.link import CLOSE_S, BleLink
from drivers.ble.radio import trouble, within
from drivers.ble.table import BleTable
from drivers.ble.translate import FOREIGN, values
from drivers.bms.values import complete, names
from gateway.clock import Clock
from gateway.errors import ConfigError, LinkError
from gateway.model import Point, Points, Sample
from gateway.site import Device

if TYPE_CHECKING:
    from bleak.backends.device import BLEDevice

PREFIX = "aiobmsble:"
PYTHON = (3, 12)
CONNECT_S = 40.0  # two of the library's own attempts
INFO_S = 10.0
UPDATE_S = 20.0  # its own limits are 5 s a request
# Its names for what a device is, best last.
INFO: Mapping[str, str] = {
    "manufacturer": "vendor",
    "model": "model",
    "name": "name",
    "serial_number": "serial",
    "sw_version": "firmware",
    "fw_version": "firmware",
}


def need(family: str) -> None:
    """ConfigError when this computer cannot run the library, or the library has no such module."""
    if version_info < PYTHON:
        here = ".".join(map(str, version_info[:2]))
        raise ConfigError(f"family {family}: aiobmsble needs Python 3.12 or newer, and this is {here}")
    if find_spec("aiobmsble") is None:
        raise ConfigError(f'family {family} needs the library aiobmsble: pip install "gridseal[ble]"')
    module = family.removeprefix(PREFIX)
    known = modules()
    if module not in known:
        near = get_close_matches(module, known, 1)
        hint = f"; did you mean {PREFIX}{near[0]}?" if near else ""
        raise ConfigError(f"family {family}: aiobmsble has no module {module!r}{hint}")


def modules() -> list[str]:
    """What the library can read."""
    return [found.name for found in iter_modules(import_module("aiobmsble.bms").__path__)]


@contextmanager
def believed(what: str) -> Iterator[None]:
    """`trouble`, and what a reader of frames says of frames it did not expect."""
    try:
        with trouble(what):
            yield
    except (ValueError, LookupError, ArithmeticError, TypeError) as error:
        raise LinkError(f"{what}: aiobmsble could not read it ({type(error).__name__}: {error})") from error


class ForeignDriver:
    """A Driver (gateway.driver)."""

    pushed = False
    unrecordable = "aiobmsble speaks to this device by itself, so what passes cannot be recorded"

    def __init__(self, device: Device, table: BleTable, link: BleLink, clock: Clock) -> None:
        need(table.family)
        link.claim(device.name)
        self._device, self._table, self._link, self._clock = device, table, link, clock
        self.points: Points = tuple(Point(device.name, name) for name in names(FOREIGN))
        self._bms: Any = None

    async def connect(self) -> Mapping[str, str]:
        await self.close()
        kind = import_module(f"aiobmsble.bms.{self._table.family.removeprefix(PREFIX)}").BMS

        async def enter(device: "BLEDevice") -> None:
            self._bms = kind(device)
            with believed(self._link.url):
                await self._bms.__aenter__()

        try:
            await self._link.reach(frozenset(kind.uuid_services()), enter, CONNECT_S)
            said = {"vendor": self._table.vendor, **await self._introduction()}
        except BaseException:
            await self.close()
            raise
        self._link.counters.connected += 1
        return said

    async def read(self) -> Sample:
        if self._bms is None or not self._bms.is_connected:
            raise LinkError(f"{self._link.url}: the connection ended")
        stamp = self._clock.now()  # before it is asked: an age is never understated
        async with within(UPDATE_S, f"{self._device.name}: no answer"):
            with believed(self._device.name):
                sample = await self._bms.async_update(raw=True)
        told = values(sample)
        if not told:
            raise LinkError(f"{self._device.name}: answered without a single value")
        numbers, qualities = complete(FOREIGN, told, self._table.allowance, negate=self._table.negate)
        return Sample(self._device.name, stamp, self.points, numbers, qualities)

    async def close(self) -> None:
        """Never raises and never hangs."""
        bms, self._bms = self._bms, None
        if bms is None:
            return
        try:
            async with within(CLOSE_S, f"{self._link.url}: did not close"):
                with believed(self._link.url):
                    await bms.disconnect()
        except LinkError:
            self._link.counters.stuck += 1

    async def _introduction(self) -> dict[str, str]:
        """Who it says it is; many do not."""
        try:
            async with within(INFO_S, f"{self._device.name}: did not say what it is"):
                with believed(self._device.name):
                    info = await self._bms.device_info()
        except LinkError:
            return {}
        return {ours: str(info[theirs]) for theirs, ours in INFO.items() if info.get(theirs)}
