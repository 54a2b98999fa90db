"""What goes wrong in a seeded run, done: wires, BMS, battery, inverter, calendar, disk, daemon.

Each `do_…` is an event of the script, and most have one that ends it. Each is counted by kind; those on the
wire are counted by the rig, one for each request that met them.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from rig.bank import Bank
from rig.faults import Fault
from rig.physics import Order as Told

from drivers.can import vbus
from gateway.model import ClockTrust
from tests.sim.court import Court
from tests.sim.life import Life, Seed

TEMPERATE_C = 20.0
# What a second master would write where a gateway can read it: while the battery is charged, and discharged.
FOREIGN: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "sunspec": (("704.WSet",),) * 2,
    "victron_gx": (("l1_w", "l1_wide_w"),) * 2,
    "victron_gx_3p": (("l1_w",),) * 2,
    "solaredge_storedge": (("charge_w",), ("discharge_w",)),
    "sma_sunny_island": (("power_w",),) * 2,
    "deye_3p_lv": (("permille",),) * 2,
    "goodwe_et": (("power_w",),) * 2,
    "sungrow_sh": (("power_w",),) * 2,
    "sofar_g3": (("least_w", "most_w"),) * 2,
    "kostal_plenticore": (("power_w",),) * 2,
    "solis_hybrid": (("charge_10w",), ("discharge_10w",)),
    "sigenergy": (("charge_w",), ("discharge_w",)),
    "alpha_ess_smile": (("power",),) * 2,
}


def overwrite(bank: Bank, kind: str, power_w: int) -> None:
    """Another power than this one, by somebody else. It is not journaled: it is not ours."""
    for name in FOREIGN[kind][power_w > 0]:
        bank.put(name, bank.value(name) + 137)


class Trouble:
    """Each event of one battery of several says which: `member`."""

    def __init__(self, rig: Seed, court: Court, life: Callable[[], Life | None]) -> None:
        self._rig, self._clock, self._court, self._life = rig, rig.clock, court, life
        self._obeys = [part.plant.control for part in rig.parts]
        self.kinds: Counter[str] = Counter()
        self.down_s: float | None = None  # how long the next start waits

    def _count(self, kind: str) -> None:
        self.kinds[kind] += 1

    async def do_link(self, name: str, ms: int, member: int = 0) -> None:
        self._rig.faults[member].add(Fault(name, ms=ms if name == "late" else 0))

    async def do_link_over(self, name: str, member: int = 0) -> None:
        self._rig.faults[member].clear(name)

    async def do_bms(self, name: str, ms: int, member: int = 0) -> None:
        del ms
        part = self._rig.parts[member]
        if part.bms is None:
            return
        self._count(f"bms_{name}")
        if name == "unplugged":
            vbus.bus(part.bus).unplug()
        else:
            part.bms.break_as(name)

    async def do_bms_over(self, name: str, member: int = 0) -> None:
        part = self._rig.parts[member]
        if part.bms is None:
            return
        if name == "unplugged":
            vbus.bus(part.bus).plug()
        else:
            part.bms._broken.discard(name)

    async def do_soc(self, bp: int, member: int = 0) -> None:
        self._count("soc_jump")
        self._rig.parts[member].plant.set_soc(bp / 10_000)

    async def do_heat(self, celsius: int, member: int) -> None:
        """What it is held at: a BMS allows less, or nothing, until it is over."""
        self._count("heat")
        self._rig.parts[member].plant.state.temperature_c = float(celsius)

    async def do_heat_over(self, member: int) -> None:
        self._rig.parts[member].plant.state.temperature_c = TEMPERATE_C

    async def do_frequency(self, mhz: int) -> None:
        for part in self._rig.parts:
            part.plant.set_frequency(mhz or None)

    async def do_load(self, w: int | None) -> None:
        self.kinds["load_step"] += w is not None
        for part in self._rig.parts:
            part.plant.set_load(w)

    async def do_load_over(self) -> None:
        await self.do_load(None)

    async def do_grid(self) -> None:
        self._count("grid_lost")
        for part in self._rig.parts:
            part.plant.set_grid(connected=False)
        self._court.island.lost(self._clock.mono_ms())

    async def do_grid_over(self) -> None:
        for part in self._rig.parts:
            part.plant.set_grid(connected=True)
        self._court.island.back(self._clock.mono_ms())

    async def do_step(self, ms: int) -> None:
        self._count("clock_step")
        self._clock.step(ms)

    async def do_distrust(self) -> None:
        self._count("clock_distrusted")
        self._clock.trust = ClockTrust.UNTRUSTED

    async def do_trust(self) -> None:
        self._clock.trust = ClockTrust.TRUSTED

    async def do_disk(self) -> None:
        self._count("disk_full")
        self._rig.disk_full = True
        self._court.cut()

    async def do_disk_over(self) -> None:
        self._rig.disk_full = False
        self._court.cut()

    async def do_deaf(self, name: str, ms: int, member: int = 0) -> None:
        """The inverter holds what it was told, and does something else."""
        del ms
        self._count("does_not_follow")
        obeys = self._obeys[member]
        self._court.cut()

        def other(now_ms: int) -> Told:
            told = obeys(now_ms)
            if name == "idle":
                return Told("idle")
            return (
                replace(told, power_w=-told.power_w)
                if name == "other way" and told.kind != "self"
                else Told()
            )

        self._rig.parts[member].plant.control = other

    async def do_deaf_over(self, name: str, member: int = 0) -> None:
        del name
        self._rig.parts[member].plant.control = self._obeys[member]

    async def do_foreign(self, member: int = 0) -> None:
        """Another master's power in the register."""
        part, kind = self._rig.parts[member], self._court.site.batteries[member].kind
        power_w = part.demand_w(self._clock.mono_ms())
        if kind not in FOREIGN or not power_w:
            return
        self._count("foreign_master")
        overwrite(part.bank, kind, power_w)
        self._court.foreign(member)

    async def do_foreign_over(self, member: int = 0) -> None:
        return

    async def do_term(self, down_s: float) -> None:
        self.down_s = down_s
        if (life := self._life()) is not None:
            life.daemon.stop()

    async def do_crash(self, down_s: float) -> None:
        self.down_s = down_s
        if (life := self._life()) is not None:
            life.die()

    async def do_crash_at_commit(self, down_s: float, commits: int, after: bool) -> None:
        self.down_s = down_s
        if (life := self._life()) is not None:
            life.commits_left, life.after = commits, after
