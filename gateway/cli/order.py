"""`gridseal order`: any service from a person, over the same road as every other command."""

import argparse
import asyncio
import json
import secrets
from pathlib import Path

from gateway import config, units
from gateway.cli import person
from gateway.model import ServiceKind
from gateway.services import LAWS, presets, words
from gateway.uplink.local import ask

HELP = """\
order a service for a time: frequency response, peak shaving, limits, reserve ...

Parameters are WORD=VALUE with their units. The running daemon admits or refuses the order as it would one
from a contract. An order has the battery alone; with --share it leaves the rest to other shared orders.
Services that only narrow (limits, reserves) hold beside whatever else runs.

  gridseal order site.yaml frequency --preset fcr power="5 kW" --for "4 h" --share
  gridseal order site.yaml peak-shaving import="8 kW" --for "12 h"
  gridseal order site.yaml reserve soc="40 %" --for "24 h"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    kinds = "\n".join(f"  {kind.value:18}{words.usage(kind)}" for kind in LAWS)
    ready = "\n".join(f"  {n:22}{p.kind}: {p.title}" for n, p in presets.PRESETS.items())
    parser.epilog = f"services:\n{kinds}\n\npresets:\n{ready}"
    parser.add_argument("site", type=Path, help="the site.yaml of the running daemon")
    parser.add_argument("service", choices=[kind.value for kind in LAWS], metavar="SERVICE")
    parser.add_argument("words", nargs="*", metavar="WORD=VALUE", help="its parameters, see below")
    parser.add_argument(
        "--preset", choices=list(presets.PRESETS), metavar="NAME", help="a known form of a service, see below"
    )
    parser.add_argument(
        "--for", dest="duration_ms", type=_duration, metavar="TIME", required=True, help='how long: "4 h"'
    )
    parser.add_argument(
        "--in", dest="delay_ms", type=_duration, metavar="TIME", default=0, help='begin later: "10 min"'
    )
    parser.add_argument(
        "--share", action="store_true", help="leave the battery's rest to other shared orders"
    )
    parser.add_argument("--json", action="store_true", help="print the answer as one JSON object")
    parser.set_defaults(usage=parser.error)


def _duration(text: str) -> int:
    try:
        return units.parse(text, units.DURATION_MS, least=1000)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def run(args: argparse.Namespace) -> int:
    kind = ServiceKind(args.service)
    try:
        given = dict(word.split("=", 1) for word in args.words)
    except ValueError:
        args.usage(f"parameters are WORD=VALUE, for example: {words.usage(kind)}")
    try:
        parameters = words.parameters(kind, given, presets.of(kind, args.preset))
    except ValueError as error:
        args.usage(str(error))
    request = {
        "do": "submit",
        "id": secrets.token_hex(32),
        "kind": kind.value,
        "duration_ms": args.duration_ms,
        "delay_ms": args.delay_ms,
        "shared": args.share,
        "parameters": dict(parameters),
        "who": person.name(),
    }
    answer = asyncio.run(ask(config.load(args.site).socket, request))
    print(json.dumps(answer) if args.json else answer["message"])
    return 0 if answer["admitted"] else 1
