"""`gridseal register`: what a site's owner sends so that a contract system knows the site.

It makes the call from site.yaml and what the devices say of themselves; the owner's wallet signs and sends
it. It asks no chain and holds no owner's key.
"""

import argparse
import json
import sqlite3
from contextlib import closing
from pathlib import Path

from gateway import config
from gateway.cli import amount
from gateway.errors import ConfigError, StoreError
from gateway.site import Site

HELP = """\
the call by which an owner registers this site with its contract system

Prints the contract and the data of a transaction as JSON (on Stacks: contract, function and arguments): the
owner sends it from a wallet. The id that comes back goes into site.yaml (storage:, meter:, member:,
microgrid: or facility:; until then any number may stand there), and `gridseal keys prove` gives the next
call, which binds the gateway's key.

  gridseal register site.yaml --owner 0x… --capacity "10 kWh" --location "Meadow Lane 7"
  gridseal register site.yaml --owner 0x…     the capacity as the devices said it last"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("site", type=Path, help="the site.yaml")
    parser.add_argument(
        "--owner",
        required=True,
        metavar="ADDRESS",
        help="who will own it in the contract: 0x… (on Stacks: SP…)",
    )
    parser.add_argument("--capacity", type=amount.energy, default=0, help='of the battery, as "10 kWh"')
    parser.add_argument("--efficiency", type=amount.percent, default=9000, help='of a round trip, as "90 %%"')
    parser.add_argument("--location", default="", help="in words")
    parser.add_argument("--battery", default="LITHIUM_ION", help="its kind, as the contract wants it")


def run(args: argparse.Namespace) -> int:
    from gateway.chain import platforms  # the libraries of the chain, which no other verb needs
    from gateway.chain.platforms.calls import Nameplate

    site = config.load(args.site)
    if site.chain is None:
        raise ConfigError(f"{args.site}: this site has no `chain:` to be registered with")
    platform = platforms.platform(site.chain)
    plate = Nameplate(
        platform.owner(args.owner).address,
        site.id,
        args.capacity or rated_wh(site),
        max(site.limits.charge_w, site.limits.discharge_w),
        args.efficiency,
        args.location,
        args.battery,
    )
    print(json.dumps({"from": plate.owner, **platform.registration(plate).fields}))
    return 0


def rated_wh(site: Site) -> int:
    """The capacity on the nameplates, as the store knows it; 0 when it does not."""
    from gateway.store import files, performance

    try:
        with closing(files.connect_readonly(site.store.path)) as conn:
            last = performance.last(conn)
    except (StoreError, sqlite3.Error):
        return 0
    return last.rated_wh or 0 if last else 0
