"""The real Daemon on the real rig in virtual time: every part of both, only wires and time are replaced.

Modbus goes through rig.inprocess (same bytes, faults and checks as on a socket), the BMS speaks on the CAN
driver's bus in the process. A day costs some seconds; the same seed gives the same trace.

    rigged = Rigged(clock, folder, seed=1)
    async with rigged.running() as daemon: ...
"""

import asyncio
import hashlib
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from random import Random
from typing import Any

from rig import sunspec_bank
from rig.bms import Bms
from rig.devices import make
from rig.inprocess import InProcessLink, hear, speak
from rig.relay_board import RelayBoard

from drivers.can.url import parse
from drivers.can.vbus import VbusLink
from gateway import config
from gateway.daemon import Daemon
from gateway.driver import CanFrame, Plugin, find_plugins
from gateway.evidence.signer import make_keystore
from gateway.site import Site
from gateway.uplink.local import ask
from tests.sim.loop import VirtualClock

DAY_MS = 86_400_000
MIDNIGHT_MS = 1_790_035_200_000
assert MIDNIGHT_MS % DAY_MS == 0
SITE = """\
site:
  id: meadow
  limits: {{charge: {limit}, discharge: {limit}, grid import: 17 kW, grid export: 10 kW, ramp: 1 kW/s}}
  control: {control}
devices:
{devices}
  bms: {{profile: pylontech_can, link: "vbus://{bus}"}}
store: {{path: store.db, commit: {commit}}}
attest: {{every: {every}, key: key.json, passphrase: passphrase}}
socket: control.sock
"""
SUNSPEC = """\
  inverter: {{profile: sunspec, link: "tcp://rig:502", poll: {poll}}}
  meter: {{profile: sunspec_meter, link: "tcp://rig:502", unit: 200, poll: {poll}}}"""
METER_URL, BOARD_URL = "tcp://meter:502", "tcp://board:502"
BOARD = f"""
  board: {{{{profile: waveshare_relay_8ch, link: "{BOARD_URL}"}}}}"""
SECRET, PASSPHRASE = b"\x5a" * 32, b"virtual"


class InProcess:
    """The Modbus plugin with its wire replaced: every URL leads to the rig's bank."""

    def __init__(self, plugin: Plugin, link: Callable[[str], InProcessLink]) -> None:
        self._plugin, self._link = plugin, link

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plugin, name)

    def open_link(self, url: str, clock: Any) -> InProcessLink:
        return self._link(url)


class Rigged:
    """A rig and what a daemon on it needs. `daemon()` makes one; several may follow one another."""

    def __init__(
        self,
        clock: VirtualClock,
        folder: Path,
        *,
        seed: int = 1,
        poll: str = "1 s",
        control: str = "1 s",
        commit: str = "1 s",
        every: str = "15 min",
        step_ms: int = 1000,
        before_midnight_s: int = 10,
        bms_s: int = 1,
        limit: str = "5 kW",
        device: str = "sunspec",
        devices: str = SUNSPEC,
        start_minute: int = 0,
    ) -> None:
        self.clock, self.folder = clock, folder
        clock.wall_offset_ms = MIDNIGHT_MS - before_midnight_s * 1000 - clock.mono_ms()
        self.bank = make(device, seed=seed, start_minute=start_minute, step_ms=step_ms)
        self.plant = self.bank.plant
        orders = self.plant.control
        # For sites whose inverter has no grid meter of its own: a SunSpec one beside it, that orders nothing.
        self.meter = sunspec_bank.build(self.plant)
        self.plant.control = orders
        self.board = RelayBoard(self.plant, (600, 400, 200, 0, 0, 0, 0, 0))
        self.bms = Bms(self.plant)
        self.links: list[InProcessLink] = []
        self._random, self._bms_s = Random(seed), bms_s
        self._bus = f"bms-{id(self)}"
        folder.mkdir(exist_ok=True)
        (folder / "passphrase").write_bytes(PASSPHRASE)
        (folder / "key.json").write_bytes(make_keystore(SECRET, PASSPHRASE, rounds=1))
        text = SITE.format(
            limit=limit,
            devices=devices.format(poll=poll),
            bus=self._bus,
            control=control,
            commit=commit,
            every=every,
        )
        (folder / "site.yaml").write_text(text)
        self.plugins: dict[str, Any] = find_plugins()
        self.plugins["modbus"] = InProcess(self.plugins["modbus"], self._open)
        self.plant.advance(clock.mono_ms())

    def add(self, text: str) -> None:
        """More of site.yaml."""
        path = self.folder / "site.yaml"
        path.write_text(path.read_text() + text)

    @property
    def site(self) -> Site:
        return config.load(self.folder / "site.yaml", self.plugins)

    def _open(self, url: str) -> InProcessLink:
        bank = {METER_URL: self.meter, BOARD_URL: self.board}.get(url, self.bank)
        link = InProcessLink(bank, self.clock, url=url, seed=self._random.randrange(2**32))
        self.links.append(link)
        return link

    def daemon(self, site: Site | None = None) -> Daemon:
        return Daemon(
            site or self.site,
            clock=self.clock,
            plugins=self.plugins,
            random=self._random.random,
            environ={},
            threaded=False,
        )

    @asynccontextmanager
    async def outside(self) -> AsyncIterator[None]:
        """The BMS speaks and hears, whoever listens."""
        bus = VbusLink(parse(f"vbus://{self._bus}"), self.clock)
        async with asyncio.TaskGroup() as group:
            voice = speak(self.bms, bus, self.clock) if self._bms_s == 1 else self._speak_slowly(bus)
            tasks = [group.create_task(work) for work in (voice, hear(self.bms, bus, self.clock))]
            yield
            for task in tasks:
                task.cancel()
        await bus.close()

    async def _speak_slowly(self, bus: VbusLink) -> None:
        self.bms.bind()
        while True:
            for identifier, data in self.bms.frames(self.clock.mono_ms()):
                await bus.send(CanFrame(identifier, data))
            await asyncio.sleep(self._bms_s)

    @asynccontextmanager
    async def running(self, daemon: Daemon | None = None) -> AsyncIterator[Daemon]:
        """A daemon that runs, and ends in order with the block."""
        made = daemon or self.daemon()
        async with self.outside(), asyncio.TaskGroup() as group:
            task = group.create_task(made.run())
            yield made
            made.stop()
            await task

    async def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """Over the daemon's real local socket."""
        return await ask(self.folder / "control.sock", {"do": do, **more})

    async def order(self, power_w: int, seconds: int) -> dict[str, Any]:
        return await self.ask(
            "submit",
            id=self._random.randbytes(32).hex(),
            kind="fixed-power",
            duration_ms=seconds * 1000,
            parameters={"power_w": power_w},
            who="a test",
        )

    async def until_wall(self, wall_ms: int) -> None:
        await asyncio.sleep(max(0, wall_ms - self.clock.now().wall_ms) / 1000)

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / "store.db")) as conn:
            return conn.execute(query, parameters).fetchall()

    def trace(self) -> str:
        """A digest of everything that happened: writes at the rig, samples, records, commands."""
        seen = hashlib.sha256()
        for entry in self.plant.witness.entries:
            seen.update(repr(entry).encode())
        for query in (
            "SELECT * FROM sample ORDER BY seq",
            "SELECT * FROM record ORDER BY sequence",
            "SELECT * FROM command ORDER BY rowid",
        ):
            for row in self.rows(query):
                seen.update(repr(row).encode())
        return seen.hexdigest()
