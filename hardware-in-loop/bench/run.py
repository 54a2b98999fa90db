"""`make bench`: runs all benches, or those named, each in a process of its own; one JSON line each.

    make bench
    make bench ARGS="poll sign"
    make bench ARGS="--quick"      tiny sizes, to see that all of them run

Exit code 1 when a bench failed; a figure never fails. One that needs a tool that is missing says so.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

BENCHES = (
    "poll",
    "decode",
    "slcan",
    "sign",
    "store",
    "start",
    "site500",
    "outage",
    "setpoint",
    "response",
    "soak",
)
HERE = Path(__file__).parents[1]


def run(name: str, *, quick: bool) -> bool:
    """Run one bench, its line to standard output; whether it ended well."""
    paths = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", f"bench.{name}", *(["--quick"] if quick else [])]
    done = subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": paths})
    return done.returncode == 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.names if name not in BENCHES]:
        parser.error(f"there is no bench {unknown[0]!r}; there are {', '.join(BENCHES)}")
    ended = [run(name, quick=given.quick) for name in given.names or BENCHES]
    return 0 if all(ended) else 1


if __name__ == "__main__":
    sys.exit(main())
