"""The real Daemon on the real rig in virtual time: every part of both, only wires and time are replaced.

Modbus goes through rig.inprocess (same bytes, faults and checks as on a socket), the BMS speaks on the CAN
driver's bus in the process. A day costs some seconds; the same seed gives the same trace.

    rigged = Rigged(clock, folder, seed=1)
    async with rigged.running() as daemon: ...
"""

import asyncio
import hashlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from rig import fleet, sunspec_bank
from rig.bank import Bank
from rig.bms import Bms
from rig.devices import make
from rig.inprocess import InProcessLink, hear, speak
from rig.physics import Order, SiteSpec
from rig.plant import Plant
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
  limits:
    {{charge: {limit}, discharge: {limit}, grid import: {imports} W, grid export: {exports} W, ramp: 1 kW/s}}
  control: {control}
devices:
{devices}
store: {{path: store.db, commit: {commit}}}
attest: {{every: {every}, key: key.json, passphrase: passphrase}}
socket: control.sock
"""
SUNSPEC = """\
  inverter: {{profile: sunspec, link: "tcp://rig:502", poll: {poll}}}
  meter: {{profile: sunspec_meter, link: "tcp://rig:502", unit: 200, poll: {poll}}}"""
BMS = '\n  bms: {{profile: pylontech_can, link: "vbus://{bus}"}}'
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


@dataclass(frozen=True, slots=True)
class Battery:
    """One inverter of a site and its battery. `bms`: whether a BMS of its own speaks on a bus."""

    kind: str
    host: str = "rig"
    bms: bool = True
    spec: SiteSpec | None = None

    @property
    def var_max(self) -> int:
        return (self.spec or SiteSpec()).var_max


@dataclass(frozen=True, slots=True)
class Part:
    """The same, made."""

    url: str
    bank: Bank
    bms: Bms | None
    bus: str

    @property
    def plant(self) -> Plant:
        return self.bank.plant

    @property
    def var_addresses(self) -> frozenset[int]:
        """The registers of its reactive power, if it has any."""
        rows = self.bank._named.items()
        return frozenset(row.address for name, (_, row) in rows if name.startswith("704.VarSet"))

    def told(self, now_ms: int) -> Order:
        """What its inverter is told to do now, by its own registers."""
        self.plant.advance(now_ms)
        return self.bank.logic.order(self.bank, now_ms)

    def demand_w(self, now_ms: int) -> int:
        """The power of that; 0 while it is left to itself."""
        return self.plant.demand_w(self.told(now_ms)) or 0


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
        batteries: Sequence[Battery] = (),
        grid_w: tuple[int, int] = (17_000, 10_000),
    ) -> None:
        """`batteries` where `devices` names them and every BMS; else one `device` with a BMS beside it."""
        self.clock, self.folder = clock, folder
        clock.wall_offset_ms = MIDNIGHT_MS - before_midnight_s * 1000 - clock.mono_ms()
        self._bus = f"bms-{id(self)}"
        made = batteries or (Battery(device),)
        self.parts = [
            self._part(battery, number, seed=seed + number, start_minute=start_minute, step_ms=step_ms)
            for number, battery in enumerate(made)
        ]
        self.bank, self.plant = self.parts[0].bank, self.parts[0].plant
        if len(self.parts) > 1:
            fleet.join([part.plant for part in self.parts])
        orders = self.plant.control
        # For sites whose inverter has no grid meter of its own: a SunSpec one beside it, that orders nothing.
        self.meter = sunspec_bank.build(self.plant)
        self.plant.control = orders
        self.board = RelayBoard(self.plant, (600, 400, 200, 0, 0, 0, 0, 0))
        self.bms = self.parts[0].bms or Bms(self.plant)
        self.links: list[InProcessLink] = []
        self._random, self._bms_s = Random(seed), bms_s
        folder.mkdir(exist_ok=True)
        (folder / "passphrase").write_bytes(PASSPHRASE)
        (folder / "key.json").write_bytes(make_keystore(SECRET, PASSPHRASE, rounds=1))
        text = SITE.format(
            limit=limit,
            devices=(devices if batteries else devices + BMS).format(poll=poll, bus=self._bus),
            imports=grid_w[0],
            exports=grid_w[1],
            control=control,
            commit=commit,
            every=every,
        )
        (folder / "site.yaml").write_text(text)
        self.plugins: dict[str, Any] = find_plugins()
        self.plugins["modbus"] = InProcess(self.plugins["modbus"], self._open)
        self.plant.advance(clock.mono_ms())

    def _part(self, battery: Battery, number: int, **how: int) -> Part:
        """The first has what is beside the inverter, too: loads, and the sun on an inverter of its own."""
        bank = make(battery.kind, spec=battery.spec, **how)
        bus = f"{self._bus}{number + 1 if number else ''}"
        return Part(f"tcp://{battery.host}:502", bank, Bms(bank.plant) if battery.bms else None, bus)

    def add(self, text: str) -> None:
        """More of site.yaml."""
        path = self.folder / "site.yaml"
        path.write_text(path.read_text() + text)

    @property
    def site(self) -> Site:
        return config.load(self.folder / "site.yaml", self.plugins)

    def _open(self, url: str) -> InProcessLink:
        banks = {part.url: part.bank for part in self.parts}
        bank = {METER_URL: self.meter, BOARD_URL: self.board, **banks}[url]
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
        """Each BMS speaks and hears, whoever listens."""
        voices = [(p.bms, VbusLink(parse(f"vbus://{p.bus}"), self.clock)) for p in self.parts if p.bms]
        async with asyncio.TaskGroup() as group:
            tasks = []
            for bms, bus in voices:
                voice = speak(bms, bus, self.clock) if self._bms_s == 1 else self._speak_slowly(bms, bus)
                tasks += [group.create_task(work) for work in (voice, hear(bms, bus, self.clock))]
            yield
            for task in tasks:
                task.cancel()
        for _, bus in voices:
            await bus.close()

    async def _speak_slowly(self, bms: Bms, bus: VbusLink) -> None:
        bms.bind()
        while True:
            for identifier, data in bms.frames(self.clock.mono_ms()):
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
        for part in self.parts:
            for entry in part.plant.witness.entries:
                seen.update(repr(entry).encode())
        for query in (
            "SELECT * FROM sample ORDER BY seq",
            "SELECT * FROM record ORDER BY sequence",
            "SELECT * FROM command ORDER BY rowid",
        ):
            for row in self.rows(query):
                seen.update(repr(row).encode())
        return seen.hexdigest()
