"""Our link against an independent implementation: libmodbus in C, over TCP and over a pair of ptys."""

import asyncio
import os
import struct
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import yaml
from rig import libmodbus

from drivers.modbus import PLUGIN
from drivers.modbus.link import ModbusLink
from drivers.modbus.profile import ModbusProfile
from drivers.modbus.table import Board, Relay
from gateway.clock import SystemClock
from gateway.driver import Switches
from gateway.errors import DeviceRefused
from gateway.relay import RelayWriter
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


@pytest.mark.parametrize("scheme", ["tcp", "rtu"])
async def test_bits_of_every_length(peer: Path, scheme: str) -> None:
    async with linked(peer, scheme) as link:
        for count in (1, 7, 8, 9, 16, 1999, 2000):
            coils = await link.read_bits(1, "coils", 10, count, timeout_s=2)
            assert coils == tuple((10 + n) % 3 == 0 for n in range(count))
            inputs = await link.read_bits(1, "discrete", 10, count, timeout_s=2)
            assert inputs == tuple((10 + n) % 5 == 0 for n in range(count))
        for beyond in (
            link.read_bits(1, "coils", 2099, 2, timeout_s=1),
            link.write_coil(1, 2100, True, timeout_s=1),
        ):
            with pytest.raises(DeviceRefused) as refused:
                await beyond
            assert refused.value.code == 2
        assert link.counters.frame_errors == link.counters.timeouts == 0


@pytest.mark.parametrize("scheme", ["tcp", "rtu"])
async def test_a_relay_board_sheds_and_restores(peer: Path, scheme: str) -> None:
    text = (PLUGIN.profiles / "waveshare_relay_8ch.yaml").read_text("utf-8")
    board = ModbusProfile.model_validate(yaml.safe_load(text)).table()
    async with linked(peer, scheme) as link:
        device = Device("board", "waveshare_relay_8ch", "modbus", "relay", link.url, board)
        driver = PLUGIN.driver(device, board, link, SystemClock())
        assert isinstance(driver, Switches)
        await driver.connect()
        # as it was: coils 0, 3 and 6 are on, so these loads are off
        assert [c for c, on in (await driver.switched()).items() if not on] == ["1", "4", "7"]
        for channel in "147":
            await driver.switch(channel, True)
        await driver.switch("2", False)
        assert await driver.switched() == {c: c != "2" for c in "12345678"}
        assert (await driver.read()).values == (1, 0, 1, 1, 1, 1, 1, 1)
        assert await link.read_bits(1, "coils", 0, 10, timeout_s=1) == (False, True) + (False,) * 7 + (True,)


@pytest.mark.parametrize("scheme", ["tcp", "rtu"])
async def test_a_relay_writer_keeps_a_board_as_its_lease_says(peer: Path, scheme: str) -> None:
    board = Board("libmodbus", "peer", "simulated", "", (Relay("a", 0), Relay("b", 1, off_pulled=False)))
    async with linked(peer, scheme) as link:
        device = Device("board", "own", "modbus", "relay", link.url, board, poll_ms=50)
        driver = PLUGIN.driver(device, board, link, SystemClock())
        assert isinstance(driver, Switches)
        writer = RelayWriter(device, driver, SystemClock())
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            serving = group.create_task(writer.serve())
            for off in (frozenset("ab"), frozenset("b"), frozenset[str]()):
                writer.desire(off, SystemClock().mono_ms() + 60_000)
                while writer.hold.off != off:
                    await asyncio.sleep(0.01)
                coils = await link.read_bits(1, "coils", 0, 2, timeout_s=1)
                assert coils == ("a" in off, "b" not in off)
            serving.cancel()
