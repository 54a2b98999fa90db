"""`gridseal watch`: every point of a site or a device, as it changes, with its age and quality.

From the running daemon where there is one; else the devices are read here as it would, and only read.
"""

import argparse
import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateway import config, units
from gateway.cli import amount, live
from gateway.cli.read import named
from gateway.cli.screen import Screen
from gateway.clock import SystemClock
from gateway.device import DeviceTask
from gateway.driver import find_plugins
from gateway.model import Sample
from gateway.narrate import plain
from gateway.points import Points
from gateway.site import Device, Site
from gateway.state import SiteState
from gateway.tape import Refreshing
from gateway.uplink.local import NoDaemon, ask
from gateway.wiring import Wiring

HELP = """\
show every point with value, quality and age, as it changes

From the running daemon; without one the devices are read here, and only read. Space turns to what does
not fit on the screen, q or Ctrl-C ends it.

  gridseal watch site.yaml
  gridseal watch site.yaml inverter meter
  gridseal watch site.yaml bms --seconds 10

exit code 1 when a device said nothing"""

COLUMN = 54  # characters of a device's table, with its names as they are
COLORS = {"GOOD": "", "STALE": "yellow", "INVALID": "red", "ABSENT": "dim"}

Answers = Callable[[str], Awaitable[Mapping[str, Any]]]  # device -> {points, trouble}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("site", type=Path, help="the site.yaml")
    parser.add_argument("devices", nargs="*", metavar="DEVICE", help="only these")
    parser.add_argument("--seconds", type=amount.seconds, default=0, help="end by itself after so long")


def run(args: argparse.Namespace) -> int:
    site = config.load(args.site)
    chosen = [named(site, name, args.site) for name in args.devices] or list(site.devices)
    if not args.seconds:
        live.terminal()
    return asyncio.run(_watch(site, chosen, args.seconds))


async def _watch(site: Site, devices: Sequence[Device], seconds: float) -> int:
    async with source(site, devices) as (where, answers):

        async def said() -> Mapping[str, Mapping[str, Any]]:
            return {d.name: await answers(d.name) for d in devices}

        async def draw(screen: Screen) -> RenderableType:
            return render(site.id, where, await said(), screen.width)

        screen = Screen()
        if screen.is_terminal or not seconds:
            await live.show(draw, seconds)
        else:
            await asyncio.sleep(seconds)
        if not seconds:
            return 0
        found = await said()
        screen.print(render(site.id, where, found, screen.width))
        return 0 if all(f["points"] for f in found.values()) else 1


@asynccontextmanager
async def source(site: Site, devices: Sequence[Device]) -> AsyncIterator[tuple[str, Answers]]:
    """Where the points come from, in words, and who tells them."""

    async def asked(device: str) -> Mapping[str, Any]:
        return await ask(site.socket, {"do": "points", "device": device})

    try:
        await asked(devices[0].name)
    except NoDaemon:
        async with reading(site, devices) as answers:
            yield "read here", answers
        return
    yield "from the daemon", asked


@asynccontextmanager
async def reading(site: Site, devices: Sequence[Device]) -> AsyncIterator[Answers]:
    """Reads the devices as the daemon would, but every point each time; nothing is written."""
    clock = SystemClock(assume_synchronised=site.trust_host_clock)
    state = SiteState(site, clock)
    async with Wiring(find_plugins(), clock) as wiring, asyncio.TaskGroup() as group:
        made = {d.name: replace(d, control=False) for d in devices}
        drivers = {name: wiring.driver(device) for name, device in made.items()}

        def take(sample: Sample) -> None:
            state.put(sample)
            driver = drivers[sample.device]
            if isinstance(driver, Refreshing) and not driver.pushed:
                driver.refresh()

        tasks = {
            name: DeviceTask(
                device, drivers[name], clock, random.random, on_points=state.declare, on_sample=take
            )
            for name, device in made.items()
        }
        running = [group.create_task(task.run()) for task in tasks.values()]
        points = Points(state, tasks)
        try:
            yield lambda device: points.answer({"device": device})
        finally:
            for task in running:
                task.cancel()


def render(site: str, where: str, found: Mapping[str, Mapping[str, Any]], width: int) -> RenderableType:
    """The whole picture: a table a device, side by side where there is room, each below the shortest."""
    columns: list[list[Table]] = [[] for _ in range(max(1, width // COLUMN))]
    for name, said in found.items():
        min(columns, key=lambda tables: sum(t.row_count + 3 for t in tables)).append(_table(name, said))
    side = Table.grid(padding=(0, 3, 0, 0))
    side.add_row(*(Group(*tables) for tables in columns))
    return Group(Text(f"{site}, {where}", style="bold"), side)


def _table(name: str, said: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, title=Text(name, style="bold"), title_justify="left")
    table.add_column("point", no_wrap=True)  # the one that gives way
    table.add_column("value", justify="right", no_wrap=True, min_width=11)
    table.add_column("quality", no_wrap=True, min_width=7)
    table.add_column("age", justify="right", no_wrap=True, min_width=6)
    for point, (value, quality, age_ms) in said["points"].items():
        shown = "-" if quality == "ABSENT" else units.show(value, point.rsplit("_", 1)[1])
        age = f"{age_ms / 1000:.1f} s" if age_ms < 600_000 else f"{age_ms // 60_000} min"
        row = (Text(plain(point)), Text(shown), Text(quality), Text(age))
        table.add_row(*row, style=COLORS.get(quality, "red"))
    if not said["points"]:
        table.add_row(Text("nothing yet", style="dim"))
    if trouble := said.get("trouble"):
        table.caption, table.caption_justify = Text(plain(trouble), style="yellow"), "left"
    return table
