"""`gridseal devices`: what is supported, as the page docs/devices.md, from the installed profiles.

It says of a device what its profile says and what `gridseal check` would plan for it, and nothing else: no
list beside the profiles can grow old. It reads no site.yaml and talks to no device.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway import profilefile
from gateway.cli.text import say
from gateway.driver import Plan, Plugin, find_plugins
from gateway.errors import ConfigError
from gateway.model import CommandClass, SetpointSpec
from gateway.site import Device

HELP = """\
list the devices that are supported, and how far each is proven

Prints the page docs/devices.md: for each profile its bus, points, setpoint, proof, sources, and what
to switch on in the device. With words, only the devices that are called so.

  gridseal devices
  gridseal devices huawei
  gridseal devices > docs/devices.md"""

ABOUT = """\
# Devices

Generated from the profiles (`make schema`). A device that is not here is one YAML beside site.yaml.

- **Proof**: *simulated*: built from its sources, run against simulated devices only. *recorded*: replies of
  real devices are decoded in the tests to the values their source states; which values, its section says, and
  commands are hardly ever among them. *hardware*: run on a real device.
- **Setpoint**: what the device does when nobody speaks to it any more. *self-expiring* and *watchdog*
  devices end a command by themselves; a *latching* one keeps it: the gateway is then the only dead-man, and
  one that died leaves the last power standing until its next start hands it back ([safety.md](safety.md)).
  *read only*: an inverter without a setpoint that two sources agree on, so nothing is written. Batteries and
  meters take none.
- **Writes a day**: the budget where a write wears the device's memory.
"""
UNCOMMANDED = {"inverter": "read only", "relay": "loads"}  # by role; of the others nothing is expected
NOWHERE = Path(os.devnull)  # no folder: a profile beside somebody's site.yaml is not the product's
LINKS = (  # one of each kind, to plan for
    "tcp://192.168.1.40:502",
    "can://can0",
    "opc.tcp://192.168.1.40:4840",
    "serial:///dev/ttyUSB0",
    "ble://A4:C1:38:00:11:22",
    "gpio:///dev/gpiochip0",
)


@dataclass(frozen=True)
class Entry:
    """One profile of the page."""

    name: str
    plugin: Plugin
    profile: Any  # the plugin's own model, a drivers.profile.ProfileBase
    plan: Plan

    @property
    def title(self) -> str:
        return f"{self.profile.vendor} {self.profile.model}"

    def called(self, words: Sequence[str]) -> bool:
        said = " ".join((self.name, self.title, *self.profile.also)).lower()
        return all(word.lower() in said for word in words)

    @property
    def bus(self) -> str:
        schemes = " or ".join(sorted(self.plugin.schemes))
        return f"{self.plugin.kind} ({schemes})" if schemes != self.plugin.kind else schemes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="WORD", help="of a device's name, or a profile's")


def run(args: argparse.Namespace) -> int:
    found = entries(find_plugins())
    if not args.words:
        print(page(found), end="")
        return 0
    chosen = [entry for entry in found if entry.called(args.words)]
    if not chosen:
        raise ConfigError(
            f"no device is called {' '.join(args.words)}; one of your own: docs/adding-a-device.md"
        )
    say("\n".join(line for entry in chosen for line in _alone(entry)).strip())
    return 0


def entries(plugins: dict[str, Plugin]) -> list[Entry]:
    """Every installed profile, by vendor and name. ConfigError for one that does not load."""
    names = sorted(
        {f.name for p in plugins.values() for f in p.profiles.iterdir() if f.name.endswith(".yaml")}
    )
    return sorted((_entry(n.removesuffix(".yaml"), plugins) for n in names), key=lambda e: e.title.lower())


def _entry(name: str, plugins: dict[str, Plugin]) -> Entry:
    plugin, profile = profilefile.load(name, NOWHERE, plugins)
    device = Device("device", name, plugin.kind, profile.role, _link(plugin), profile.table())
    return Entry(name, plugin, profile, plugin.plan(device, device.profile))


def _link(plugin: Plugin) -> str:
    for link in LINKS:
        if urlsplit(link).scheme in plugin.schemes:
            return link
    raise ConfigError(f"{plugin.kind}: no link here to plan for; add one to LINKS of gateway/cli/devices.py")


def _alone(entry: Entry) -> Iterator[str]:
    """A device without the page's table."""
    yield from ("", f"## {entry.title}", "")
    profile = entry.profile
    yield f"- **Profile**: `{entry.name}` ({profile.role}, {entry.bus}), proof: {profile.proof}"
    yield from _section(entry)


def page(found: list[Entry]) -> str:
    """The whole page."""
    lines = [ABOUT, *_overview(found)]
    for entry in found:
        lines += ["", f"## {entry.title}", "", *_section(entry)]
    return "\n".join(lines) + "\n"


def _overview(found: list[Entry]) -> Iterator[str]:
    yield "| device | profile | role | bus | points | setpoint | writes a day | proof |"
    yield "|---|---|---|---|---:|---|---:|---|"
    titles = [(title, entry) for entry in found for title in (entry.title, *entry.profile.also)]
    for title, entry in sorted(titles, key=lambda pair: pair[0].lower()):
        spec = entry.plan.setpoint
        cells = (
            title,
            f"`{entry.name}`",
            entry.profile.role,
            entry.bus,
            str(len(entry.plan.points)),
            setpoint(spec) if spec else UNCOMMANDED.get(entry.profile.role, ""),
            f"{spec.writes_per_day:,}" if spec and spec.writes_per_day else "",
            entry.profile.proof,
        )
        yield f"| {' | '.join(cells)} |"


def setpoint(spec: SetpointSpec) -> str:
    """Class, and what ends a command when the gateway is gone."""
    if spec.timeout_s:
        longest = f" to {spec.ends_s}" if spec.ends_s > spec.timeout_s else ""
        ends = f"ends after {spec.timeout_s}{longest} s, refreshed each {spec.refresh_s} s"
    else:
        ends = "stays until it is ended"
        if spec.refresh_s:
            ends += f", refreshed each {spec.refresh_s} s"
    wears = " and wears its memory" if spec.command_class is CommandClass.LATCHING_EEPROM else ""
    return f"{spec.command_class}: {ends}{wears}"


def _section(entry: Entry) -> Iterator[str]:
    profile = entry.profile
    if profile.also:
        yield f"- **Also**: {'; '.join(profile.also)}"
    if profile.enable:
        yield f"- **Switch on**: {_flat(profile.enable)}"
    yield f"- **Points**: {', '.join(f'`{p.name}`' for p in entry.plan.points)}"
    if spec := entry.plan.setpoint:
        most = f"{_most('charge', spec.charge_max_w)}, {_most('discharge', spec.discharge_max_w)}"
        yield f"- **Setpoint**: {setpoint(spec)}; {most}"
    yield from (f"- **Recorded**: {_flat(source)}" for source in profile.recorded)
    yield from (f"- **Source**: {_flat(source)}" for source in profile.sources)
    if profile.notes:
        yield f"- **Notes**: {_flat(profile.notes)}"


def _most(direction: str, power_w: int) -> str:
    return f"{direction} up to {f'{power_w:,} W' if power_w else 'what the device says'}"


def _flat(text: str) -> str:
    return " ".join(text.split())
