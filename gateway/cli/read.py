"""`gridseal read`: one poll of one device, for the technician in front of it."""

import argparse
import asyncio
import json
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway import config, units
from gateway.cli.screen import Screen
from gateway.clock import SystemClock
from gateway.device import check_serial
from gateway.driver import find_plugins
from gateway.errors import ConfigError, LinkError
from gateway.model import Quality, Sample
from gateway.site import Device, Site
from gateway.wiring import Wiring

HELP = """\
poll one device once and print what it says: values, units, quality, age

Reads only; no register is written. Exit code 1 when the device does not answer.

  gridseal read site.yaml inverter
  gridseal read --json site.yaml bms"""

ANSWER_S = 20  # identification (a SunSpec scan over RS-485) and one whole poll


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("site", type=Path, help="the site.yaml")
    parser.add_argument("device", help="name of the device in site.yaml")
    parser.add_argument("--json", action="store_true", help="print the sample as one JSON object")


def run(args: argparse.Namespace) -> int:
    site = config.load(args.site)
    device = named(site, args.device, args.site)
    identity, sample, age_ms = asyncio.run(poll_once(site, device))
    if args.json:
        print(json.dumps(_as_json(identity, sample)))
    else:
        _show(Screen(), device, identity, sample, age_ms)
    return 0


def named(site: Site, name: str, path: Path) -> Device:
    """The device of that name. ConfigError with the names there are."""
    found = next((d for d in site.devices if d.name == name), None)
    if found is None:
        raise ConfigError(f"{path} has no device {name!r}; it has: {', '.join(d.name for d in site.devices)}")
    return found


async def poll_once(site: Site, device: Device) -> tuple[dict[str, str], Sample, int]:
    """Identity, one sample and its age in ms. LinkError when the device does not answer in time."""
    clock = SystemClock(assume_synchronised=site.trust_host_clock)
    try:
        async with asyncio.timeout(ANSWER_S), Wiring(find_plugins(), clock) as wiring:
            driver = wiring.driver(device)
            identity = dict(await driver.connect())
            check_serial(device, identity)
            sample = await driver.read()
            return identity, sample, clock.mono_ms() - sample.stamp.mono_ms
    except TimeoutError:
        raise LinkError(f"{device.name} at {device.link} did not answer within {ANSWER_S} s") from None


def _as_json(identity: dict[str, str], sample: Sample) -> dict[str, object]:
    return {
        "device": sample.device,
        "identity": identity,
        "at_ms": sample.stamp.wall_ms,
        "clock": sample.stamp.trust.name,
        "points": {
            r.point.name: {
                "value": None if r.quality is Quality.ABSENT else r.value,
                "quality": r.quality.name,
            }
            for r in sample.readings()
        },
    }


def _show(console: Console, device: Device, identity: dict[str, str], sample: Sample, age_ms: int) -> None:
    who = ", ".join(f"{k} {v}" for k, v in identity.items() if v)
    where = f"{device.link}: {who}" if who else device.link  # an IPv6 address is in brackets
    console.print(f"[bold]{device.name}[/] at {escape(where)}")
    table = Table(box=None, pad_edge=False)
    for name, justify in (("point", "left"), ("value", "right"), ("quality", "left"), ("age", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for reading in sample.readings():
        good = reading.quality is Quality.GOOD
        value = "-" if reading.quality is Quality.ABSENT else units.show(reading.value, reading.point.unit)
        style = "" if good else "yellow"
        table.add_row(reading.point.name, value, reading.quality.name, f"{age_ms / 1000:.1f} s", style=style)
    console.print(table)
