"""A controller for BlueZ, by /dev/vhci, and in its reach a JBD board that plays recorded replies.

SIGUSR1: the board's battery is dead: it hangs up, answers nobody and is not heard. SIGUSR2: it is back.
"""

import asyncio
import signal
from pathlib import Path

import yaml
from bumble import hci
from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData
from bumble.data_types import CompleteListOf16BitServiceUUIDs, CompleteLocalName, Flags
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.hci import Address
from bumble.link import LocalLink
from bumble.transport import open_transport
from bumble.transport.common import Transport

ADDRESS = "F0:F1:F2:F3:F4:01"
SERVICE, NOTIFIES, TAKES = "ff00", "ff01", "ff02"
PIECE = 20
COMMANDS = {"basic information": 0x03, "cell voltages": 0x04}
RECORDED = Path(__file__).parent / "recorded/bms_jbd.yaml"
# BlueZ asks bumble's controller for these and does not get along with its answers (google/bumble issue 841).
NOT_FOR_BLUEZ = hci.LeFeatureMask.LL_PRIVACY | hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
P = Characteristic.Properties


class Board:
    """`replies` by command byte."""

    def __init__(self, link: LocalLink, replies: dict[int, bytes]) -> None:
        self._replies = replies
        self._connection: Connection | None = None
        self._speaking: set[asyncio.Task[None]] = set()
        controller = Controller("board", link=link)
        transport = Transport(controller, controller)
        config = DeviceConfiguration(
            name="JBD-LAB",
            address=Address(ADDRESS),
            advertising_interval_min=200,
            advertising_interval_max=200,
        )
        self._device = Device.from_config_with_hci(config, transport.source, transport.sink)
        self._says = Characteristic(NOTIFIES, P.NOTIFY, Characteristic.Permissions.READABLE)
        takes = Characteristic(
            TAKES,
            P.WRITE | P.WRITE_WITHOUT_RESPONSE,
            Characteristic.Permissions.WRITEABLE,
            CharacteristicValue(write=self._asked),
        )
        self._device.add_services([Service(SERVICE, [self._says, takes])])
        seen = AdvertisingData.Flags.LE_GENERAL_DISCOVERABLE_MODE | AdvertisingData.Flags.BR_EDR_NOT_SUPPORTED
        said = [Flags(seen), CompleteLocalName("JBD-LAB"), CompleteListOf16BitServiceUUIDs([UUID(SERVICE)])]
        self._device.advertising_data = bytes(AdvertisingData(said))
        self._device.on("connection", self._connected)

    async def live(self) -> None:
        if not self._device.powered_on:
            await self._device.power_on()
        await self._device.start_advertising(auto_restart=True)

    async def die(self) -> None:
        await self._device.stop_advertising()  # first: it begins again at the end of a connection
        if self._connection is not None:
            await self._connection.disconnect()

    def _connected(self, connection: Connection) -> None:
        self._connection = connection
        connection.on("disconnection", self._disconnected)

    def _disconnected(self, _reason: int) -> None:
        self._connection = None

    def _asked(self, _connection: Connection, data: bytes) -> None:
        if len(data) > 2 and (reply := self._replies.get(data[2])):
            task = asyncio.get_running_loop().create_task(self._answer(reply))
            self._speaking.add(task)
            task.add_done_callback(self._speaking.discard)

    async def _answer(self, reply: bytes) -> None:
        for at in range(0, len(reply), PIECE):
            await self._device.notify_subscribers(self._says, reply[at : at + PIECE])


def recorded() -> dict[int, bytes]:
    replies = yaml.safe_load(RECORDED.read_text())[0]["replies"]
    return {COMMANDS[name]: bytes.fromhex(reply.replace(" ", "")) for name, reply in replies.items()}


async def main() -> None:
    loop, orders = asyncio.get_running_loop(), asyncio.Queue[bool]()
    loop.add_signal_handler(signal.SIGUSR1, orders.put_nowait, False)
    loop.add_signal_handler(signal.SIGUSR2, orders.put_nowait, True)
    async with await open_transport("vhci") as host:
        link = LocalLink()
        controller = Controller("bluez", host_source=host.source, host_sink=host.sink, link=link)
        controller.le_features &= ~NOT_FOR_BLUEZ
        board = Board(link, recorded())
        await board.live()
        while True:
            await (board.live() if await orders.get() else board.die())


if __name__ == "__main__":
    asyncio.run(main())
