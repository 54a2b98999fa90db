"""One poll of 125 holding registers, wire to site state, against bare pymodbus and a hand-written client.

Ours is the whole path: turn on the link, strict check, decode to 125 points, stamp, Sample, SiteState.put.
Bare pymodbus is one awaited call that gives a list of registers: nothing checked, named or kept. The
hand-written client is asyncio streams with a deadline and a header check.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from pymodbus.client import AsyncModbusTcpClient

from bench.common import Result, compare, cost_us, main, modbus_servers, ratio
from drivers.modbus import PLUGIN
from drivers.modbus.profile import ModbusProfile
from drivers.modbus.table import Table
from gateway.clock import SystemClock
from gateway.site import AttestSettings, Device, Site, SiteLimits, StoreSettings
from gateway.state import SiteState

COUNT = 125
_WORDS = struct.Struct(f">{COUNT}H")
Work = Callable[[], Awaitable[None]]


def profile() -> Table:
    points = {f"u{n:03}_count": {"address": n, "type": "u16"} for n in range(COUNT)}
    return ModbusProfile.model_validate(
        {
            "driver": "modbus",
            "role": "meter",
            "vendor": "libmodbus",
            "model": "bench",
            "sources": ["libmodbus"],
            "proof": "simulated",
            "points": points,
        }
    ).table()


@asynccontextmanager
async def ours(port: int, polls: int) -> AsyncIterator[Work]:
    url, clock, table = f"tcp://127.0.0.1:{port}", SystemClock(), profile()
    device = Device("meter", "bench", "modbus", "meter", url, table)
    site = Site(
        "bench", SiteLimits(1, 1, 1, 1, 1), (device,), StoreSettings(Path("unused")), AttestSettings()
    )
    state, link = SiteState(site, clock), PLUGIN.open_link(url, clock)
    driver = PLUGIN.driver(device, table, link, clock)
    await driver.connect()
    state.declare(device.name, driver.points, device.poll_ms)

    async def work() -> None:
        for _ in range(polls):
            state.put(await driver.read())

    yield work
    await link.close()


@asynccontextmanager
async def bare(port: int, polls: int) -> AsyncIterator[Work]:
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()

    async def work() -> None:
        for _ in range(polls):
            reply = await client.read_holding_registers(0, count=COUNT, device_id=1)
            if len(reply.registers) != COUNT:
                raise ValueError("short reply")

    yield work
    client.close()


@asynccontextmanager
async def by_hand(port: int, polls: int) -> AsyncIterator[Work]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def work() -> None:
        for number in range(polls):
            tag = number & 0xFFFF
            writer.write(struct.pack(">HHHBBHH", tag, 0, 6, 1, 3, 0, COUNT))
            async with asyncio.timeout(1):
                head = await reader.readexactly(9)
                data = await reader.readexactly(head[8])
            if head[:8] != struct.pack(">HHHBB", tag, 0, 3 + len(data), 1, 3):
                raise ValueError("not our reply")
            _WORDS.unpack(data)

    yield work
    writer.close()
    await writer.wait_closed()


async def measure(ports: list[int], polls: int, rounds: int) -> Result:
    async with (
        ours(ports[0], polls) as gridseal,
        bare(ports[1], polls) as pymodbus,
        by_hand(ports[2], polls) as hand,
    ):
        spent = await compare(rounds, {"gridseal": gridseal, "pymodbus": pymodbus, "by_hand": hand})
    return {
        "registers": COUNT,
        "polls": polls,
        "rounds": rounds,
        "cpu_us_a_poll": cost_us(spent, polls),
        "ratio_to_pymodbus": ratio(spent, "gridseal", "pymodbus"),
        "ratio_to_by_hand": ratio(spent, "gridseal", "by_hand"),
        "aim_ratio_to_pymodbus": 1.3,
    }


def bench(quick: bool) -> Result:
    """CPU of one poll of 125 registers."""
    polls, rounds = (50, 2) if quick else (1500, 11)
    with modbus_servers(3) as ports:
        return asyncio.run(measure(ports, polls, rounds))


if __name__ == "__main__":
    main("poll", bench)
