"""The seeded world: the real Daemon on the rig through a script of everything that goes wrong at a site.

One seed is one run: the script (`script.py`), the daemon's many lives, the judge (`judge.py`) and the trace,
whose digest is the same whenever and wherever the seed is run. Starts and deaths are here: `term` is SIGTERM,
a crash cuts wires and store between two awaits, and a daemon that ends by itself is started again as systemd
would. A power cut that loses what was synced is not: that is the store's own test.

    run_seed(7, 2.0)            # two hours: a Run, or Failed with all that is needed to look at it
"""

import asyncio
import contextlib
import hashlib
import io
import sqlite3
import tempfile
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from rig.faults import Fault, Faults
from rig.inprocess import InProcessLink
from rig.physics import Order as Told

from drivers.can import vbus
from gateway import services
from gateway.daemon import Daemon
from gateway.errors import GridsealError, ServiceRefused, StoreError
from gateway.model import ClockTrust, Command, ServiceKind, Source
from tests.sim import judge, loop
from tests.sim.loop import VirtualClock
from tests.sim.rigged import Rigged
from tests.sim.script import YEAR_MS, Script, draw
from tests.sim.sites import SITES
from tests.system.ledger import Book

RESTART_S = 2.0  # systemd's RestartSec
ANSWER_S = 10.0
RELEASE_TRIES, RELEASE_AGAIN_S = 8, 20.0
TAIL = 60  # lines of the trace shown for a failing seed
KILL_TURNS = 200  # turns of the loop in which a cancelled daemon must be gone
IN_ORDER = "ended in order"
FULL = "database or disk is full"
REPLAY = "make sim SEEDS=1 SEED={seed} HOURS={hours}"


@dataclass
class Run:
    """What one seed came to."""

    seed: int
    hours: float
    digest: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)  # of what is wrong
    wrong: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)  # the trace up to the first thing that was wrong
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL))


class Seed(Rigged):
    """A rig whose wires, disk and clock can be disturbed across the lives of its daemons."""

    def __init__(self, clock: VirtualClock, folder: Path, script: Script) -> None:
        self.faults = Faults()
        self.disk_full = False
        super().__init__(
            clock,
            folder,
            seed=script.seed,
            device=script.device,
            devices=SITES[script.device],
            limit=f"{script.limit_w} W",
            start_minute=script.seed * 61 % 1440,
            commit="5 s",
            every="10 min",
        )

    def _open(self, url: str) -> InProcessLink:
        link = super()._open(url)
        link.faults = self.faults
        return link

    def demand_w(self) -> int:
        """The power that the device is told to do now, by its own registers."""
        state = self.plant.advance(self.clock.mono_ms())
        del state
        return self.plant.demand_w(self.bank.logic.order(self.bank, self.clock.mono_ms())) or 0


class Life:
    """One daemon, until it ends."""

    def __init__(self, daemon: Daemon, cut: Callable[[], None]) -> None:
        self.daemon, self._cut = daemon, cut
        self.commits_left: int | None = None
        self.after = False
        self.killed = False
        self.over = asyncio.Event()
        self.end = ""  # how it ended by itself
        self._transact = daemon.store._transact

    def watch_store(self, full: Callable[[], bool]) -> None:
        """The disk under it: full for a while, or gone with the process at one chosen commit."""

        def transact(fn: Callable[[sqlite3.Connection], Any]) -> Any:
            if full():
                return self._transact(_fail)
            if self.commits_left is not None and not self.killed:
                self.commits_left -= 1
                if self.commits_left <= 0:
                    if self.after:
                        self._transact(fn)
                    self.die()
            return self._transact(fn)

        self.daemon.store._transact = transact

    def die(self) -> None:
        """From now on nothing of it reaches disk or wire."""
        self.daemon.store._failure = self.daemon.store._failure or "killed"
        self.killed = True
        self._cut()
        self.over.set()


def _fail(conn: sqlite3.Connection) -> None:
    del conn
    raise sqlite3.OperationalError(FULL)


