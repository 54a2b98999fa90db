"""`gridseal run`: the daemon, in the foreground; what the systemd unit starts."""

import argparse
from pathlib import Path

from gateway import apart
from gateway.site import Site

HELP = """\
run the site until stopped (SIGTERM or Ctrl-C)

Puts the battery into its fallback first and last; in between polls, stores, controls, signs and submits.
Exit code 1 when the store failed: systemd starts it again.

  gridseal run site.yaml"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("site", type=Path, help="the site.yaml")


def run(args: argparse.Namespace) -> int:
    site = apart.begin(lambda: _load(args.site))
    import asyncio  # here, so that it is loaded while the child reads

    from gateway.daemon import Daemon

    asyncio.run(Daemon(site()).run())
    return 0


def _load(path: Path) -> Site:
    from gateway import config  # in the child only: it brings the models and the YAML library

    return config.load(path)
