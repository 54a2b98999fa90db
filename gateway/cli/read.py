"""`gridseal read`: one poll of one device, for the technician in front of it.

While the daemon runs, what it read last is shown: many devices talk to one master only.
"""

import argparse
import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway import config, units
from gateway.cli.screen import Screen
from gateway.clock import SystemClock
from gateway.device import check_serial
from gateway.driver import find_plugins
from gateway.errors import ConfigError, LinkError, ServiceRefused
from gateway.model import Quality, Sample
from gateway.narrate import plain
from gateway.site import Device, Site
from gateway.tape import Refreshing
from gateway.uplink.local import NoDaemon, ask
from gateway.wiring import Wiring

HELP = """\
poll one device once and print what it says: values, units, quality, age

Reads only; no register is written. While the daemon runs, what it read last is shown, for many devices talk
to one master only. Exit code 1 when the device does not answer.

  gridseal read site.yaml inverter
  gridseal read --json site.yaml bms"""

ANSWER_S = 20  # identification (a SunSpec scan over RS-485) and one whole poll


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("site", type=Path, help="the site.yaml")
    parser.add_argument("device", help="name of the device in site.yaml")
    parser.add_argument("--json", action="store_true", help="print the sample as one JSON object")


@dataclass(frozen=True, slots=True)
class Told:
    """What a device says, and when. `points`: value, quality, age in ms."""

    identity: Mapping[str, str]
    at_ms: int
    clock: str
    points: Mapping[str, tuple[int, str, int]]


def run(args: argparse.Namespace) -> int:
    site = config.load(args.site)
    device = named(site, args.device, args.site)
    told = asyncio.run(_told(site, device))
    if args.json:
        print(json.dumps(as_json(device, told)))
    else:
        show(Screen(), device, told)
    return 0


async def _told(site: Site, device: Device) -> Told:
    try:
        answer = await ask(site.socket, {"do": "points", "device": device.name})
    except (NoDaemon, ServiceRefused):  # the latter: new in site.yaml, nobody reads it yet
        return await poll_once(site, device)
    if answer["trouble"]:
        raise LinkError(f"the daemon does not reach {device.name}: {answer['trouble']}")
    now = SystemClock(assume_synchronised=site.trust_host_clock).now()
    points = {name: (value, quality, age) for name, (value, quality, age) in answer["points"].items()}
    newest_ms = min((age for _, _, age in points.values()), default=0)
    return Told(answer["identity"], now.wall_ms - newest_ms, now.trust.name, points)


def named(site: Site, name: str, path: Path) -> Device:
    """The device of that name. ConfigError with the names there are."""
    found = next((d for d in site.devices if d.name == name), None)
    if found is None:
        raise ConfigError(f"{path} has no device {name!r}; it has: {', '.join(d.name for d in site.devices)}")
    return found


async def poll_once(site: Site, device: Device) -> Told:
    """One sample, by a link of our own. LinkError when the device does not answer in time."""
    clock = SystemClock(assume_synchronised=site.trust_host_clock)
    try:
        async with asyncio.timeout(ANSWER_S), Wiring(find_plugins(), clock) as wiring:
            driver = wiring.driver(device)
            identity = await driver.connect()
            check_serial(device, identity)
            if isinstance(driver, Refreshing):  # who connects has read every point once, the slow ones too
                driver.refresh()
            return sampled(identity, await driver.read(), clock.mono_ms())
    except TimeoutError:
        raise LinkError(f"{device.name} at {device.link} did not answer within {ANSWER_S} s") from None


def sampled(identity: Mapping[str, str], sample: Sample, now_ms: int) -> Told:
    stamp = sample.stamp
    points = {r.point.name: (r.value, r.quality.name, now_ms - stamp.mono_ms) for r in sample.readings()}
    return Told(identity, stamp.wall_ms, stamp.trust.name, points)


def as_json(device: Device, told: Told) -> dict[str, object]:
    return {
        "device": device.name,
        "identity": dict(told.identity),
        "at_ms": told.at_ms,
        "clock": told.clock,
        "points": {
            name: {"value": None if quality == Quality.ABSENT.name else value, "quality": quality}
            for name, (value, quality, _) in told.points.items()
        },
    }


def show(console: Console, device: Device, told: Told) -> None:
    who = ", ".join(f"{k} {v}" for k, v in told.identity.items() if v)
    where = f"{device.link}: {who}" if who else device.link  # an IPv6 address is in brackets
    console.print(f"[bold]{device.name}[/] at {escape(plain(where))}")
    table = Table(box=None, pad_edge=False)
    for name, justify in (("point", "left"), ("value", "right"), ("quality", "left"), ("age", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for name, (value, quality, age_ms) in told.points.items():
        shown = "-" if quality == Quality.ABSENT.name else units.show(value, name.rpartition("_")[2])
        style = "" if quality == Quality.GOOD.name else "yellow"
        table.add_row(name, shown, quality, f"{age_ms / 1000:.1f} s", style=style)
    console.print(table)
