"""`gridseal status`: what the running daemon is doing."""

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

from rich.console import RenderableType

from gateway import config
from gateway.cli import live
from gateway.cli.screen import Screen
from gateway.cli.view import render
from gateway.site import Site
from gateway.uplink.local import ask

HELP = """\
show what the running daemon does: power flows, service, limits, evidence, devices

Exit code 1 when a fault is latched, a device is offline or no daemon runs.

  gridseal status site.yaml
  gridseal status --watch site.yaml
  gridseal status --json site.yaml"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("site", type=Path, help="the site.yaml of the running daemon")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="print it as one JSON object")
    how.add_argument("--watch", action="store_true", help="keep showing it until q or Ctrl-C")


def run(args: argparse.Namespace) -> int:
    site = config.load(args.site)
    if args.watch:
        asyncio.run(live.show(lambda _: _picture(site)))
        return 0
    status = asyncio.run(ask(site.socket, {"do": "status"}))
    if args.json:
        print(json.dumps(status))
    else:
        Screen().print(render(status))
    return 0 if healthy(status) else 1


def healthy(status: dict[str, Any]) -> bool:
    """No latched fault and every device there."""
    return not status["control"]["fault"] and all(d["online"] for d in status["devices"].values())


async def _picture(site: Site) -> RenderableType:
    return render(await ask(site.socket, {"do": "status"}))
