"""The seeded world: the real Daemon on the rig through a script of everything that goes wrong at a site.

One seed is one run: the script (`script.py`), who orders (`people.py`), what goes wrong (`trouble.py`), the
daemon's many lives (`life.py`), the judge (`judge.py`) and the trace, whose digest is the same whenever and
wherever the seed is run. Most seeds have a chain besides (`chain_script.py`, `chain_side.py`). A daemon that
ends by itself is started again as systemd would. A power cut that
loses what was synced is not made: that is the store's own test.

    run_seed(7, 2.0)            # two hours: a Run, or Failed with all that is needed to look at it
"""

import asyncio
import contextlib
import hashlib
import io
import tempfile
import traceback
from collections import Counter, deque
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from rig.witness import Entry

from gateway.errors import StoreError
from tests.sim import loop
from tests.sim.chain_script import draw
from tests.sim.chain_side import ChainSide
from tests.sim.court import Court
from tests.sim.judge import STATES
from tests.sim.life import Life, Seed
from tests.sim.loop import VirtualClock
from tests.sim.people import People
from tests.sim.script import Script
from tests.sim.sites import NAMES, SITES
from tests.sim.trouble import Trouble
from tests.system.ledger import Book

RESTART_S = 2.0  # systemd's RestartSec
HEAL_S = 480.0  # at the end of a run with a chain: site and chain are well, and what was signed lands
TAIL = 60  # lines of the trace shown for a failing seed
KILL_TURNS = 200  # turns of the loop in which a cancelled daemon must be gone
IN_ORDER = "ended in order"
REPLAY = "make sim SEEDS=1 SEED={seed} HOURS={hours} SITE={site}"


@dataclass
class Run:
    """What one seed came to."""

    seed: int
    hours: float
    site: str  # a name of tests/sim/sites.py
    digest: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    depths: Counter[str] = field(default_factory=Counter)  # of reorgs
    kinds: Counter[str] = field(default_factory=Counter)  # of what is wrong
    wrong: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)  # the trace up to the first thing that was wrong
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL))


