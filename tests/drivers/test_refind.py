"""A device that DHCP gave another address is found again, on loopback, with libmodbus in C as every device.

127.0.1.10 is what site.yaml says, 127.0.1.20-24 where it may be looked for. Each libmodbus server takes one
connection at a time and prints what it is made to write.
"""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rig import libmodbus

from drivers.modbus import PLUGIN
from drivers.modbus.profile import ModbusProfile
from gateway import device as device_module
from gateway import refind as refind_module
from gateway import search as search_module
from gateway.addresses import own
from gateway.clock import SystemClock
from gateway.device import DeviceTask
from gateway.refind import Refind
from gateway.site import Device, StoreSettings
from gateway.store import Store
from gateway.wiring import Wiring
from tests.tools import missing

HOME, AWAY, NEIGHBOUR = "127.0.1.10", "127.0.1.23", "127.0.1.21"
LONG_S = 30.0  # for a loaded machine; each wait ends when what it waits for is there
POWER, MODE = 42, 43
PROFILE = ModbusProfile.model_validate(
    {
        "driver": "modbus", "role": "inverter", "vendor": "V", "model": "M", "sources": ["a", "b"],
        "proof": "simulated",
        "identity": {"serial": {"address": 90, "count": 8}},
        "points": {"battery_power_w": {"address": 10, "type": "s16"}},
        "setpoint": {
            "class": "latching", "charge_max": 3000, "discharge_max": 3000,
            "write": [
                {"address": POWER, "values": [{"type": "s16", "value": "power"}]},
                {"address": MODE, "values": [{"type": "s16", "value": 1}]},
            ],
            "read_back": {
                "mode": {"address": MODE, "type": "u16", "absent": [0xFFFF]},
                "held": [
                    {"mode": 1, "power": {"address": POWER, "type": "s16", "absent": [0x8000]}},
                    {"mode": 0, "power": 0},
                ],
            },
            "release": [
                {"address": MODE, "values": [{"type": "s16", "value": 0}]},
                {"address": POWER, "values": [{"type": "s16", "value": 0}]},
            ],
        },
    }
).table()  # fmt: skip


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return libmodbus.build(tmp_path_factory.mktemp("libmodbus"))
    except libmodbus.Missing as what:
        missing(str(what))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in (
        (device_module, "PAUSE_FIRST_S", 0.1),
        (device_module, "PAUSE_MOST_S", 0.3),
        (refind_module, "LOOK_S", 0.05),
        (refind_module, "PAUSE_S", 0.01),
        (search_module, "AWAY_MS", 300),
        (search_module, "STRANGER_MS", 100),
        (search_module, "HINT_MS", 50),
        (search_module, "PAUSE_FIRST_MS", 200),
    ):
        monkeypatch.setattr(module, name, value)


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind((HOME, 0))
        return int(probe.getsockname()[1])


