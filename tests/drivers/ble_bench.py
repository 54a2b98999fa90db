"""What the Bluetooth tests share: recorded replies, virtual batteries that give them, and a driver to read
them.
"""

from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import yaml

from drivers.ble import PLUGIN
from drivers.ble.adapter import Adapter
from drivers.ble.link import BleLink
from drivers.ble.profile import BleProfile
from drivers.ble.radio import Radio
from drivers.ble.table import BleTable
from drivers.ble.url import parse
from drivers.bms.families import FAMILIES
from gateway import yamlfile
from gateway.model import Quality
from gateway.site import Device
from tests.drivers.ble_air import Air, Bms

RECORDED = Path(__file__).parent.parent / "recorded"
ADDRESS = "F0:F1:F2:F3:F4:01"
OTHER = "F0:F1:F2:F3:F4:02"


@cache
def profile(name: str) -> BleProfile:
    text = (PLUGIN.profiles / f"{name}.yaml").read_text()
    return yamlfile.validate(yamlfile.parse(text, f"{name}.yaml"), BleProfile)


@cache
def recorded(name: str) -> list[dict]:
    return yaml.safe_load((RECORDED / f"{name}.yaml").read_text())


def answers(family: str, replies: dict[str, str]) -> dict[bytes, bytes]:
    """What is asked, and what the real board said to it."""
    known = FAMILIES[family]
    asked = (*known.introduction(0), *known.requests(0))
    return {
        request.data: bytes.fromhex(replies[request.name]) for request in asked if request.name in replies
    }


JBD = recorded("bms_jbd")[0]
# aiobmsble 0.31.0, tests/bms/test_jbd_bms.py: HW_INFO
JBD_ANSWERS = answers("jbd", JBD["replies"] | {"hardware": "dd05000a30313233343536373839fde977"})


def device(table: BleTable, address: str = ADDRESS, poll_ms: int = 1000) -> Device:
    return Device(
        f"bms{address[-1]}", "jbd_ble", "ble", "battery", f"ble://{address}", table, poll_ms=poll_ms
    )


def link_to(adapter: Adapter, clock, address: str = ADDRESS) -> BleLink:
    return BleLink(parse(f"ble://{address}"), adapter, clock)


@asynccontextmanager
async def bench(clock, *addresses: str, **kind):
    """The air with a JBD board at each address, and the adapter that hears them."""
    air = await Air().start()
    boards = [await Bms(air, address, JBD_ANSWERS, **kind).start() for address in addresses or (ADDRESS,)]
    yield air, Adapter(Radio("hci0", air.stack), clock), boards


@asynccontextmanager
async def read_by(adapter: Adapter, clock, address: str = ADDRESS, table: BleTable | None = None):
    """A driver of one board, closed at the end; and its link."""
    mine = device(table or profile("jbd_ble").table(), address)
    link = link_to(adapter, clock, address)
    driver = PLUGIN.driver(mine, mine.profile, link, clock)
    try:
        yield driver, link
    finally:
        await driver.close()


def told(sample) -> dict[str, int]:
    """What is GOOD."""
    return {r.point.name: r.value for r in sample.readings() if r.quality is Quality.GOOD}


def power_w(said: dict[str, int]) -> int:
    micro = said["battery_voltage_mv"] * said["battery_current_ma"]
    return (abs(micro) + 500_000) // 1_000_000 * (1 if micro >= 0 else -1)
