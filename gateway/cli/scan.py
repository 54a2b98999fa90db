"""`gridseal scan`: what is on a network, a serial line, a CAN bus or in the air, and lines for site.yaml.

Asks before it goes through a range, and shows how far it is. Reads only.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn

from gateway import profilefile, yamlfile
from gateway.cli import amount, proposal
from gateway.cli.proposal import Find
from gateway.cli.scanning import (
    ANSWER_S,
    BAUDS,
    LISTEN_S,
    Families,
    Scanner,
    addresses,
    open_hosts,
)
from gateway.cli.screen import Screen
from gateway.cli.text import say
from gateway.clock import SystemClock
from gateway.driver import Plugin, find_plugins
from gateway.errors import ConfigError, ServiceRefused
from gateway.narrate import plain
from gateway.recognising import Hearing, Nearby, Offering, Recognising

HELP = """\
find devices: on a network, a serial line, a CAN bus, by Bluetooth, OPC UA; proposes lines for site.yaml

Reads only, a few connections at once. A range is gone through only after a yes: scan networks that are
yours. WHERE is a host, a network (192.168.1.0/24) or a range (192.168.1.10-50); a serial port; a CAN
interface or link; for ble an adapter other than hci0; for opcua a server. A device is recognised by what its
profile says under `recognise`, a battery by its frames or its Bluetooth service, a server by the nodes of a
profile; profiles beside --site count too. Ctrl-C ends it and shows what was found.

  gridseal scan tcp 192.168.1.40
  gridseal scan tcp 192.168.1.0/24 --port 502
  gridseal scan serial /dev/ttyUSB0
  gridseal scan can can0
  gridseal scan ble
  gridseal scan opcua opc.tcp://192.168.1.50:4840

exit code 1 when nothing was found"""


ASKED: Mapping[str, Any] = {"can": Hearing, "ble": Nearby, "opcua": Offering}
NOWHERE = Path("/nonexistent")  # a folder without profiles


def add_arguments(parser: argparse.ArgumentParser) -> None:
    ways = ("tcp", "serial", "can", "ble", "opcua")
    parser.add_argument("how", choices=ways, metavar="|".join(ways), help="what to look at")
    parser.add_argument("where", nargs="?", default="", metavar="WHERE", help="which of them, see above")
    parser.add_argument("--port", type=amount.port, default=502, help="for tcp; 502 if not said")
    parser.add_argument("--units", type=_units, default=(), metavar="1,2-5", help="unit ids to ask as well")
    parser.add_argument("--baud", type=int, action="append", help="for serial; may be given several times")
    parser.add_argument(
        "--seconds", type=amount.seconds, default=LISTEN_S, help="for can and ble: how long to listen"
    )
    parser.add_argument("--site", type=Path, metavar="SITE", help="a site.yaml: profiles beside it count")
    parser.add_argument("--yes", action="store_true", help="go through a range without being asked")
    parser.add_argument("--json", action="store_true", help="print the finds as one JSON object")


def _units(text: str) -> tuple[int, ...]:
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            raise argparse.ArgumentTypeError(f"{text!r} is not like 1,2-5")
        if not int(first) <= int(last or first) <= 247:
            raise argparse.ArgumentTypeError(f"{text!r}: units are 0 to 247, and a range goes upwards")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)


def run(args: argparse.Namespace) -> int:
    if not args.where and args.how != "ble":
        raise ConfigError(f"where? gridseal scan {args.how} WHERE; see: gridseal scan --help")
    if args.site and not args.site.is_file():
        raise ConfigError(f"there is no {args.site}: with --site, the profiles beside it count")
    plugins = find_plugins()
    families = known(plugins, args.site.parent if args.site else None, args.how)
    finds: list[Find] = []
    columns = (BarColumn(24), TextColumn("{task.completed:.0f}/{task.total:.0f} {task.description}"))
    screen = Screen()
    unseen = args.json or not screen.is_terminal
    with Progress(*columns, console=screen, transient=True, disable=unseen) as bar:
        task = bar.add_task("", total=None, visible=False)

        def step(done: int, of: int, what: str) -> None:
            bar.update(task, completed=done, total=of, description=plain(what), visible=True)

        scanner = Scanner(plugins, families, SystemClock(), step)
        hosts = addresses(args.where) if args.how == "tcp" else []
        if args.how == "serial" and not Path(args.where).exists():
            raise ConfigError(f"there is no {args.where}; is the adapter plugged in?")
        if len(hosts) > 1 and not args.yes:
            bar.stop()
            _agree(len(hosts), args)
            bar.start()
        interrupted = _scan(scanner, args, hosts, finds)
    _show(args, finds, scanner.trouble)
    if interrupted:
        print("ended early: there may be more", file=sys.stderr)
    return 0 if finds else 1


def _scan(scanner: Scanner, args: argparse.Namespace, hosts: list[str], finds: list[Find]) -> bool:
    """True: it was ended by Ctrl-C. What was found until then is in `finds`."""
    ways = {"tcp": _tcp, "serial": _serial, "can": _can, "ble": _ble, "opcua": _opcua}
    try:
        asyncio.run(ways[args.how](scanner, args, hosts, finds))
    except KeyboardInterrupt:
        return True
    return False


def known(plugins: Mapping[str, Plugin], folder: Path | None, how: str) -> Families:
    """All profiles that are found this way, the technician's own too. ConfigError for a bad one."""
    families: dict[str, dict[str, Any]] = {}
    names = {e.name[:-5] for p in plugins.values() for e in p.profiles.iterdir() if e.name.endswith(".yaml")}
    own = (file for file in folder.glob("*.yaml") if file.is_file() and _is_profile(file)) if folder else ()
    for name in sorted(names | {file.stem for file in own}):
        document = profilefile.find(name, folder or NOWHERE, plugins)
        kind = str(document.data.get("driver")) if isinstance(document.data, dict) else ""
        if kind not in plugins or _finds(plugins[kind], how):  # of another bus it needs not even the library
            plugin, profile = profilefile.read(document, plugins)
            families.setdefault(plugin.kind, {})[name] = profile
    return families