class World:
    """Script, rig, judge and the daemon of the moment."""

    def __init__(self, clock: VirtualClock, folder: Path, script: Script, said: io.StringIO) -> None:
        self.clock, self.script, self._said = clock, script, said
        self.rig = Seed(clock, folder, script)
        self.judge = judge.Judge(script.limit_w, judge.TIMER_S[script.device])
        self.book, self.run = Book(), Run(script.seed, script.hours)
        self.life: Life | None = None
        self._down_s: float | None = None  # how long the next start waits
        self._wanted = True
        self._given: dict[int, tuple[Source, dict[str, Any]]] = {}
        self._trace = hashlib.sha256()
        self._writes = self._told = self._complaints = 0
        self._obeys = self.rig.plant.control
        self._aged = False  # the calendar has jumped by so much that readings were old by it, and were let go

    # -- the run --------------------------------------------------------------------------------------

    async def play(self) -> Run:
        async with self.rig.outside(), asyncio.TaskGroup() as group:
            self._group = group
            lives = group.create_task(self._lives())
            watch = group.create_task(self._watch())
            for event in self.script.events:
                await self._until(event.at_s)
                self._look()
                self._say(str(event))
                await getattr(self, f"_do_{event.what}")(**event.how)
            await self._until(self.script.hours * 3600)
            self._wanted = False
            if self.life is not None:
                self.life.daemon.stop()
            await lives
            watch.cancel()
        self._look()
        self._read_store()
        return self._finish()

    async def _until(self, at_s: float) -> None:
        await asyncio.sleep(max(0.0, at_s - self.clock.mono_ms() / 1000))

    async def _lives(self) -> None:
        """systemd: the daemon runs, and is started again whenever it has ended."""
        while self._wanted:
            await self._live()
            self._look()
            self.judge.ended()
            self.life = None
            down_s, self._down_s = self._down_s or RESTART_S, None
            if self._wanted:
                await asyncio.sleep(down_s)

    async def _live(self) -> None:
        states = self._read_store()
        self.judge.began(self.clock.mono_ms(), self.clock.now().wall_ms, states)
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
            now_ms = self.clock.mono_ms()
            demand_w = self.rig.demand_w()
            sick = bool(self.rig.faults._set)
            soc_bp = round(self.rig.plant.state.soc * 10_000)
            self.judge.saw(now_ms, demand_w, sick=sick, soc_bp=soc_bp)

    def _look(self) -> None:
        """New writes at the rig and new lines of the daemon, into judge and trace."""
        witness = self.rig.plant.witness
        new = witness.writes - self._writes
        for entry in islice(witness.entries, len(witness.entries) - new, None):
            self.judge.wrote(entry)
            at_s, place = entry.at_ms / 1000, f"{entry.unit}/{entry.address}"
            self._say(f"   wrote {place} {entry.values} = {entry.demand_w} W at {at_s:.3f}")
            if entry.outside:
                self._say(f"   OUTSIDE -{entry.charge_w} to {entry.discharge_w} W")
        self._writes = witness.writes
        text = self._said.getvalue()
        for line in text[self._told :].splitlines():
            self._say(f"   says {line}")
        self._told = len(text)

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
        return dict(self.rig.rows("SELECT id, state FROM command"))

    def _finish(self) -> Run:
        run, witness = self.run, self.rig.plant.witness
        self.judge.kept(dict(self.rig.rows("SELECT id, state FROM command")))
        self._check_chain()
        self._trace.update(self.rig.trace().encode())
        run.digest = self._trace.hexdigest()
        run.counts["writes"] = witness.writes
        run.counts["outside"] = witness.outside
        run.counts["refused_writes"] = witness.refused
        run.counts["timer_s"] = self.judge.behind_timer_s
        run.counts["executed"] = len(self.judge.executed)
        run.faults.update(self.rig.faults.hits)
        run.counts["device_s"] = round(run.hours * 3600) * len(self.rig.site.devices)
        if self._aged:
            del self.book.wrong["samples_lost"]
            self.book.notes = [note for note in self.book.notes if not note.startswith("samples_lost")]
        run.kinds = self.judge.kinds + self.book.wrong
        run.wrong = [*self.judge.wrong, *self.book.notes]
        if witness.outside:
            run.kinds["outside"] += witness.outside
            run.wrong.append(f"{witness.outside} writes outside what inverter and BMS allow")
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

    # -- what people, chains and schedules do ---------------------------------------------------------

    async def _do_order(self, number: int, source: str, kind: str, **how: Any) -> None:
        delay_s, seconds, shared = how.pop("delay_s"), how.pop("seconds"), how.pop("shared")
        wall_ms = self.clock.now().wall_ms
        name = hashlib.sha256(f"{self.script.seed} {number}".encode()).hexdigest()
        begin_ms = wall_ms + int(delay_s * 1000)
        self._given[number] = (
            Source[source],
            {
                "id": name,
                "kind": kind,
                "begin_ms": begin_ms,
                "end_ms": begin_ms + int(seconds * 1000),
                "parameters": dict(how),
                "shared": shared,
            },
        )
        await self._give(number)

    async def _do_again(self, number: int) -> None:
        if number in self._given:
            self.run.counts["repeated"] += 1
            await self._give(number)

    async def _give(self, number: int) -> None:
        source, given = self._given[number]
        kind = ServiceKind(given["kind"])
        parameters = services.complete(kind, given["parameters"])
        now_ms, wall_ms = self.clock.mono_ms(), self.clock.now().wall_ms
        command = Command(
            given["id"],
            source,
            kind,
            given["begin_ms"],
            given["end_ms"],
            parameters,
            f"{source.name.lower()} of the script",
            given["shared"],
        )
        answer = await self._submit(command, wall_ms)
        self.run.counts["orders"] += 1
        if answer is not None and "a minute from" in answer[1]:
            return  # not looked at
        admitted = None if answer is None else answer[0]
        self.run.counts[{True: "admitted", False: "refused", None: "unanswered"}[admitted]] += 1
        window = (given["begin_ms"], given["end_ms"])
        self.judge.asked(
            judge.order(command.id, kind, parameters, window, self.script.limit_w, command.shared),
            now_ms,
            wall_ms,
            admitted,
        )

    async def _submit(self, command: Command, wall_ms: int) -> tuple[bool, str] | None:
        """By the road of its source; None when nobody answered."""
        if self.life is None or not hasattr(self.life.daemon, "control"):
            return None
        try:
            async with asyncio.timeout(ANSWER_S):
                if command.source is Source.OPERATOR:
                    said = await self.rig.ask(
                        "submit",
                        id=command.id,
                        kind=command.kind.value,
                        delay_ms=command.not_before_ms - wall_ms,
                        duration_ms=command.not_after_ms - command.not_before_ms,
                        parameters=dict(command.parameters),
                        shared=command.shared,
                        who="script",
                    )
                    answer = (said["admitted"], said["reason"])
                else:
                    verdict = await self.life.daemon.control.submit(command)
                    answer = (verdict.admitted, verdict.reason)
        except (GridsealError, TimeoutError) as error:
            self._say(f"   no answer: {error}")
            return None
        self._say(f"   {command.id[:8]} {'admitted' if answer[0] else 'refused: ' + answer[1]}")
        return answer

    async def _do_stop(self, source: str, name: str) -> None:
        wall_ms, now_ms = self.clock.now().wall_ms, self.clock.mono_ms()
        stop = Command(
            hashlib.sha256(name.encode()).hexdigest(),
            Source[source],
            ServiceKind.STOP,
            wall_ms,
            wall_ms + 1000,
        )
        answer = await self._submit(stop, wall_ms)
        if answer is not None and answer[0]:
            self.run.counts["stop_orders"] += 1
            self.judge.stopped(now_ms)

    async def _do_release(self) -> None:
        self._group.create_task(self._release())

    async def _release(self) -> None:
        """A person who comes back until somebody answers."""
        for _ in range(RELEASE_TRIES):
            if self.life is not None and await self._released():
                return
            await asyncio.sleep(RELEASE_AGAIN_S)

    async def _released(self) -> bool:
        try:
            async with asyncio.timeout(ANSWER_S):
                said = await self.rig.ask("release")
        except ServiceRefused as error:
            self._say(f"   no release: {error}")
            return True
        except (GridsealError, TimeoutError):
            return False
        self._say(f"   released: {said['message']}")
        self._look()
        self.judge.released()
        return True

    # -- what goes wrong ------------------------------------------------------------------------------

    def _count(self, kind: str) -> None:
        self.run.faults[kind] += 1

    async def _do_link(self, name: str, ms: int) -> None:
        self.rig.faults.add(Fault(name, ms=ms if name == "late" else 0))

    async def _do_link_over(self, name: str) -> None:
        self.rig.faults.clear(name)

    async def _do_bms(self, name: str, ms: int) -> None:
        del ms
        self._count(f"bms_{name}")
        if name == "unplugged":
            vbus.bus(self.rig._bus).unplug()
        else:
            self.rig.bms.break_as(name)

    async def _do_bms_over(self, name: str) -> None:
        if name == "unplugged":
            vbus.bus(self.rig._bus).plug()
        else:
            self.rig.bms._broken.discard(name)

    async def _do_soc(self, bp: int) -> None:
        self._count("soc_jump")
        self.rig.plant.set_soc(bp / 10_000)

    async def _do_frequency(self, mhz: int) -> None:
        self.rig.plant.set_frequency(mhz or None)

    async def _do_step(self, ms: int) -> None:
        self._count("clock_step")
        self._aged = self._aged or abs(ms) >= YEAR_MS
        self.clock.step(ms)

    async def _do_distrust(self) -> None:
        self._count("clock_distrusted")
        self.clock.trust = ClockTrust.UNTRUSTED

    async def _do_trust(self) -> None:
        self.clock.trust = ClockTrust.TRUSTED

    async def _do_disk(self) -> None:
        self._count("disk_full")
        self.rig.disk_full = True

    async def _do_disk_over(self) -> None:
        self.rig.disk_full = False

    async def _do_deaf(self, name: str, ms: int) -> None:
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

        self.rig.plant.control = other

    async def _do_deaf_over(self, name: str) -> None:
        del name
        self.rig.plant.control = self._obeys

    async def _do_foreign(self) -> None:
        """Another master's power in the register. It is not journaled: it is not ours."""
        held = FOREIGN.get(self.script.device)
        if held is None or not self.rig.demand_w():
            return
        self._count("foreign_master")
        self.rig.bank.put(held, self.rig.bank.value(held) + 137)
        self.judge.foreign()

    async def _do_foreign_over(self) -> None:
        return

    async def _do_term(self, down_s: float) -> None:
        self._down_s = down_s
        if self.life is not None:
            self.life.daemon.stop()

    async def _do_crash(self, down_s: float) -> None:
        self._down_s = down_s
        if self.life is not None:
            self.life.die()

    async def _do_crash_at_commit(self, down_s: float, commits: int, after: bool) -> None:
        self._down_s = down_s
        if self.life is not None:
            self.life.commits_left, self.life.after = commits, after