class World:
    """Script, rig, judge and the daemon of the moment."""

    def __init__(self, clock: VirtualClock, folder: Path, script: Script, said: io.StringIO) -> None:
        self.clock, self.script, self._said = clock, script, said
        self.rig = Seed(clock, folder, script)
        self.judge = Court(SITES[script.device], self.rig.parts)
        self.book, self.run = Book(), Run(script.seed, script.hours, script.device)
        self.life: Life | None = None
        self._wanted = True
        self._trace = hashlib.sha256()
        self._writes = [0] * len(self.rig.parts)
        self._told = self._complaints = 0
        self.chain = ChainSide(self.rig, script, self.judge, self._say) if script.finality else None
        self.trouble = Trouble(self.rig, self.judge, lambda: self.life)

    # -- the run --------------------------------------------------------------------------------------

    async def play(self) -> Run:
        if self.chain is None:
            return await self._play()
        await self.chain.prepare()
        with self.chain.joined():
            return await self._play()

    async def _play(self) -> Run:
        async with self.rig.outside(), asyncio.TaskGroup() as group:
            self._people = self._meet(group)
            lives = group.create_task(self._lives())
            watches = [group.create_task(watch) for watch in self._watches()]
            for event in self.script.events:
                await self._until(event.at_s)
                self._look()
                self._say(str(event))
                await getattr(self._who(event.what), f"do_{event.what}")(**event.how)
                if self.chain is not None:
                    self.chain.calendar()
            await self._until(self.script.hours * 3600)
            if self.chain is not None:
                self.chain.heal()
                await asyncio.sleep(HEAL_S)
            self._wanted = False
            if self.life is not None:
                self.life.daemon.stop()
            await lives
            for watch in watches:
                watch.cancel()
        self._look()
        self._read_store()
        if self.chain is not None:
            self.chain.judged()
        return self._finish()

    def _watches(self) -> list[Coroutine[Any, Any, None]]:
        of_chain = [self.chain.mine(), self.chain.watch()] if self.chain else []
        return [self._watch(), *of_chain]

    def _who(self, what: str) -> object:
        them = (self._people, self.trouble, self.chain)
        return next(who for who in them if hasattr(who, f"do_{what}"))

    def _meet(self, group: asyncio.TaskGroup) -> People:
        return People(
            self.rig, self.script, self.judge, lambda: self.life, group, look=self._look, say=self._say
        )

    async def _until(self, at_s: float) -> None:
        await asyncio.sleep(max(0.0, at_s - self.clock.mono_ms() / 1000))

    async def _lives(self) -> None:
        """systemd: the daemon runs, and is started again whenever it has ended."""
        while self._wanted:
            await self._live()
            self._look()
            self.judge.ended(stored=self.life is None or self.life.end in ("", IN_ORDER))
            self.life = None
            down_s, self.trouble.down_s = self.trouble.down_s or RESTART_S, None
            if self._wanted:
                await asyncio.sleep(down_s)

    async def _live(self) -> None:
        states = self._read_store()
        self.judge.began(self.clock.mono_ms(), self.clock.now().wall_ms, states)
        if self.chain is not None:
            self.chain.began(states)
        self.run.counts["starts"] += 1
        before = len(self.rig.links)
        life = self.life = Life(self.rig.daemon(), lambda: self._cut(before))
        life.watch_store(lambda: self.rig.disk_full)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self._attended(life))
            task.add_done_callback(lambda _: life.over.set())
            await life.over.wait()
            if life.killed:
                await self._bury(task)
        self._say(life.end or "killed")
        self.run.counts[{"": "crashes", IN_ORDER: "stops"}.get(life.end, "store_ends")] += 1

    async def _attended(self, life: Life) -> None:
        """A life to its end. What a killed daemon would still have said is not heard."""
        try:
            await life.daemon.run()
        except StoreError as error:
            life.end = "" if life.killed else f"ended: {error}"
        except Exception:
            if not life.killed:
                raise
        else:
            life.end = "" if life.killed else IN_ORDER

    def _cut(self, before: int) -> None:
        for link in self.rig.links[before:]:
            link.closed = True

    async def _bury(self, task: asyncio.Task[None]) -> None:
        """As the kernel does it: no handler of the process gets anywhere."""
        for _ in range(KILL_TURNS):
            if task.done():
                return
            task.cancel()
            await asyncio.sleep(0)
        raise AssertionError("a killed daemon went on")

    # -- what is looked at ----------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._look()
            self.rig.plant.advance(self.clock.mono_ms())
            self.judge.saw(self.clock.mono_ms(), self.rig.faults)

    def _look(self) -> None:
        """New writes at the rig and new lines of the daemon, into judge and trace."""
        new = [(member, entry) for member in range(len(self._writes)) for entry in self._new(member)]
        for member, entry in sorted(new, key=lambda found: found[1].at_ms):
            self.judge.wrote(member, entry)
            at_s, place = entry.at_ms / 1000, f"{NAMES[member]} {entry.unit}/{entry.address}"
            var = f", {entry.var} var" if entry.var else ""
            self._say(f"   wrote {place} {entry.values} = {entry.demand_w} W{var} at {at_s:.3f}")
            if entry.outside:
                self._say(f"   OUTSIDE -{entry.charge_w} to {entry.discharge_w} W")
        text = self._said.getvalue()
        for line in text[self._told :].splitlines():
            self._say(f"   says {line}")
        self._told = len(text)

    def _new(self, member: int) -> list[Entry]:
        """What was written to this inverter since it was last looked at."""
        witness = self.rig.parts[member].plant.witness
        new = witness.writes - self._writes[member]
        self._writes[member] = witness.writes
        return list(islice(witness.entries, len(witness.entries) - new, None))

    def _say(self, line: str) -> None:
        line = line.replace(str(self.rig.folder), "").replace(self.rig._bus, "bms")
        told = f"{self.clock.mono_ms() / 1000:10.3f} {line}"
        self._trace.update(told.encode() + b"\n")
        self.run.tail.append(told)
        if len(self.judge.wrong) > self._complaints:
            for text in self.judge.wrong[self._complaints :]:
                self.run.tail.append(f"   WRONG {text}")
            self._complaints = len(self.judge.wrong)
            self.run.story = self.run.story or list(self.run.tail)

    def _read_store(self) -> dict[str, str]:
        """The database as the last life left it; nobody has it open."""
        scratch = self.rig.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        self.book.read(self.rig.folder / "store.db", scratch)
        if not (self.rig.folder / "store.db").exists():
            return {}
        return dict(self.rig.rows(STATES, self.clock.mono_ms()))

    def _finish(self) -> Run:
        run, witnesses = self.run, [part.plant.witness for part in self.rig.parts]
        self.judge.kept(dict(self.rig.rows("SELECT id, state FROM command")))
        self._check_chain()
        self._trace.update(self.rig.trace().encode())
        if self.chain is not None:
            self._trace.update(self.chain.digest())
        run.digest = self._trace.hexdigest()
        for name, count in (("writes", "writes"), ("outside", "outside"), ("refused_writes", "refused")):
            run.counts[name] = sum(getattr(witness, count) for witness in witnesses)
        run.counts["timer_s"] = self.judge.behind_s(timed=True)
        run.counts["latched_s"] = self.judge.behind_s(timed=False)
        run.counts["executed"] = len(self.judge.executed)
        run.counts.update(self._people.counts)
        run.counts["batteries"] = len(witnesses)
        run.counts["outages"] = self.judge.island.outages
        run.counts["at_grid_limit"] = self.judge.meter.bound
        run.counts["var_orders"] = sum(len(judge.executed) for judge in self.judge.vars)
        run.faults = sum((faults.hits for faults in self.rig.faults), self.trouble.kinds)
        if self.chain is not None:
            self.chain.tell(run.counts, run.faults, run.depths)
        run.counts["device_s"] = round(run.hours * 3600) * len(self.rig.site.devices)
        run.kinds = self.judge.kinds + self.book.wrong
        run.wrong = [*self.judge.wrong, *self.book.notes]
        return run

    def _check_chain(self) -> None:
        before, number = bytes(32), 0
        for sequence, previous, digest in self.rig.rows(
            "SELECT sequence, previous, digest FROM record ORDER BY sequence"
        ):
            if sequence != number + 1 or previous != before:
                self.judge.wrong.append(f"chain: record {sequence} does not follow {number}")
            number, before = sequence, digest
        self.run.counts["records"] = number


