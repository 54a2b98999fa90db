"""A radio in one process: an adapter and virtual peripherals of bumble on one link, under unmodified bleak.

Owns bleak's three backends over bumble (scan, client, what is connected already) and a BMS that answers
what is written to it with recorded notifications, and can misbehave. No kernel, no D-Bus, no adapter.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from bleak.backends.adapter import BaseBleakAdapter
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakError
from bleak.uuids import normalize_uuid_str
from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData, ProtocolError
from bumble.data_types import CompleteListOf16BitServiceUUIDs, CompleteLocalName
from bumble.device import Connection, Device, DeviceConfiguration, Peer
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.hci import Address
from bumble.link import LocalLink
from bumble.transport.common import Transport

from drivers.ble.radio import Stack

P = Characteristic.Properties
NAMES = {P.READ: "read", P.WRITE: "write", P.WRITE_WITHOUT_RESPONSE: "write-without-response",
         P.NOTIFY: "notify", P.INDICATE: "indicate"}  # fmt: skip
MTU = 247


def whole(uuid: UUID) -> str:
    return normalize_uuid_str(uuid.to_hex_str("-"))


class Air:
    """What is on the air. `log` tells what the adapter was asked, in order."""

    def __init__(self) -> None:
        self._link = LocalLink()
        self.central: Device | None = None
        self.log: list[str] = []
        self.held: dict[str, Connection] = {}  # connections that outlived their client
        self.stack = Stack(
            type("AirScanner", (BumbleScanner,), {"air": self}),
            type("AirClient", (BumbleClient,), {"air": self}),
            type("AirAdapter", (BumbleAdapter,), {"air": self}),
        )

    async def device(self, name: str, address: str) -> Device:
        controller = Controller(name, link=self._link)
        transport = Transport(controller, controller)
        config = DeviceConfiguration(name=name, address=Address(address), advertising_interval_min=200)
        return Device.from_config_with_hci(config, transport.source, transport.sink)

    async def start(self) -> "Air":
        self.central = await self.device("central", "C0:00:00:00:00:01")
        await self.central.power_on()
        return self


class BumbleScanner(BaseBleakScanner):
    air: Air

    def __init__(self, callback, services, mode, **_options) -> None:
        super().__init__(callback, services)

    async def start(self) -> None:
        self.air.log.append("scan")
        self.seen_devices = {}
        self.air.central.on("advertisement", self._heard)
        await self.air.central.start_scanning()

    async def stop(self) -> None:
        self.air.central.remove_listener("advertisement", self._heard)
        await self.air.central.stop_scanning()
        self.air.log.append("scan ended")

    def _heard(self, advertisement) -> None:
        address = str(advertisement.address).removesuffix("/P")
        name = advertisement.data.get(AdvertisingData.Type.COMPLETE_LOCAL_NAME)
        lists = advertisement.data.get_all(AdvertisingData.Type.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS)
        services = [normalize_uuid_str(uuid.to_hex_str("-")) for uuids in lists for uuid in uuids]
        data = AdvertisementData(name, {}, {}, services, None, advertisement.rssi, ())
        device = self.create_or_update_device(address, address, name, {"path": ""}, data)
        self.call_detection_callbacks(device, data)


class BumbleAdapter(BaseBleakAdapter):
    air: Air

    @classmethod
    async def get(cls, **_options):
        return cls()

    async def get_connected_devices(self, service_uuids):
        return [BLEDevice(address, None, {"path": ""}) for address in self.air.held]


class BumbleClient(BaseBleakClient):
    air: Air

    def __init__(self, address_or_ble_device, **options) -> None:
        super().__init__(
            address_or_ble_device, **{k: options[k] for k in ("disconnected_callback", "timeout")}
        )
        self._connection: Connection | None = None

    @property
    def name(self) -> str:
        return self.address

    @property
    def mtu_size(self) -> int:
        return self._connection.att_mtu if self._connection else 23

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    async def connect(self, pair, **_options) -> None:
        self.air.log.append(f"connect {self.address[-2:]}")
        held = self.air.held.pop(self.address, None)
        self._connection = held or await self.air.central.connect(Address(self.address), timeout=None)
        self._connection.on("disconnection", self._gone)
        peer = Peer(self._connection)
        await peer.request_mtu(MTU)
        await peer.discover_all()
        self.services = BleakGATTServiceCollection()
        for service in peer.services:
            mine = BleakGATTService(service, service.handle, whole(service.uuid))
            self.services.add_service(mine)
            for one in service.characteristics:
                can = [name for bit, name in NAMES.items() if one.properties & bit]
                self.services.add_characteristic(
                    BleakGATTCharacteristic(one, one.handle, whole(one.uuid), can, self._room, mine)
                )
        self.air.log.append(f"connected {self.address[-2:]}")

    def _room(self) -> int:
        return self.mtu_size - 3

    def _gone(self, _reason) -> None:
        self._connection, self.services = None, None
        if self._disconnected_callback:
            self._disconnected_callback()

    async def disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.disconnect()

    async def write_gatt_char(self, characteristic, data, response) -> None:
        if self._connection is None:
            raise BleakError("Not connected")
        try:
            await characteristic.obj.write_value(bytes(data), with_response=response)
        except ProtocolError as error:
            raise BleakError(f"refused: {error}") from error

    async def start_notify(self, characteristic, callback, **_options) -> None:
        await characteristic.obj.subscribe(lambda value: callback(bytearray(value)))

    async def stop_notify(self, characteristic) -> None:
        await characteristic.obj.unsubscribe()

    async def read_gatt_char(self, characteristic, **_options) -> bytearray:
        return bytearray(await characteristic.obj.read_value())

    async def pair(self, *_words, **_options) -> None:
        raise NotImplementedError

    unpair = read_gatt_descriptor = write_gatt_descriptor = pair


class Bms:
    """A virtual BMS on the air. `answers` maps what is written to what is notified, `piece` bytes at a time.

    It can be made `silent`, to `stutter` (only so many pieces of an answer), to say garbage before it, to be
    late, and to say what it `repeats` each second once it was asked anything. With `one` it notifies where it
    is written to.
    """

    def __init__(
        self,
        air: Air,
        address: str,
        answers: dict[bytes, bytes],
        *,
        service: str = "ff00",
        notify: str = "ff01",
        to: str = "ff02",
        writes: P = P.WRITE_WITHOUT_RESPONSE,
        piece: int = 20,
        one: bool = False,
    ) -> None:
        self.air, self.address, self.answers, self.piece = air, address, answers, piece
        self._service, self._notify, self._to, self._writes = service, notify, to, writes
        self._one = one
        self.written: list[bytes] = []
        self.repeats, self._repeating = b"", False
        self._mouth = asyncio.Lock()
        self.silent = False
        self.stutter = 1000
        self.garbage = b""
        self.late_s = 0.0
        self.device: Device | None = None
        self.connection: Connection | None = None
        self._says: Characteristic | None = None
        self._speaking: set[asyncio.Task[None]] = set()

    async def start(self) -> "Bms":
        device = self.device = await self.air.device(f"BMS-{self.address[-2:]}", self.address)
        says = Characteristic(self._notify, P.NOTIFY, Characteristic.Permissions.READABLE)
        writes = self._writes | P.NOTIFY if self._one else self._writes
        hears = Characteristic(
            self._to, writes, Characteristic.Permissions.WRITEABLE, CharacteristicValue(write=self._heard)
        )
        self._says = hears if self._one else says
        device.add_services([Service(self._service, [hears] if self._one else [hears, says])])
        said = [CompleteLocalName(device.name), CompleteListOf16BitServiceUUIDs([UUID(self._service)])]
        device.advertising_data = bytes(AdvertisingData(said))
        device.on("connection", self._connected)
        await device.power_on()
        await device.start_advertising(auto_restart=True)
        return self

    async def hang_up(self) -> None:
        await self.connection.disconnect()

    async def say(self, data: bytes) -> None:
        async with self._mouth:  # one thing after the other
            await self._say(data)

    async def _say(self, data: bytes) -> None:
        pieces = [data[at : at + self.piece] for at in range(0, len(data), self.piece)]
        for piece in pieces[: self.stutter]:
            await self.device.notify_subscribers(self._says, piece)
            await asyncio.sleep(0.03)

    def _connected(self, connection: Connection) -> None:
        self.connection = connection
        connection.on("disconnection", self._disconnected)

    def _disconnected(self, _reason: int) -> None:
        self.connection = None

    def _heard(self, _connection: Connection, data: bytes) -> None:
        self.written.append(bytes(data))
        answer = self.answers.get(bytes(data), b"")
        if answer and not self.silent:
            self._begin(self._answer(self.garbage + answer))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._speaking.add(task)
        task.add_done_callback(self._speaking.discard)

    async def _answer(self, data: bytes) -> None:
        await asyncio.sleep(0.05 + self.late_s)
        await self.say(data)
        if self.repeats and not self._repeating:
            self._begin(self._repeat())

    async def _repeat(self) -> None:
        self._repeating = True
        while self.connection is not None:
            await asyncio.sleep(1)
            if not self.silent:
                await self.say(self.repeats)
        self._repeating = False
