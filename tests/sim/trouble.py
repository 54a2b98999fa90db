"""What goes wrong in a seeded run, done: wires, BMS, battery, inverter, calendar, disk, daemon.

Each `do_…` is an event of the script, and most have one that ends it. Each is counted by kind; those on the
wire are counted by the rig, one for each request that met them.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from rig.faults import Fault
from rig.physics import Order as Told

from drivers.can import vbus
from gateway.model import ClockTrust
from tests.sim.judge import Judge
from tests.sim.life import Life, Seed
from tests.sim.script import YEAR_MS, Script

# The register a second master would write, where the rig lets one do it unseen.
FOREIGN = {"sunspec": "704.WSet", "victron_gx": "l1_wide_w"}


class Trouble:
    def __init__(self, rig: Seed, script: Script, judge: Judge, life: Callable[[], Life | None]) -> None:
        self._rig, self._clock, self._device, self._judge, self._life = (
            rig,
            rig.clock,
            script.device,
            judge,
            life,
        )
        self._obeys = rig.plant.control
        self.kinds: Counter[str] = Counter()
        self.down_s: float | None = None  # how long the next start waits
        self.aged = False  # the calendar has jumped by so much that readings were old by it, and were let go

    def _count(self, kind: str) -> None:
        self.kinds[kind] += 1

    async def do_link(self, name: str, ms: int) -> None:
        self._rig.faults.add(Fault(name, ms=ms if name == "late" else 0))

    async def do_link_over(self, name: str) -> None:
        self._rig.faults.clear(name)

    async def do_bms(self, name: str, ms: int) -> None:
        del ms
        self._count(f"bms_{name}")
        if name == "unplugged":
            vbus.bus(self._rig._bus).unplug()
        else:
            self._rig.bms.break_as(name)

    async def do_bms_over(self, name: str) -> None:
        if name == "unplugged":
            vbus.bus(self._rig._bus).plug()
        else:
            self._rig.bms._broken.discard(name)

    async def do_soc(self, bp: int) -> None:
        self._count("soc_jump")
        self._rig.plant.set_soc(bp / 10_000)

    async def do_frequency(self, mhz: int) -> None:
        self._rig.plant.set_frequency(mhz or None)

    async def do_step(self, ms: int) -> None:
        self._count("clock_step")
        self.aged = self.aged or abs(ms) >= YEAR_MS
        self._clock.step(ms)

    async def do_distrust(self) -> None:
        self._count("clock_distrusted")
        self._clock.trust = ClockTrust.UNTRUSTED

    async def do_trust(self) -> None:
        self._clock.trust = ClockTrust.TRUSTED

    async def do_disk(self) -> None:
        self._count("disk_full")
        self._rig.disk_full = True

    async def do_disk_over(self) -> None:
        self._rig.disk_full = False

    async def do_deaf(self, name: str, ms: int) -> None:
        """The inverter holds what it was told, and does something else."""
        del ms
        self._count("does_not_follow")
        obeys = self._obeys

        def other(now_ms: int) -> Told:
            told = obeys(now_ms)
            if name == "idle":
                return Told("idle")
            return (
                replace(told, power_w=-told.power_w)
                if name == "other way" and told.kind != "self"
                else Told()
            )

        self._rig.plant.control = other

    async def do_deaf_over(self, name: str) -> None:
        del name
        self._rig.plant.control = self._obeys

    async def do_foreign(self) -> None:
        """Another master's power in the register. It is not journaled: it is not ours."""
        held = FOREIGN.get(self._device)
        if held is None or not self._rig.demand_w():
            return
        self._count("foreign_master")
        self._rig.bank.put(held, self._rig.bank.value(held) + 137)
        self._judge.foreign()

    async def do_foreign_over(self) -> None:
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
