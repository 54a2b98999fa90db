"""The computer's Bluetooth, through bleak (extra `ble`): looks for devices and makes clients of them.

The only module that imports bleak, and only when it is used. It turns what bleak and the D-Bus under it raise
into LinkErrors, and refuses to wait without an end: also a cancelled wait has one, because bleak then asks a
Bluetooth daemon to stop that may be the very thing that hangs.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from gateway.errors import ConfigError, LinkError

if TYPE_CHECKING:
    from bleak import BleakClient
    from bleak.backends.adapter import BaseBleakAdapter
    from bleak.backends.client import BaseBleakClient
    from bleak.backends.device import BLEDevice
    from bleak.backends.scanner import AdvertisementData, BaseBleakScanner

EVERYONE_MAX = 500  # devices of one scan: a stadium has more, a cellar has fewer
CLEAN_S = 5.0  # for tidying up after a limit has passed
SAID_MAX = 120  # characters of what D-Bus says: it can go on
GENERIC_ATTRIBUTE = "1801"  # a service that nearly every device has
# A part of what D-Bus says, and what is to be done.
HINTS: Mapping[str, str] = {
    "No such file or directory": "D-Bus does not run here: install dbus and bluez",
    "ServiceUnknown": "BlueZ does not run: install bluez and start bluetooth.service",
    # Either, by chance. D-Bus looks up who speaks, and cannot find a user that systemd invents.
    "Connection reset by peer": "D-Bus does not know this service's user: see systemd/bluetooth.conf",
    "EOFError": "D-Bus does not know this service's user: see systemd/bluetooth.conf",
    "AccessDenied": "the gateway may not speak to BlueZ: see systemd/bluetooth.conf",
    "adapter 'hci": "`bluetoothctl list` tells which there are; write ?adapter=hci1 in the link",
    "NotReady": "it is switched off: bluetoothctl power on, and rfkill unblock bluetooth",
    "InProgress": "another program uses the adapter",
}


@dataclass(frozen=True, slots=True)
class Stack:
    """bleak's backends; None is the platform's own, BlueZ. Tests put others in."""

    scanner: "type[BaseBleakScanner] | None" = None
    client: "type[BaseBleakClient] | None" = None
    adapter: "type[BaseBleakAdapter] | None" = None


def need_bleak() -> None:
    """ConfigError when the library is not installed. Does not load it."""
    if find_spec("bleak") is None:
        raise ConfigError('Bluetooth needs the library bleak: pip install "gridseal[ble]"')


@contextmanager
def trouble(what: str) -> Iterator[None]:
    """Whatever goes wrong in bleak is the device's or the Bluetooth daemon's affair: a LinkError."""
    from bleak.exc import BleakError
    from dbus_fast.errors import AuthError, DBusError, InvalidMessageError

    # bleak asserts that a bus is there which another task has just seen die
    expected = (BleakError, OSError, EOFError, AssertionError, AuthError, DBusError, InvalidMessageError)
    try:
        yield
    except expected as error:
        raise LinkError(f"{what}: {_said(error)}") from error


def _said(error: BaseException) -> str:
    """In one line, with what to do about the failures that an installation has."""
    from bleak.exc import BleakBluetoothNotAvailableError

    if isinstance(error, OSError):
        text = error.strerror or ""
    elif isinstance(error, BleakBluetoothNotAvailableError):
        text = str(error.args[0])
    else:
        text = str(error)
    line = (text or type(error).__name__).splitlines()[0]
    hint = next((hint for sign, hint in HINTS.items() if sign in line), "")
    line = line[:SAID_MAX]
    return f"{line} ({hint})" if hint else line


@asynccontextmanager
async def within(limit_s: float, what: str) -> AsyncIterator[None]:
    """LinkError after `limit_s`; what is being tidied up by then is cut off CLEAN_S later."""
    try:
        async with asyncio.timeout(limit_s + CLEAN_S), asyncio.timeout(limit_s):
            yield
    except TimeoutError:
        raise LinkError(f"{what} within {limit_s:g} s") from None


class Radio:
    """One adapter's scanner and clients. `name` is BlueZ's: hci0."""

    def __init__(self, name: str, stack: Stack | None = None) -> None:
        self.name = name
        self._stack = stack or Stack()

    async def connected(self, address: str, services: frozenset[str]) -> "BLEDevice | None":
        """The device, if the system holds a connection to it: then it is silent and no scan finds it. A
        process that was killed leaves such connections behind."""
        from bleak import BleakAdapter

        with trouble(self.name):
            adapter = await BleakAdapter.get(bluez=self._chosen, backend=self._stack.adapter)
            held = await adapter.get_connected_devices([GENERIC_ATTRIBUTE, *services])
        return next((device for device in held if device.address.upper() == address), None)

    async def scan(self, notice: Callable[[str, "BLEDevice"], bool], limit_s: float) -> bool:
        """Hear advertisements until `notice(address, device)` has enough (True) or the limit passes."""
        from bleak import BleakScanner

        enough = asyncio.Event()

        def heard(device: "BLEDevice", _advertisement: object) -> None:
            if notice(device.address.upper(), device):
                enough.set()

        with trouble(f"{self.name}: scan"):
            async with BleakScanner(heard, bluez=self._chosen, backend=self._stack.scanner):
                try:
                    async with asyncio.timeout(limit_s):
                        await enough.wait()
                except TimeoutError:
                    return False
        return True

    async def everyone(self, limit_s: float) -> "dict[str, AdvertisementData]":
        """Who advertises for so long, by address, and what was said last."""
        from bleak import BleakScanner

        found: dict[str, AdvertisementData] = {}

        def heard(device: "BLEDevice", said: "AdvertisementData") -> None:
            if device.address.upper() in found or len(found) < EVERYONE_MAX:
                found[device.address.upper()] = said

        with trouble(f"{self.name}: scan"):
            async with BleakScanner(heard, bluez=self._chosen, backend=self._stack.scanner):
                await asyncio.sleep(limit_s)
        return found

    def client(self, device: "BLEDevice", gone: Callable[[], None]) -> "BleakClient":
        """Not yet connected. `gone` is called once, when it is no more."""
        from bleak import BleakClient

        return BleakClient(device, lambda _client: gone(), bluez=self._chosen, backend=self._stack.client)

    @property
    def _chosen(self) -> Any:
        """bleak's three argument types have this key in common."""
        return {"adapter": self.name}
