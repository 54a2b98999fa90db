"""`gridseal token`: the token that opens changes over HTTP: shows it, makes it, makes another.

It is printed to who may read the file and to nobody else. It refuses a site without `http:`.
"""

import argparse
from pathlib import Path

from gateway import config
from gateway.errors import ConfigError
from gateway.uplink.http import token

HELP = """\
show the token that opens changes over HTTP, or make a new one

The daemon makes it at its first start; who has it may order a stop, hand in signed orders and see setpoints.

  gridseal token site.yaml
  gridseal token site.yaml --new            another one; it counts once the daemon was restarted"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("site", type=Path, help="the site.yaml")
    parser.add_argument("--new", action="store_true", help="make another one in its place")


def run(args: argparse.Namespace) -> int:
    http = config.load(args.site).http
    if http is None:
        raise ConfigError(f"{args.site}: this site has no `http:`, so there is no token")
    if args.new:
        _remove(http.token)
    print(token.load_or_make(http.token))
    return 0


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be replaced: {error.strerror}") from error
