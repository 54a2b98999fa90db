"""`gridseal replay`: a capture played to the real driver, without the device."""

import argparse
import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from gateway import capturefile, profilefile, units
from gateway.capturefile import Capture
from gateway.cli.screen import Screen
from gateway.driver import find_plugins
from gateway.model import Point, Quality, Sample
from gateway.narrate import plain
from gateway.replay import Difference, Replayed, replay

HELP = """\
play a capture to the real driver, offline: readings with their quality, and whether they are as recorded

FILE was made by `gridseal capture`. No device and no network is reached. With --profile the same
traffic is read by another profile: a file beside FILE, or an installed one.

  gridseal replay inverter.jsonl
  gridseal replay inverter.jsonl --profile my_inverter
  gridseal replay inverter.jsonl --json | head -1

exit codes: 0 every reading is as recorded, 1 one is not or could not be made (docs/captures.md)"""

SHOWN_MAX = 12  # differences on a screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a capture")
    parser.add_argument("--profile", default="", metavar="NAME", help="read it by this profile instead")
    parser.add_argument("--json", action="store_true", help="print each sample as one JSON object a line")


def run(args: argparse.Namespace) -> int:
    capture, plugins = capturefile.read(args.file), find_plugins()
    own = None
    if args.profile:
        plugin, profile = profilefile.load(args.profile, args.file.parent, plugins)
        own = (plugin, profile.table())
    found = asyncio.run(replay(capture, plugins, own))
    if args.json:
        for sample in found.samples:
            print(json.dumps(as_json(sample)))
    else:
        screen = Screen()
        screen.print(heading(capture))
        screen.print(readings(found))
        for line in judged(found):
            screen.print(Text(line))
    return 0 if found.faithful else 1


def as_json(sample: Sample) -> dict[str, Any]:
    points = {r.point.name: [r.value, r.quality.name] for r in sample.readings()}
    return {"device": sample.device, "at_ms": sample.stamp.wall_ms, "points": points}


def heading(capture: Capture) -> Text:
    said, device = capture.header, capture.device
    lines = [
        f"{plain(device['name'])} of {plain(said['site'])}, profile {plain(device['profile'])}, at "
        f"{plain(device['link'])}{' (masked)' if said['masked'] else ''}",
        f"recorded {plain(str(said['began'].get('at', '?')))} by {plain(said['software'])}, "
        f"{len(capture.events)} events, ended: {plain(capture.why)}",
        f"sha256 {capture.digest}",
    ]
    return Text("\n".join(lines))


def readings(found: Replayed) -> Table:
    """Each point once: how often it was told, how often well, and what it was last."""
    table = Table(box=None, pad_edge=False)
    for name, justify in (("point", "left"), ("readings", "right"), ("good", "right"), ("last", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("quality")
    count: dict[Point, list[int]] = {}
    last: dict[Point, tuple[int, Quality]] = {}
    for sample in found.samples:
        for reading in sample.readings():
            tally = count.setdefault(reading.point, [0, 0])
            tally[0] += 1
            tally[1] += reading.quality is Quality.GOOD
            last[reading.point] = reading.value, reading.quality
    for point, (value, quality) in last.items():
        shown = "-" if quality is Quality.ABSENT else units.show(value, point.unit)
        style = "" if quality is Quality.GOOD else "yellow"
        table.add_row(point.name, *map(str, count[point]), shown, quality.name, style=style)
    return table


def judged(found: Replayed) -> Iterator[str]:
    """Whether it is as it was, in words."""
    who = ", ".join(f"{k} {plain(v)}" for k, v in found.identity.items())
    yield f"{len(found.samples)} of {found.recorded} recorded samples played" + (f" ({who})" if who else "")
    for ms, why in found.missed[:SHOWN_MAX]:
        yield f"NOT PLAYED: the sample at {ms} ms: {plain(why)}"
    for difference in found.differences[:SHOWN_MAX]:
        yield f"DIFFERENT: {different(difference)}"
    more = len(found.missed) + len(found.differences) - SHOWN_MAX
    if more > 0:
        yield f"... and up to {more} more"
    if found.faithful:
        yield f"all {found.same} readings are as recorded"
    elif not found.recorded:
        yield "no sample was recorded: the device never answered as a whole"
    else:
        yield f"{found.same} readings are as recorded, {len(found.differences)} are not"


def different(what: Difference) -> str:
    def told(said: tuple[int, Quality] | None) -> str:
        return "not told" if said is None else f"{said[0]} {said[1].name}"

    return f"{plain(what.point)} at {what.at_ms}: recorded {told(what.was)}, now {told(what.now)}"
