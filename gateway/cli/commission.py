"""`gridseal commission`: proves a site's signs and its device's fallback, with a technician who agreed to it.

Asks the running daemon, which orders, listens and judges; this file says what will happen, waits for a yes,
shows how it goes and what was found. While it runs it is the test's dead-man: when it ends, the test does.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gateway import config, narrate, units
from gateway.cli.screen import Screen
from gateway.cli.text import say
from gateway.errors import ServiceRefused
from gateway.uplink.local import ask

HELP = """\
prove the signs of meter, BMS and inverter and measure the device's own fallback; signs a certificate

The running daemon orders small powers, + and - in turn, and looks at what each device says meanwhile. Then
it stops writing on purpose, as if it were dead, until the device is seen to take over: that time is what
control uses from then on. All of it inside the limits of site.yaml, and only while this command runs:
Ctrl-C, or a closed terminal, ends it, and the device goes to its fallback.

  gridseal commission site.yaml
  gridseal commission site.yaml --device inverter --power "2 kW"
  gridseal commission site.yaml --without-timer --yes

exit codes: 0 commissioned, 1 something is wrong or could not be concluded"""

POLL_S = 0.5
PLATEAU_S = 12  # about, for the minutes that are said beforehand

Ask = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
Show = Callable[[Mapping[str, Any]], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("site", type=Path, help="the site.yaml of the running daemon")
    parser.add_argument("--device", default="", help="which one, where several can be commanded")
    parser.add_argument("--power", type=_power, default=0, help="instead of a quarter of what is allowed")
    timer = parser.add_mutually_exclusive_group()
    timer.add_argument("--without-timer", action="store_true", help="leave its fallback time unmeasured")
    timer.add_argument(
        "--patience", type=_duration, metavar="TIME", help="wait longer for it than 1.5 times what is claimed"
    )
    parser.add_argument("--yes", action="store_true", help="agree without being asked, for scripts")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def _power(text: str) -> int:
    try:
        return units.parse(text, units.POWER_W, least=1)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _duration(text: str) -> int:
    try:
        return units.parse(text, units.DURATION_MS, least=1000) // 1000
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def run(args: argparse.Namespace) -> int:
    site = config.load(args.site)
    patience_s = 0 if args.without_timer else args.patience or -1
    request = {"do": "commission", "device": args.device, "power_w": args.power, "patience_s": patience_s}

    async def asked(more: dict[str, Any]) -> dict[str, Any]:
        return await ask(site.socket, request | more)

    plan = asyncio.run(asked({"step": "plan"}))
    say("\n".join(announced(plan)), sys.stderr if args.json else sys.stdout)
    if not args.yes and not _agrees():
        raise ServiceRefused("nothing was done")
    try:
        result = _shown(asked, plain=args.json)
    except KeyboardInterrupt:
        say("ended, without a certificate: the battery is its inverter's again", sys.stderr)
        raise
    return 0 if result["state"] == "passed" else 1


def _shown(asked: Ask, *, plain: bool) -> dict[str, Any]:
    if plain:
        result = asyncio.run(watched(asked, lambda _: None))
        print(json.dumps(result))
        return result
    screen = Screen()
    with Live(console=screen, auto_refresh=False, transient=True) as live:
        result = asyncio.run(watched(asked, lambda progress: live.update(bar(progress), refresh=True)))
    screen.print(told(result))
    return result


def _agrees() -> bool:
    print("Is the site yours to test, and may this be done now? Type yes: ", end="", flush=True)
    return sys.stdin.readline().strip().lower() == "yes"


async def watched(asked: Ask, show: Show) -> dict[str, Any]:
    """Begin the test and stay with it until it ended; if this is ended, so is the test."""
    progress = await asked({"step": "begin"})
    try:
        while progress["state"] == "running":
            show(progress)
            await asyncio.sleep(POLL_S)
            progress = await asked({"step": "watch"})
    except asyncio.CancelledError:
        await asked({"step": "abort"})
        raise
    return progress


def announced(plan: Mapping[str, Any]) -> list[str]:
    """What will be done, before anybody agrees to it."""
    power, least, most = units.show(plan["power_w"], "w"), plan["orders"], plan["orders_max"]
    minutes = (least * PLATEAU_S + plan["patience_s"]) // 60 + 1
    lines = [
        f"{plan['device']} will be ordered to charge and to discharge with {power} in turn, {least} to "
        f"{most} times, inside the limits of site.yaml.",
        f"What must answer: {', '.join(plan['channels'])}.",
    ]
    if plan["patience_s"]:
        lines.append(
            f"Then it is left alone with {power} in it, at most {plan['patience_s']} s, until it is seen to "
            "go back to its own control: that is how long it would go on if this gateway died."
        )
    else:
        lines.append(f"Its own fallback is not measured: {plan['why']}.")
    lines.append(
        f"About {minutes} minutes. Ctrl-C ends it at any moment: the battery is its inverter's then."
    )
    return [narrate.plain(line) for line in lines]


def bar(progress: Mapping[str, Any]) -> Table:
    """One line of how far it is, and what was found so far."""
    table = Table.grid()
    for line in progress["lines"]:
        table.add_row(Text(narrate.plain(line)))
    done, of = progress["done"], max(1, progress["of"])
    filled = min(24, 24 * done // of)
    table.add_row(Text(f"{'▰' * filled}{'▱' * (24 - filled)} {done}/{of}  {narrate.plain(progress['step'])}"))
    return table


def told(result: Mapping[str, Any]) -> RenderableType:
    """What was found, and the certificate or why there is none."""
    table = Table(box=None, pad_edge=False, show_header=False)
    if result["state"] == "passed":
        said = json.loads(result["certificate"]["body"])
        table.add_row(Text("commissioned", style="bold green"), Text(said["parts"][0]["device"]))
        table.add_row("certificate", Text(result["certificate"]["digest"], overflow="fold"))
        table.add_row("", Text("gridseal export SITE --format records holds it, gridseal verify checks it"))
    else:
        table.add_row(Text("NO CERTIFICATE", style="bold red"), Text(narrate.plain(result["reason"])))
    return Group(*(Text(narrate.plain(line)) for line in result["lines"]), table)
