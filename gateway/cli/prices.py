"""`gridseal prices`: a price list to a day of load shifting, ordered slot by slot."""

import argparse
import asyncio
import csv
import json
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from gateway import config, units
from gateway.cli import amount, person
from gateway.errors import ConfigError, GridsealError
from gateway.services.prices import SLOTS_MAX, Price, Shift, plan
from gateway.services.schedule import Slot
from gateway.site import Site
from gateway.uplink.local import ask

HELP = """\
charge when energy is cheap and discharge when it is dear: a price list becomes orders

The list is a CSV file with the columns start and price: start as 2026-11-27T00:00+01:00, price as a whole
number of any unit (0.1 ct/kWh), one row a slot; the last slot is as long as the one before it. Energy is
moved only where that pays for the losses. The slots are orders of the schedule: any other goes before them.

  gridseal prices site.yaml tomorrow.csv --energy "8 kWh" --dry-run
  gridseal prices site.yaml tomorrow.csv --energy "8 kWh" --wear 40"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("site", type=Path, help="the site.yaml of the running daemon")
    parser.add_argument("file", type=Path, help="the price list")
    energy: dict[str, Any] = {"type": amount.energy, "metavar": "ENERGY"}
    parser.add_argument("--energy", required=True, help='what may be moved in and out, as "8 kWh"', **energy)
    parser.add_argument("--stored", default=0, help="what of it is there at the beginning", **energy)
    percent: dict[str, Any] = {"type": amount.percent, "metavar": "PERCENT"}
    parser.add_argument("--efficiency", default=9000, help='of a round trip, as "90 %%"', **percent)
    parser.add_argument("--wear", type=int, default=0, help="what a unit of energy out costs the battery")
    parser.add_argument("--dry-run", action="store_true", help="show the plan, order nothing")
    parser.add_argument("--json", action="store_true", help="print the plan as one JSON array")


def run(args: argparse.Namespace) -> int:
    site = config.load(args.site)
    limits = site.limits
    try:
        shift = Shift(
            limits.charge_w, limits.discharge_w, args.energy, args.stored, args.efficiency, args.wear
        )
        slots = plan(site.id, read(args.file), shift)
    except ValueError as error:
        raise ConfigError(f"{args.file}: {error}") from error
    answers = [] if args.dry_run else asyncio.run(_order(site, slots))
    if args.json:
        print(json.dumps([_row(slot) | answer for slot, answer in _paired(slots, answers)]))
    else:
        for slot, answer in _paired(slots, answers):
            print(f"{_when(slot)}  {_what(slot):19}  {answer['message']}")
        if not slots:
            print("nothing to do: no spread of these prices pays for the losses")
    return 0 if all(answer["admitted"] for answer in answers) else 1


def read(path: Path) -> list[Price]:
    """The rows of a price list. ValueError with the row that is wrong; ConfigError when it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text (save the file as UTF-8)") from None
    rows = list(csv.DictReader(text.splitlines()))
    if len(rows) > SLOTS_MAX:
        raise ValueError(f"at most {SLOTS_MAX} prices can be planned at once")
    found = [_point(row, number) for number, row in enumerate(rows, start=2)]
    if len(found) < 2:
        raise ValueError("a price list has the columns start and price, and two rows at the least")
    lengths = [after[0] - before[0] for before, after in pairwise(found)]
    return [
        Price(start_ms, start_ms + length, price)
        for (start_ms, price), length in zip(found, [*lengths, lengths[-1]], strict=True)
    ]


def _point(row: dict[str, Any], number: int) -> tuple[int, int]:
    try:
        start, price = datetime.fromisoformat(row["start"]), int(row["price"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"row {number}: write start as 2026-11-27T00:00+01:00, price as 312") from error
    if start.tzinfo is None:
        raise ValueError(f"row {number}: {row['start']} has no time zone: add +01:00, or Z")
    return int(start.timestamp() * 1000), price


async def _order(site: Site, slots: Sequence[Slot]) -> list[dict[str, Any]]:
    """One order a slot; what cannot be asked is an answer too, so that the rest is still ordered."""
    answers = []
    for slot in slots:
        request = {
            "do": "submit",
            "id": slot.id,
            "kind": slot.kind.value,
            "begin_ms": slot.start_ms,
            "duration_ms": slot.end_ms - slot.start_ms,
            "parameters": dict(slot.parameters),
            "source": "schedule",
            "who": person.name(),
        }
        try:
            answers.append(await ask(site.socket, request))
        except GridsealError as error:
            answers.append({"admitted": False, "message": str(error)})
    return answers


def _paired(slots: Sequence[Slot], answers: Sequence[dict[str, Any]]) -> list[tuple[Slot, dict[str, Any]]]:
    planned: dict[str, Any] = {"admitted": None, "message": "planned"}
    return list(zip(slots, answers or [planned] * len(slots), strict=True))


def _row(slot: Slot) -> dict[str, Any]:
    return {"start_ms": slot.start_ms, "end_ms": slot.end_ms, "power_w": slot.parameters["power_w"]}


def _when(slot: Slot) -> str:
    begin, end = (datetime.fromtimestamp(ms / 1000).astimezone() for ms in (slot.start_ms, slot.end_ms))
    return f"{begin:%Y-%m-%d %H:%M} to {end:%H:%M %Z}"


def _what(slot: Slot) -> str:
    power_w = slot.parameters["power_w"]
    return f"{'charge' if power_w < 0 else 'discharge'} {units.show(abs(power_w), 'w')}"