class Failed(AssertionError):
    """A seed went wrong; the text is all that is needed to look at it."""


@contextlib.contextmanager
def _heard() -> Iterator[io.StringIO]:
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        yield said


def play(seed: int, hours: float, site: str = "") -> Run:
    """One seed to its end, at `site` or at its own. What the judge found is in `wrong`, and so is what broke
    the daemon."""
    script = draw(seed, hours, site)
    world: list[World] = []

    async def main(clock: VirtualClock) -> Run:
        with tempfile.TemporaryDirectory(prefix="gridseal-sim-") as folder:
            world.append(World(clock, Path(folder), script, said))
            return await world[0].play()

    with _heard() as said:
        try:
            return loop.run(main)
        except Exception as error:  # noqa: BLE001 - it is told with the script that led to it
            run = world[0].run if world else Run(seed, hours, script.device)
            run.wrong += [*(world[0].judge.wrong if world else ()), *traceback.format_exception(error)]
            run.kinds["broken"] += 1
            return run


def run_seed(seed: int, hours: float) -> Run:
    """The same; Failed, with all that is needed to look at it, if anything is wrong."""
    run = play(seed, hours)
    if run.wrong:
        raise Failed(told(run))
    return run


def told(run: Run) -> str:
    """A failing seed: its script, the trace up to where it went wrong, what is wrong, how to see it again."""
    script = draw(run.seed, run.hours, run.site)
    return "\n".join(
        (
            f"seed {script.seed} on {script.device}, {script.hours} h: the script",
            *map(str, script.events),
            "the trace before",
            *(run.story or run.tail),
            "what is wrong",
            *run.wrong,
            f"again: {REPLAY.format(seed=script.seed, hours=script.hours, site=script.device)}",
        )
    )
