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
The relayer's (`http: {relayer: …}`) opens the signed records and nothing else.

  gridseal token site.yaml
  gridseal token site.yaml --new            another one; it counts once the daemon was restarted
  gridseal token site.yaml --relayer        the relayer's, for its fleet.yaml"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("site", type=Path, help="the site.yaml")
    parser.add_argument("--new", action="store_true", help="make another one in its place")
    parser.add_argument("--relayer", action="store_true", help="the one that opens signed records only")


def run(args: argparse.Namespace) -> int:
    http = config.load(args.site).http
    if http is None:
        raise ConfigError(f"{args.site}: this site has no `http:`, so there is no token")
    path = http.relayer if args.relayer else http.token
    if path is None:
        raise ConfigError(f"{args.site}: names no file for a relayer's token: add http: {{relayer: …}}")
    if args.new:
        _remove(path)
    print(token.load_or_make(path))
    return 0


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be replaced: {error.strerror}") from error
