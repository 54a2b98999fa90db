"""`gridseal run`: the daemon, in the foreground; what the systemd unit starts."""

import argparse
import asyncio
from pathlib import Path

from gateway import config
from gateway.daemon import Daemon

HELP = """\
run the site until stopped (SIGTERM or Ctrl-C)

Puts the battery into its fallback first and last; in between polls, stores, controls, signs and submits.
Exit code 1 when the store failed: systemd starts it again.

  gridseal run site.yaml"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("site", type=Path, help="the site.yaml")


def run(args: argparse.Namespace) -> int:
    site = config.load(args.site)
    asyncio.run(Daemon(site).run())
    return 0