class Peer:
    """One device on the network, while it has power."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.written: list[int] = []

    async def hear(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.written.append(int(line))

    async def off(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


class Network:
    """Who is at which address."""

    def __init__(self, program: Path, port: int, group: asyncio.TaskGroup) -> None:
        self._program, self.port, self._group = program, port, group
        self.peers: list[Peer] = []

    async def on(self, host: str, serial: str) -> Peer:
        process = await asyncio.create_subprocess_exec(
            self._program, "tcp", host, str(self.port), serial, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        async with asyncio.timeout(LONG_S):
            assert int(await process.stdout.readline()) == self.port
        self.peers.append(Peer(process))
        self._group.create_task(self.peers[-1].hear())
        return self.peers[-1]


class Bench:
    """A site on that network, with all that runs of it for a search."""

    def __init__(self, devices: list[Device], wiring: Wiring, store: Store) -> None:
        self.clock, self.wiring, self.store = SystemClock(), wiring, store
        self.control: Any = SimpleNamespace(status=SimpleNamespace(fault="", stop=""))
        self.tasks = {device.name: self._task(device) for device in devices}
        made: Any = self.tasks, wiring, self.clock, lambda: 0.5, store, self.control
        self.refind = Refind(*made)
        self.asked: list[str] = []

    def _task(self, device: Device) -> DeviceTask:
        return DeviceTask(
            device, self.wiring.driver(device), self.clock, lambda: 0.5,
            on_points=lambda *_: None, on_sample=lambda _: None,
            standing=self.wiring.standings[device.name],
        )  # fmt: skip

    async def until(self, true: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(LONG_S):
                while not true():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            held = [str((task.health, task.hand and task.hand.hold)) for task in self.tasks.values()]
            pytest.fail(f"no {what}; " + "; ".join(held))

    def online_at(self, name: str, found_at: str) -> Callable[[], bool]:
        return lambda: self.tasks[name].health.online and self.tasks[name].health.found_at == found_at


@pytest.fixture
async def network(program: Path, port: int) -> AsyncIterator[Network]:
    async with asyncio.TaskGroup() as group:
        made = Network(program, port, group)
        try:
            yield made
        finally:
            for peer in made.peers:
                await peer.off()


@asynccontextmanager
async def running(
    devices: list[Device], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Bench]:
    store = Store(StoreSettings(folder / "store.db"), SystemClock(), threaded=False)
    await store.open()
    async with Wiring({"modbus": PLUGIN}, SystemClock()) as wiring:
        bench = Bench(devices, wiring, store)

        async def noted(host: str, port: int) -> bool:
            bench.asked.append(host)
            return await knock(host, port)

        knock = refind_module.knock
        monkeypatch.setattr(refind_module, "knock", noted)
        works = [task.run() for task in bench.tasks.values()]
        works += [part() for part in bench.refind.parts.values()]
        async with asyncio.TaskGroup() as group:
            parts = [group.create_task(work) for work in works]
            try:
                yield bench
            finally:
                for task in parts:
                    task.cancel()
                monkeypatch.setattr(refind_module, "knock", knock)
    await store.close()


def device(port: int, name: str = "inverter", host: str = HOME, **more: Any) -> Device:
    settings = {"serial": "A0001", "find": own("127.0.1.20-24"), "poll_ms": 50, "timeout_ms": 2000} | more
    return Device(name, "small", "modbus", "inverter", f"tcp://{host}:{port}", PROFILE, **settings)


async def test_found_elsewhere_home_again_and_after_a_restart(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = [device(network.port)]
    moved = f"tcp://{AWAY}:{network.port}"
    peer = await network.on(HOME, "A0001")
    async with running(site, tmp_path, monkeypatch) as bench:
        await bench.until(bench.online_at("inverter", ""), "inverter at home")
        await bench.until(lambda: peer.written[:2] == [MODE, POWER], "fallback first")
        assert bench.asked == []  # who is well is not looked for

        await peer.off()
        stranger = await network.on(HOME, "B0002")
        await bench.until(lambda: bench.tasks["inverter"].health.stranger, "stranger seen")
        peer = await network.on(AWAY, "A0001")
        await bench.until(bench.online_at("inverter", moved), "inverter found")
        await bench.until(lambda: peer.written[:2] == [MODE, POWER], "fallback at the new address")
        assert stranger.written == []
        assert bench.asked[-1] == AWAY and set(bench.asked) <= {*own("127.0.1.20-24")}

        await peer.off()
        await stranger.off()
        peer = await network.on(HOME, "A0001")
        await bench.until(bench.online_at("inverter", ""), "inverter at home again")

        await peer.off()
        peer = await network.on(AWAY, "A0001")
        await bench.until(bench.online_at("inverter", moved), "inverter found again")
    async with running(site, tmp_path, monkeypatch) as bench:  # the next process
        await bench.until(bench.online_at("inverter", moved), "inverter by its hint")
        assert bench.asked == [AWAY]


async def test_a_neighbour_that_is_well_is_not_disturbed_nor_anybody_while_a_stop_is_latched(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = device(network.port, "meter", NEIGHBOUR, serial="N0003", find=(), control=False)
    await network.on(NEIGHBOUR, "N0003")
    await network.on(HOME, "B0002")
    async with running([device(network.port), meter], tmp_path, monkeypatch) as bench:
        bench.control.status.stop = "emergency"
        await bench.until(bench.online_at("meter", ""), "meter")
        await bench.until(lambda: bench.tasks["inverter"].health.failures > 3, "stranger seen")
        assert bench.asked == [] and bench.tasks["inverter"].health.stranger
        bench.control.status.stop = ""
        await bench.until(lambda: bench.asked.count(AWAY) >= 2, "two rounds")
        assert NEIGHBOUR not in bench.asked
        assert all(peer.written == [] for peer in network.peers)
        assert not bench.tasks["inverter"].health.online and bench.tasks["meter"].health.misses == 0


async def test_two_that_changed_places_are_both_found(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is where the other was: an address of the site that nobody is well at may be asked."""
    both = own("127.0.1.20-23")
    site = [
        device(network.port, "one", NEIGHBOUR, find=both),
        device(network.port, "two", AWAY, serial="B0002", find=both),
    ]
    await network.on(NEIGHBOUR, "B0002")
    await network.on(AWAY, "A0001")
    async with running(site, tmp_path, monkeypatch) as bench:
        await bench.until(bench.online_at("one", f"tcp://{AWAY}:{network.port}"), "one at the other's")
        await bench.until(bench.online_at("two", f"tcp://{NEIGHBOUR}:{network.port}"), "two at the other's")


