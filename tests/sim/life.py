"""One daemon of a seeded run from its start to its end, and the rig that outlives it.

A crash is made here: at a chosen commit, or at any moment, wires and store are gone between two awaits. So is
a full disk: the store's own transactions fail as SQLite makes them fail. It refuses to judge.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rig.faults import Faults
from rig.inprocess import InProcessLink

from gateway.daemon import Daemon
from tests.sim.loop import VirtualClock
from tests.sim.rigged import Rigged
from tests.sim.script import Script
from tests.sim.sites import SITES

FULL = "database or disk is full"


class Seed(Rigged):
    """A rig whose wires, disk and clock can be disturbed across the lives of its daemons."""

    def __init__(self, clock: VirtualClock, folder: Path, script: Script) -> None:
        site = SITES[script.device]
        self.disk_full = False
        # By part; of several, the last are the meter's. One battery shares its wire with it.
        self.faults = [Faults() for _ in range(len(site.batteries) + (len(site.batteries) > 1))]
        super().__init__(
            clock,
            folder,
            seed=script.seed,
            devices=site.devices,
            batteries=site.batteries,
            limit=f"{script.limit_w} W",
            grid_w=(site.import_w, site.export_w),
            start_minute=script.seed * 61 % 1440,
            commit="5 s",
            every=f"{script.every_s} s",
        )

    def _open(self, url: str) -> InProcessLink:
        link = super()._open(url)
        urls = [part.url for part in self.parts]
        link.faults = self.faults[urls.index(url) if url in urls else -1]
        return link


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
