"""Our link against an independent implementation: libmodbus in C, over TCP and over a pair of ptys."""

import asyncio
import os
import struct
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from rig import libmodbus

from drivers.modbus import PLUGIN
from drivers.modbus.link import ModbusLink
from drivers.modbus.profile import ModbusProfile
from gateway.clock import SystemClock
from gateway.errors import DeviceRefused
from gateway.site import Device
from tests.tools import missing


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return libmodbus.build(tmp_path_factory.mktemp("libmodbus"))
    except libmodbus.Missing as what:
        missing(str(what))


@asynccontextmanager
async def running(program: Path, *args: str) -> AsyncIterator[str]:
    """The first line it prints."""
    process = await asyncio.create_subprocess_exec(program, *args, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(10):
            yield (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def null_modem() -> AsyncIterator[tuple[str, str]]:
    """Two ttys whose ends are joined, like two RS-485 adapters on a desk."""
    loop, pairs = asyncio.get_running_loop(), [os.openpty(), os.openpty()]
    for near, far in pairs:
        tty.setraw(near)
        tty.setraw(far)
        os.set_blocking(near, False)

    def forward(source: int, target: int) -> None:
        with suppress(OSError):
            os.write(target, os.read(source, 4096))

    (a, a_far), (b, b_far) = pairs
    loop.add_reader(a, forward, a, b)
    loop.add_reader(b, forward, b, a)
    try:
        yield os.ttyname(a_far), os.ttyname(b_far)
    finally:
        for fd in (a, b):
            loop.remove_reader(fd)
        for fd in (a, b, a_far, b_far):
            os.close(fd)


@asynccontextmanager
async def linked(program: Path, scheme: str) -> AsyncIterator[ModbusLink]:
    if scheme == "tcp":
        async with running(program, "tcp") as port:
            link = PLUGIN.open_link(f"tcp://127.0.0.1:{port}", SystemClock())
            yield link
            await link.close()
        return
    async with null_modem() as (ours, theirs), running(program, "rtu", theirs) as connected:
        assert connected == "0"
        link = PLUGIN.open_link(f"rtu://{ours}?baud=115200", SystemClock())
        yield link
        await link.close()


@pytest.mark.parametrize("scheme", ["tcp", "rtu"])
async def test_reads_of_every_length(peer: Path, scheme: str) -> None:
    async with linked(peer, scheme) as link:
        for count in (1, 2, 3, 60, 124, 125):
            data = await link.read(1, "holding", 10, count, timeout_s=1)
            assert data == struct.pack(f">{count}H", *(3 * (10 + n) for n in range(count)))
        data = await link.read(1, "input", 875, 125, timeout_s=1)
        assert data == struct.pack(">125H", *(5 * (875 + n) for n in range(125)))
        assert link.counters.frame_errors == link.counters.timeouts == 0


@pytest.mark.parametrize("scheme", ["tcp", "rtu"])
async def test_writes_are_echoed_and_read_back(peer: Path, scheme: str) -> None:
    async with linked(peer, scheme) as link:
        await link.write(1, 20, [0xFFFF, 1, 2], timeout_s=1)
        await link.write(1, 21, [77], timeout_s=1, single=True)
        await link.write(1, 100, list(range(123)), timeout_s=1)
        assert await link.read(1, "holding", 20, 3, timeout_s=1) == struct.pack(">3H", 0xFFFF, 77, 2)
        assert await link.read(1, "holding", 100, 123, timeout_s=1) == struct.pack(">123H", *range(123))


@pytest.mark.parametrize("scheme", ["tcp", "rtu"])
async def test_its_exceptions_are_refusals(peer: Path, scheme: str) -> None:
    async with linked(peer, scheme) as link:
        for ask in (
            link.read(1, "holding", 999, 2, timeout_s=1),
            link.write(1, 999, [1, 2], timeout_s=1),
            link.write(1, 1000, [1], timeout_s=1, single=True),
        ):
            with pytest.raises(DeviceRefused) as refused:
                await ask
            assert refused.value.code == 2
        assert await link.read(1, "holding", 999, 1, timeout_s=1) == struct.pack(">H", 2997)


@pytest.mark.parametrize("scheme", ["tcp", "rtu"])
async def test_a_profile_against_it(peer: Path, scheme: str) -> None:
    profile = ModbusProfile.model_validate(
        {
            "driver": "modbus",
            "role": "meter",
            "vendor": "libmodbus",
            "model": "peer",
            "sources": ["libmodbus 3.1"],
            "proof": "simulated",
            "points": {
                "grid_power_w": {"address": 100, "type": "s32"},
                "grid_voltage_mv": {"address": 110, "type": "u16", "scale": 100, "table": "input"},
                "beyond_count": {"address": 1000, "type": "u16"},
                "grid_frequency_mhz": {"address": 995, "type": "u16"},
            },
        }
    )
    async with linked(peer, scheme) as link:
        device = Device("meter", "p", "modbus", "meter", link.url, profile.table())
        driver = PLUGIN.driver(device, device.profile, link, SystemClock())
        await driver.connect()
        sample = await driver.read()
    assert {r.point.name: (r.value, int(r.quality)) for r in sample.readings()} == {
        "grid_power_w": (300 * 65536 + 303, 0),
        "grid_voltage_mv": (55000, 0),
        "grid_frequency_mhz": (2985, 0),
        "beyond_count": (0, 3),
    }
