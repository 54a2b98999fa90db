"""`gridseal check`: everything that can be known of a site.yaml without its devices."""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gateway import config, units
from gateway.cli import ports
from gateway.cli.screen import Screen
from gateway.cli.text import say
from gateway.driver import Plan, find_plugins
from gateway.model import Quantity
from gateway.site import Device, HttpSettings, Site
from gateway.store import wear

HELP = """\
check a site.yaml: every error with line and column, the read plan, the bus time

Resolves profiles, prints what each poll asks of each device and how long its wire is busy with it,
and compares limits with nameplates. Talks to no device (see `gridseal read`).

  gridseal check site.yaml
  gridseal check --json site.yaml"""

WRITE_MS = 50  # from a sample to the bytes of a write on the wire; `make bench ARGS=response` measures it
BUSY_LIMIT = 0.8  # of a poll period; above it, writes and slow answers no longer fit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("site", type=Path, help="the site.yaml")
    parser.add_argument(
        "--binding", action="store_true", help="print what the digest `configuration` of a record is over"
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def run(args: argparse.Namespace) -> int:
    plugins = find_plugins()
    site = config.load(args.site, plugins)
    if args.binding:
        from gateway.evidence import setup  # needs the extra chain

        print(setup.configuration(site))
        return 0
    plans = {d.name: plugins[d.kind].plan(d, d.profile) for d in site.devices}
    busy = bus_load(site, plans)
    crowded = {link: share for link, share in busy.items() if share > BUSY_LIMIT}
    if args.json:
        print(json.dumps(_as_json(site, plans, busy)))
    else:
        _show(Screen(), site, plans, busy)
        for link, share in crowded.items():
            say(f"{link}: polls need {share:.0%} of the time there is; poll slower or split the wire")
    return 1 if crowded else 0


def bus_load(site: Site, plans: dict[str, Plan]) -> dict[str, float]:
    """The share of time that each link is busy with polls (1.0: always)."""
    busy: dict[str, float] = {}
    for device in site.devices:
        busy[device.link] = busy.get(device.link, 0.0) + plans[device.name].bus_ms / device.poll_ms
    return busy


@dataclass(frozen=True, slots=True)
class Storing:
    """What `store.commit` means at a site: what a power cut loses, and what the card pays."""

    loss_ms: int
    loss_readings: int
    day_bytes: int
    life_days: int | None


def storing(site: Site, plans: dict[str, Plan]) -> Storing:
    samples = {d.name: wear.DAY_MS / d.poll_ms for d in site.devices}
    values = sum(len(plans[name].points) * count for name, count in samples.items())
    total = sum(samples.values())
    commits = min(wear.DAY_MS / site.store.commit_ms, total)  # a group's period begins with its first sample
    day_bytes = wear.estimate(round(commits), round(total), round(values), wear.DAY_MS)
    return Storing(
        site.store.commit_ms,
        round(values * site.store.commit_ms / wear.DAY_MS),
        day_bytes,
        wear.life_days(site.store.endurance_bytes, 0, day_bytes),
    )


def _power_cut(found: Storing) -> str:
    loss = f"{found.loss_ms / 1000:g} s of readings (about {found.loss_readings:,})"
    lasts = "" if found.life_days is None else f", which the card bears for {units.days(found.life_days)}"
    return (
        f"a power cut loses at most the last {loss}; about {units.size(found.day_bytes)} a day written{lasts}"
    )


def warnings(plans: dict[str, Plan]) -> list[str]:
    """What makes a valid site useless: orders that could never be carried out."""
    measured = {quantity for plan in plans.values() for quantity in _quantities(plan)}
    commanded = any(plan.setpoint for plan in plans.values())
    needs = {
        Quantity.GRID_POWER: "no profile here surely measures grid power; without it the grid limits cannot"
        " be kept and no order is carried out: add a meter, unless the inverter has its own",
        Quantity.BATTERY_SOC: "no profile here surely measures the state of charge; without it no order is"
        " carried out",
    }
    return [text for quantity, text in needs.items() if commanded and quantity not in measured]


def doubled(site: Site, plans: dict[str, Plan]) -> list[str]:
    """Batteries of one inverter that each tell their power: it is taken for one battery, heard twice."""
    telling: dict[str, list[str]] = {}
    for device in site.devices:
        if device.role == "battery" and Quantity.BATTERY_POWER in _quantities(plans[device.name]):
            telling.setdefault(device.of, []).append(device.name)
    return [
        f"{', '.join(names)} are taken for one battery, heard {len(names)} times: the lowest limit counts"
        f" and the power of {names[0]} alone. Packs in parallel are one device with packs: in its profile"
        for names in telling.values()
        if len(names) > 1
    ]


@dataclass(frozen=True, slots=True)
class Answering:
    """How soon an order for frequency response acts: until the first write, and until all of the power."""

    begins_ms: int
    whole_ms: int


def answering(site: Site, plans: dict[str, Plan]) -> Answering | None:
    """None where no frequency is measured, or nothing is commanded."""
    measuring = [d.poll_ms for d in site.devices if Quantity.GRID_FREQUENCY in _quantities(plans[d.name])]
    if not measuring or not any(d.control and plans[d.name].setpoint for d in site.devices):
        return None
    begins_ms, limits = min(measuring) + WRITE_MS, site.limits
    return Answering(
        begins_ms, begins_ms + max(limits.charge_w, limits.discharge_w) * 1000 // limits.ramp_w_per_s
    )


def _answers(found: Answering) -> str:
    return (
        f"frequency response: the first write within {found.begins_ms} ms, all of the power after "
        f"{found.whole_ms / 1000:.1f} s by the site's ramp; then the inverter takes its own time"
    )


def _quantities(plan: Plan) -> set[Quantity | None]:
    return {point.quantity for point in plan.points}


def _as_json(site: Site, plans: dict[str, Plan], busy: dict[str, float]) -> dict[str, Any]:
    return {
        "site": site.id,
        "devices": {
            d.name: {
                "profile": d.profile_name,
                "role": d.role,
                "link": d.link,
                "poll_ms": d.poll_ms,
                "points": [p.name for p in plans[d.name].points],
                "requests": [line.text for line in plans[d.name].lines],
                "bus_ms": round(plans[d.name].bus_ms, 1),
                "commanded": plans[d.name].setpoint is not None and d.control,
                "notes": list(plans[d.name].notes),
            }
            for d in site.devices
        },
        "notes": [*warnings(plans), *doubled(site, plans), *ports.notes(site.devices)],
        "store": asdict(storing(site, plans)),
        "frequency_response": asdict(found) if (found := answering(site, plans)) else None,
        "bus_load": {link: round(share, 3) for link, share in busy.items()},
    }


def _show(console: Console, site: Site, plans: dict[str, Plan], busy: dict[str, float]) -> None:
    console.print(f"[bold]{site.id}[/]: {len(site.devices)} devices, no errors")
    for device in site.devices:
        plan = plans[device.name]
        console.print(f"\n[bold]{escape(_heading(device, plan))}[/]")
        console.print(_requests(plan))
        for note in plan.notes:
            console.print(Padding(Text(f"note: {note}"), (0, 0, 0, 2)))
    console.print()
    for link, share in busy.items():
        console.print(f"{escape(link)}: busy {share:.1%} of the time with polls")
    for warning in (*warnings(plans), *doubled(site, plans), *ports.notes(site.devices)):
        console.print(f"[yellow]note: {escape(warning)}[/]")
    limits = site.limits
    console.print(
        f"battery: charge up to {units.show(limits.charge_w, 'w')}, "
        f"discharge up to {units.show(limits.discharge_w, 'w')}, "
        f"ramp {limits.ramp_w_per_s} W/s, SoC {limits.soc_min_bp / 100:g}-{limits.soc_max_bp / 100:g} %"
    )
    if site.http:
        console.print(escape(_listening(site.http)))
    if found := answering(site, plans):
        console.print(_answers(found))
    console.print(_power_cut(storing(site, plans)))


def _listening(http: HttpSettings) -> str:
    """Who reaches the HTTP server, and what it gives away: what is worth a second look."""
    scheme = "https" if http.certificate else "http"
    host = f"[{http.bind}]" if ":" in http.bind else http.bind
    public = "; anybody may fetch signed records" if http.pull else ""
    return f"{scheme}://{host}:{http.port}: changes need the token in {http.token}{public}"


def _heading(device: Device, plan: Plan) -> str:
    spec = plan.setpoint if device.control else None
    how = f"commanded, {spec.command_class.value}" if spec else "read only"
    return f"{device.name}: {device.profile_name} ({device.role}, {how}), each {device.poll_ms / 1000:g} s"


def _requests(plan: Plan) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("request")
    table.add_column("points", justify="right")
    table.add_column("wire", justify="right")
    for line in plan.lines:
        table.add_row(escape(line.text), str(line.points), f"{line.bus_ms:.1f} ms")
    table.add_row("[bold]all[/]", str(sum(x.points for x in plan.lines)), f"{plan.bus_ms:.1f} ms")
    return table
