"""A small org.bluez on a private D-Bus: an adapter and one board behind it, for bleak's own BlueZ backend.

No kernel and no radio. Run as a program (`python -m tests.drivers.ble_bluez ADDRESS ANSWERS`, the answers
as JSON of hex) it serves until it is ended. The board answers in pieces of 20 bytes and hangs up when it is
told to.
"""

import asyncio
import json
import sys
from typing import Annotated

from dbus_fast import BusType, PropertyAccess
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import (
    DBusBool,
    DBusBytes,
    DBusDict,
    DBusInt16,
    DBusObjectPath,
    DBusSignature,
    DBusStr,
    DBusUInt16,
)
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property

HANG_UP = b"hang up"
READ = PropertyAccess.READ
ADAPTER = "/org/bluez/hci0"
DEVICE = f"{ADAPTER}/dev_board"
PIECE = 20
Strings = Annotated[list[str], DBusSignature("as")]


def uuid(short: str) -> str:
    return f"0000{short}-0000-1000-8000-00805f9b34fb"


class Adapter(ServiceInterface):
    def __init__(self, device: "Device") -> None:
        super().__init__("org.bluez.Adapter1")
        self._device, self._scanning = device, False

    @dbus_method()
    def SetDiscoveryFilter(self, filter: DBusDict) -> None:
        pass

    @dbus_method()
    def StartDiscovery(self) -> None:
        self._scanning = True
        self.emit_properties_changed({"Discovering": True})
        asyncio.get_running_loop().call_later(0.05, self._heard)

    @dbus_method()
    def StopDiscovery(self) -> None:
        self._scanning = False
        self.emit_properties_changed({"Discovering": False})

    def _heard(self) -> None:
        if self._scanning:
            self._device.advertise()
            asyncio.get_running_loop().call_later(0.1, self._heard)

    @dbus_property(access=READ)
    def Address(self) -> DBusStr:
        return "00:11:22:33:44:55"

    @dbus_property(access=READ)
    def Roles(self) -> Strings:
        return ["central", "peripheral"]

    @dbus_property(access=READ)
    def Powered(self) -> DBusBool:
        return True

    @dbus_property(access=READ)
    def Discovering(self) -> DBusBool:
        return self._scanning


class Device(ServiceInterface):
    def __init__(self, address: str) -> None:
        super().__init__("org.bluez.Device1")
        self._address = address
        self._rssi, self._connected, self._resolved = -50, False, False

    def advertise(self) -> None:
        if not self._connected:
            self._rssi = -50 - (self._rssi + 51) % 2
            self.emit_properties_changed({"RSSI": self._rssi})

    @dbus_method()
    async def Connect(self) -> None:
        self._connected = True
        self.emit_properties_changed({"Connected": True})
        await asyncio.sleep(0.02)
        self._resolved = True
        self.emit_properties_changed({"ServicesResolved": True})

    @dbus_method()
    def Disconnect(self) -> None:
        self.hang_up()

    def hang_up(self) -> None:
        self._connected = self._resolved = False
        self.emit_properties_changed({"ServicesResolved": False, "Connected": False})

    @dbus_property(access=READ)
    def Address(self) -> DBusStr:
        return self._address

    @dbus_property(access=READ)
    def Name(self) -> DBusStr:
        return "JBD-SP04S034"

    @dbus_property(access=READ)
    def Alias(self) -> DBusStr:
        return "JBD-SP04S034"

    @dbus_property(access=READ)
    def Adapter(self) -> DBusObjectPath:
        return ADAPTER

    @dbus_property(access=READ)
    def Connected(self) -> DBusBool:
        return self._connected

    @dbus_property(access=READ)
    def Paired(self) -> DBusBool:
        return False

    @dbus_property(access=READ)
    def ServicesResolved(self) -> DBusBool:
        return self._resolved

    @dbus_property(access=READ)
    def RSSI(self) -> DBusInt16:
        return self._rssi

    @dbus_property(access=READ)
    def UUIDs(self) -> Strings:
        return [uuid("1801"), uuid("ff00")]


class Service(ServiceInterface):
    def __init__(self) -> None:
        super().__init__("org.bluez.GattService1")

    @dbus_property(access=READ)
    def UUID(self) -> DBusStr:
        return uuid("ff00")

    @dbus_property(access=READ)
    def Primary(self) -> DBusBool:
        return True

    @dbus_property(access=READ)
    def Device(self) -> DBusObjectPath:
        return DEVICE


class Says(ServiceInterface):
    """The characteristic that notifies."""

    short, flags = "ff01", ("read", "notify")

    def __init__(self) -> None:
        super().__init__("org.bluez.GattCharacteristic1")
        self._value, self._notifying = b"", False

    def say(self, piece: bytes) -> None:
        if self._notifying:
            self._value = piece
            self.emit_properties_changed({"Value": piece})

    @dbus_method()
    def StartNotify(self) -> None:
        self._notifying = True

    @dbus_method()
    def StopNotify(self) -> None:
        self._notifying = False

    @dbus_property(access=READ)
    def UUID(self) -> DBusStr:
        return uuid(self.short)

    @dbus_property(access=READ)
    def Service(self) -> DBusObjectPath:
        return f"{DEVICE}/service0001"

    @dbus_property(access=READ)
    def Value(self) -> DBusBytes:
        return self._value

    @dbus_property(access=READ)
    def Notifying(self) -> DBusBool:
        return self._notifying

    @dbus_property(access=READ)
    def Flags(self) -> Strings:
        return list(self.flags)

    @dbus_property(access=READ)
    def MTU(self) -> DBusUInt16:
        return 247


class Hears(Says):
    """The characteristic that takes."""

    short, flags = "ff02", ("write-without-response",)

    def __init__(self, says: Says, device: Device, answers: dict[bytes, bytes]) -> None:
        super().__init__()
        self._says, self._device, self._answers = says, device, answers

    @dbus_method()
    def WriteValue(self, value: DBusBytes, options: DBusDict) -> None:
        loop = asyncio.get_running_loop()
        if bytes(value) == HANG_UP:
            loop.call_soon(self._device.hang_up)
        answer = self._answers.get(bytes(value), b"")
        for at in range(0, len(answer), PIECE):
            loop.call_later(0.01 + at / 2000, self._says.say, answer[at : at + PIECE])


async def serve(address: str, answers: dict[bytes, bytes]) -> None:
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    device, says = Device(address), Says()
    bus.export(ADAPTER, Adapter(device))
    bus.export(DEVICE, device)
    bus.export(f"{DEVICE}/service0001", Service())
    bus.export(f"{DEVICE}/service0001/char0002", says)
    bus.export(f"{DEVICE}/service0001/char0005", Hears(says, device, answers))
    await bus.request_name("org.bluez")
    print("on the bus", flush=True)
    await bus.wait_for_disconnect()


if __name__ == "__main__":
    known = {bytes.fromhex(asked): bytes.fromhex(said) for asked, said in json.loads(sys.argv[2]).items()}
    asyncio.run(serve(sys.argv[1], known))
