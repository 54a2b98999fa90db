"""`gridseal setpoint`: an order from a person, over the same road as every other command."""

import argparse
import asyncio
import json
import re
import secrets
from pathlib import Path

from gateway import config, units
from gateway.cli import person
from gateway.model import ServiceKind
from gateway.uplink.local import ask

HELP = """\
order a battery power for a time: + discharges, - charges

The running daemon admits or refuses it, as it would an order from a contract: inside the limits of
site.yaml, with an end, one at a time. --stop puts the battery into its fallback and keeps it there
until --release, which also clears a latched fault.

  gridseal setpoint site.yaml --power "-3 kW" --for "5 min"
  gridseal setpoint site.yaml --stop
  gridseal setpoint site.yaml --release"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("site", type=Path, help="the site.yaml of the running daemon")
    # argparse takes "-3kW", unlike "-3 kW" and "-3", for an option that it does not know.
    parser._negative_number_matcher = re.compile(r"-\d")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--power", type=_power, help='battery power, "+2 kW" discharges, "-3 kW" charges')
    what.add_argument("--stop", action="store_true", help="fallback now, latched")
    what.add_argument("--release", action="store_true", help="end a stop, clear a latched fault")
    parser.add_argument(
        "--for",
        dest="duration_ms",
        type=_duration,
        metavar="TIME",
        help='how long, as "5 min"; goes with --power, which needs it',
    )
    parser.set_defaults(usage=parser.error)
    parser.add_argument("--json", action="store_true", help="print the answer as one JSON object")


def _power(text: str) -> int:
    try:
        return units.parse(text, units.POWER_W)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _duration(text: str) -> int:
    try:
        return units.parse(text, units.DURATION_MS, least=1000)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def run(args: argparse.Namespace) -> int:
    if args.power is not None and args.duration_ms is None:
        args.usage('--power needs an end: add --for "5 min"')
    if args.power is None and args.duration_ms is not None:
        args.usage("--for goes with --power: a stop lasts until --release")
    site = config.load(args.site)
    answer = asyncio.run(ask(site.socket, _request(args)))
    if args.json:
        print(json.dumps(answer))
    else:
        print(answer["message"])
    return 0 if answer["admitted"] else 1


def _request(args: argparse.Namespace) -> dict[str, object]:
    if args.release:
        return {"do": "release", "who": person.name()}
    kind = ServiceKind.STOP if args.stop else ServiceKind.FIXED_POWER
    return {
        "do": "submit",
        "id": secrets.token_hex(32),
        "kind": kind.value,
        "duration_ms": args.duration_ms or 0,
        "parameters": {} if args.stop else {"power_w": args.power},
        "who": person.name(),
    }