# The register a second master would write, where the rig lets one do it unseen.
FOREIGN = {"sunspec": "704.WSet", "victron_gx": "l1_wide_w"}


class Failed(AssertionError):
    """A seed went wrong; the text is all that is needed to look at it."""


@contextlib.contextmanager
def _heard() -> Iterator[io.StringIO]:
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        yield said


def play(seed: int, hours: float) -> Run:
    """One seed to its end. What the judge found is in `wrong`, and so is what broke the daemon."""
    script = draw(seed, hours)
    world: list[World] = []

    async def main(clock: VirtualClock) -> Run:
        with tempfile.TemporaryDirectory(prefix="gridseal-sim-") as folder:
            world.append(World(clock, Path(folder), script, said))
            return await world[0].play()

    with _heard() as said:
        try:
            return loop.run(main)
        except Exception as error:  # noqa: BLE001 - it is told with the script that led to it
            run = world[0].run if world else Run(seed, hours)
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
    script = draw(run.seed, run.hours)
    return "\n".join(
        (
            f"seed {script.seed} on {script.device}, {script.hours} h: the script",
            *map(str, script.events),
            "the trace before",
            *(run.story or run.tail),
            "what is wrong",
            *run.wrong,
            f"again: {REPLAY.format(seed=script.seed, hours=script.hours)}",
        )
    )
