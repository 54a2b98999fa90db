"""Cuts the power at every call of the store, and reopens what is left. Same seed, same disks, same verdicts.

A history is a chain of lives on one disk. Each life runs under the recorder; then the disk is rebuilt as it
could be after a cut at each recorded call and opened by the real code. The next life begins on one of these
disks, so that recovery is cut as well, or (killed, or after its disk failed) on the files as they are.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from errno import EIO, ENOSPC, EROFS
from pathlib import Path
from random import Random
from typing import Any

from tests.powercut import promises, trace, workload
from tests.powercut.disk import WAYS, Disk, Image
from tests.powercut.promises import Promises
from tests.powercut.trace import Call, Kind

ROOT = Path(__file__).parents[2]
WALL_MS = 1_790_000_000_000
LIFE_MS = 3_600_000  # from one start to the next, on the calendar
LIVES = 6
STATES_A_CALL = 2  # beside nothing and everything
FAULTS: tuple[tuple[tuple[str, ...], int], ...] = (
    (("sync",), EIO),
    (("sync folder",), EIO),
    (("write",), EIO),
    (("write",), ENOSPC),
    (("create", "write", "truncate", "rename", "unlink", "link"), EROFS),
)


@dataclass(slots=True)
class Tally:
    """What was tried. `first` tells of the first violation and how to see it again."""

    states: int = 0
    violations: int = 0
    lives: int = 0
    calls: int = 0
    faults: int = 0  # calls that the disk refused
    ways: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    first: str = ""


def build(folder: Path) -> Path:
    """The recorder, compiled. CalledProcessError shows what gcc says."""
    library = folder / "recorder.so"
    source = Path(__file__).with_name("recorder.c")
    subprocess.run(
        ["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library, source, "-ldl"],
        check=True,
    )
    return library


class Zygote:
    """The process that forks lives."""

    def __init__(self, library: Path) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.powercut.zygote"],
            cwd=ROOT,
            env={**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def life(self, **order: Any) -> int:
        """Run one; its exit status."""
        assert self._child.stdin and self._child.stdout
        self._child.stdin.write(json.dumps(order) + "\n")
        self._child.stdin.flush()
        return int(self._child.stdout.readline())

    def close(self) -> None:
        self._child.communicate(timeout=10)


@contextmanager
def zygote(library: Path) -> Iterator[Zygote]:
    child = Zygote(library)
    try:
        yield child
    finally:
        child.close()


class StandingClock:
    """For reopening: the date of the cut."""

    def __init__(self, wall_ms: int) -> None:
        self._wall_ms = wall_ms

    def mono_ms(self) -> int:
        return 0

    def now(self) -> Any:
        from gateway.model import ClockTrust, Stamp

        return Stamp(0, self._wall_ms, ClockTrust.TRUSTED)


class History:
    """One chain of lives, in a folder of its own. `number` and the seed make it what it is."""

    def __init__(
        self, child: Zygote, folder: Path, seed: int, number: int, tally: Tally, mutant: str
    ) -> None:
        self._child, self._folder, self._tally, self._mutant = child, folder, tally, mutant
        self._seed, self._number = seed, number
        self._random = Random(f"{seed}/{number}")
        self._loop = asyncio.new_event_loop()
        self._seen: set[int] = set()
        self.promised = Promises()
        self.disk = Disk()
        self.keep: Path | None = None

    def run(self, most: int) -> None:
        """Live and cut until LIVES are over or `most` states were tried."""
        end = self._tally.states + most
        self._live_in = self._place({})
        try:
            for life in range(LIVES):
                if self._tally.states >= end or self._life(life, end):
                    break
        finally:
            self._loop.close()

    def _life(self, life: int, end: int) -> bool:
        """One life and its cuts; True when a violation ended the history."""
        self._number_of_life = life
        calls = self._lived(life)
        at = self._random.randrange(len(calls) // 4, len(calls)) if self._random.random() < 0.7 else -1
        following: tuple[Disk, Promises] | None = None
        for index, call in enumerate(calls):
            if call.kind is Kind.NOTE:
                self.promised.hear(call.note)
                if self.promised.wrong:
                    self._violated(self.promised.wrong, index, call, "told", {})
                    return True
            else:
                self.disk.apply(call, self._random)
            if index == at:
                following = (self.disk.copy(), self.promised.copy())
            if self._tally.states < end and self._cut(index, call):
                return True
        if following is not None:
            self.disk, self.promised = following
            self._power_gone()
        return False

    def _lived(self, life: int) -> list[Call]:
        path = self._folder / "trace"
        kinds, error = ((), 0)
        if self._random.random() < 0.25:
            kinds, error = self._random.choice(FAULTS)
        world = self.promised.world(WALL_MS + life * LIFE_MS, life * 1000)
        status = self._child.life(
            folder=str(self._live_in),
            trace=str(path),
            world={name: getattr(world, name) for name in world.__slots__},
            seed=self._random.randrange(2**32),
            seconds=self._random.choice((6, 12, 30)),
            mutant=self._mutant,
            fault=[list(kinds), self._random.randrange(1, 60), error, self._random.randrange(2)],
        )
        if status:
            raise RuntimeError(f"life {life} of history {self._number} ended with {status}")
        self._tally.lives += 1
        calls = trace.read(path)
        self._tally.calls += len(calls)
        self._tally.faults += sum(call.kind is Kind.FAILED for call in calls)
        return calls

    def _power_gone(self) -> None:
        """The next life begins on one disk of those that the cut can have left; now and then a bad one."""
        image = self.disk.image(self._random.choice(WAYS), self._random)
        there = self.promised.opened and len(image.get(workload.NAME, b"")) > 4096
        if there and self._random.random() < 0.3:
            image.pop(f"{workload.NAME}-wal", None)  # it would mend the pages
            image[workload.NAME] = self._random.randbytes(2048) + image[workload.NAME][2048:]
            self.promised.spoiled = True
        self._live_in = self._place(image)
        inodes = {name: (self._live_in / name).stat().st_ino for name in image}
        self.disk = Disk.of(image, inodes)

    def _place(self, image: Image, name: str = "live") -> Path:
        folder = self._folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for file, content in image.items():
            (folder / file).write_bytes(content)
        return folder

    # -- cuts -------------------------------------------------------------------------------------

    def _cut(self, index: int, call: Call) -> bool:
        """The states of a cut after this call; True at a violation."""
        for way in ("nothing", "everything", *self._random.choices(WAYS[2:], k=STATES_A_CALL)):
            if self._try(index, call, way):
                return True
        return False

    def _try(self, index: int, call: Call, way: str) -> bool:
        image = self.disk.image(way, self._random)
        mark = hash((tuple(image.items()), index if call.kind is Kind.NOTE else self._last_note))
        if call.kind is Kind.NOTE:
            self._last_note = index
        if mark in self._seen:
            return False
        self._seen.add(mark)
        self._tally.states += 1
        self._tally.ways[way] += 1
        folder = self._place(image, "cut")
        clock = StandingClock(WALL_MS + (self._number_of_life + 1) * LIFE_MS)
        found = self._loop.run_until_complete(promises.broken(folder, self.promised, clock))
        if found:
            self._violated(found, index, call, way, image)
        return bool(found)

    _last_note = -1

    def _violated(self, found: str, index: int, call: Call, way: str, image: Image) -> None:
        tally = self._tally
        tally.violations += 1
        tally.kinds[" ".join(w for w in found.split() if not any(c.isdigit() for c in w))] += 1
        again = f"make powercut SEED={self._seed} HISTORY={self._number}"
        if self._mutant:
            again += f" MUTANT={self._mutant}"
        tally.first = tally.first or (
            f"history {self._number}, life {self._number_of_life}, call {index} ({call.kind.name.lower()}),"
            f" {way}: {found}\nto see it again, with the disk left in a folder: {again}"
        )
        if self.keep is not None:
            self._place(image, str(self.keep))