def _finds(plugin: Plugin, how: str) -> bool:
    if how in ASKED:
        return isinstance(plugin, ASKED[how])
    return isinstance(plugin, Recognising) or (how == "serial" and "serial" in plugin.schemes)


def _is_profile(file: Path) -> bool:
    """site.yaml and others lie beside it as well; what is no YAML at all does not hold up a scan."""
    try:
        said = yamlfile.read(file).data
    except ConfigError as error:
        say(f"passed over: {error}", sys.stderr)
        return False
    return isinstance(said, dict) and "driver" in said


def _agree(count: int, args: argparse.Namespace) -> None:
    say(f"{count} addresses will be tried at port {args.port}, and what answers will be read.")
    print("Is the network yours to scan? Type yes: ", end="", flush=True)
    if sys.stdin.readline().strip().lower() != "yes":
        raise ServiceRefused("nothing was done")


async def _tcp(scanner: Scanner, args: argparse.Namespace, hosts: list[str], finds: list[Find]) -> None:
    port = "" if args.port == 502 else f":{args.port}"
    found = await open_hosts(hosts, args.port, scanner.step)
    scanner.trouble = next(iter(found.values()), "") if len(found) == 1 else ""
    for host in (host for host in hosts if not found[host]):
        shown = f"[{host}]" if ":" in host else host
        url = f"tcp://{shown}{port}"
        finds += await scanner.registers(url, args.units) or [Find(url, answers=False)]


async def _serial(scanner: Scanner, args: argparse.Namespace, _: list[str], finds: list[Find]) -> None:
    """Batteries in frames of their own first, which is quick; then registers. The settings of a line are one
    for all on it: the first that brings an answer is the one."""
    path = proposal.by_id(args.where)
    finds += await scanner.trials(path)
    for baud in () if finds else args.baud or BAUDS:
        for parity in ("N", "E"):
            url = f"rtu://{path}?baud={baud}" + ("" if parity == "N" else f"&parity={parity}")
            if found := await scanner.registers(url, args.units, ANSWER_S):
                finds += found
                return


async def _can(scanner: Scanner, args: argparse.Namespace, _: list[str], finds: list[Find]) -> None:
    url = args.where if "://" in args.where else f"can://{args.where}"
    found, counted = await scanner.frames(url, args.seconds)
    ids = ", ".join(f"{id:#x}" for id, _ in sorted(counted))
    finds += [Find(f.link, f.unit, f.matches, (*f.notes, f"ids heard: {ids}")) for f in found]


async def _ble(scanner: Scanner, args: argparse.Namespace, _: list[str], finds: list[Find]) -> None:
    scanner.step(0, 1, f"listening for {args.seconds:g} s")
    finds += await scanner.sightings(args.where, args.seconds)
    if scanner.others:
        print(f"{scanner.others} others advertise, and fit no profile", file=sys.stderr)


async def _opcua(scanner: Scanner, args: argparse.Namespace, _: list[str], finds: list[Find]) -> None:
    url = args.where if "://" in args.where else f"opc.tcp://{args.where}"
    scanner.step(0, 1, f"asking {url}")
    finds += await scanner.offers(url)


def _show(args: argparse.Namespace, finds: list[Find], trouble: str) -> None:
    if args.json:
        print(json.dumps({"finds": [as_json(find) for find in finds]}))
        return
    for find in finds:
        say("\n".join(proposal.told(find)))
    if lines := proposal.yaml(finds):
        print(f"\nfor site.yaml, after a look at each profile's `enable` and `notes`:\n\n{lines}")
    elif finds:
        say("\nlook closer with gridseal raw; a profile of your own: docs/adding-a-device.md")
    elif args.where:
        say(plain(f"nothing answers at {args.where}" + (f": {trouble}" if trouble else "")))
    else:
        print("nobody known is heard")


def as_json(find: Find) -> dict[str, Any]:
    matches = [{"profile": m.profile, "role": m.role, "identity": dict(m.identity)} for m in find.matches]
    return {
        "link": find.link,
        "unit": find.unit,
        "answers": find.answers,
        "matches": matches,
        "notes": list(find.notes),
    }