async def test_who_shares_a_link_moves_with_it_and_stays_while_one_is_well(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A meter behind the inverter's host, and one on the same link that is not the device of site.yaml."""
    site = [
        device(network.port),
        device(network.port, "meter", serial="", find=(), control=False),
        device(network.port, "other", serial="C0003"),
    ]
    await network.on(AWAY, "A0001")
    async with running(site, tmp_path, monkeypatch) as bench:
        moved = f"tcp://{AWAY}:{network.port}"
        await bench.until(bench.online_at("inverter", moved), "inverter found")
        await bench.until(bench.online_at("meter", moved), "meter with it")
        asked = len(bench.asked)
        await bench.until(lambda: bench.tasks["other"].health.failures > 3, "the other refused")
        assert bench.tasks["other"].health.stranger and len(bench.asked) == asked


async def test_a_host_that_takes_connections_and_says_nothing_is_left_in_time(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refind_module, "ASK_S", 0.3)

    async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1024):
            pass
        writer.close()

    silent = await asyncio.start_server(says_nothing, "127.0.1.20", network.port)
    await network.on(AWAY, "A0001")
    async with silent, running([device(network.port)], tmp_path, monkeypatch) as bench:
        await bench.until(bench.online_at("inverter", f"tcp://{AWAY}:{network.port}"), "inverter found")
        assert bench.asked[:2] == ["127.0.1.20", "127.0.1.21"]


async def test_setpoints_go_on_while_another_device_takes_the_address_and_none_reaches_it(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control asks for another power all the time: a write is due whenever the link connects again."""
    peer = await network.on(HOME, "A0001")
    async with running([device(network.port, find=())], tmp_path, monkeypatch) as bench:
        hand = bench.tasks["inverter"].hand
        assert hand is not None

        async def control() -> None:
            for power_w in itertools.cycle(range(100, 1000, 10)):
                hand.desire(power_w, bench.clock.mono_ms() + 1000)
                await asyncio.sleep(0.003)

        async with asyncio.TaskGroup() as group:
            asking = group.create_task(control())
            await bench.until(lambda: peer.written.count(POWER) > 5, "powers")
            for _ in range(3):
                await peer.off()
                stranger = await network.on(HOME, "B0002")
                await bench.until(lambda: bench.tasks["inverter"].health.stranger, "stranger seen")
                assert stranger.written == []
                await stranger.off()
                assert stranger.written == []
                peer = await network.on(HOME, "A0001")
                await bench.until(lambda peer=peer: peer.written.count(POWER) > 5, "powers again")
                assert peer.written[:2] == [MODE, POWER]  # the fallback first
            asking.cancel()
        assert bench.asked == []


async def test_a_stranger_keeps_its_one_connection_for_its_own_master(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await network.on(HOME, "B0002")
    async with running([device(network.port, find=())], tmp_path, monkeypatch) as bench:
        await bench.until(lambda: bench.tasks["inverter"].health.stranger, "stranger seen")
        own = PLUGIN.open_link(f"tcp://{HOME}:{network.port}", bench.clock)
        try:
            assert await own.read(1, "holding", 7, 1, timeout_s=LONG_S) == (21).to_bytes(2)
        finally:
            await own.close()
