"""`gridseal relay`: the relayer of a fleet, in the foreground; what its systemd unit starts."""

import argparse
import asyncio
import json
from pathlib import Path

from gateway.errors import LinkError
from gateway.fleet import file
from gateway.uplink.local import NoDaemon, ask

HELP = """\
bring the signed records of many sites to their contracts, in few transactions (docs/fleet.md)

Asks each site of fleet.yaml for what it signed, checks it, and submits the intervals of many sites in one
transaction, which its own key pays. It can leave a record out; it can change none. Until stopped.

  gridseal relay fleet.yaml
  gridseal relay --check fleet.yaml     is the file right? reaches nothing
  gridseal relay --status fleet.yaml    how the running one does, as JSON"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("fleet", type=Path, help="the fleet.yaml")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--check", action="store_true", help="only read the file")
    how.add_argument("--status", action="store_true", help="ask the running relayer; exit code 1 in trouble")


def run(args: argparse.Namespace) -> int:
    fleet = file.load(args.fleet)
    if args.status:
        return _status(fleet.socket)
    if args.check:
        contracts = len({site.contract for site in fleet.sites})
        print(f"{len(fleet.sites)} sites, {contracts} contract{'s' * (contracts > 1)}: good")
        return 0
    from gateway.fleet.process import Process  # with it come the chain's libraries

    asyncio.run(Process(fleet).run())
    return 0


def _status(socket: Path) -> int:
    try:
        status = asyncio.run(ask(socket, {"do": "status"}))
    except NoDaemon:
        raise LinkError(f"no relayer runs here, at {socket}: start it with `gridseal relay`") from None
    print(json.dumps(status))
    return 1 if status["trouble"] or status["in_trouble"] else 0
