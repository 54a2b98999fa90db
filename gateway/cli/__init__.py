"""The `gridseal` command: finds the verb, parses its arguments, turns expected errors into one line.

Each verb is a module of this package with HELP (first line: what it does), add_arguments(parser) and
run(args) -> exit code. Exit codes: 0 done and well, 1 something was found wrong, 2 wrong usage.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from types import ModuleType
from typing import Any, TextIO

from gateway.cli.text import Help, say
from gateway.errors import GridsealError

VERBS = (
    "run",
    "relay",
    "check",
    "commission",
    "read",
    "capture",
    "replay",
    "scan",
    "raw",
    "watch",
    "status",
    "setpoint",
    "order",
    "prices",
    "figures",
    "export",
    "verify",
    "keys",
    "register",
    "token",
    "devices",
    "schema",
)

ABOUT = """\
Gridseal runs a battery site: reads its devices, carries out setpoints inside a safety envelope,
keeps every reading and signs what contracts pay by. One file, site.yaml, describes the site."""

NEXT = """\
first steps:
  gridseal scan tcp 192.168.1.40         what is there? lines for site.yaml
  gridseal check site.yaml               is the file right? what will be polled, and does the bus keep up?
  gridseal read site.yaml inverter       one poll of one device, as a table
  gridseal run site.yaml                 run the site until stopped
`gridseal VERB --help` explains each verb with examples."""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the `gridseal` command."""
    words = list(sys.argv[1:] if argv is None else argv)
    _tolerate(sys.stdout, sys.stderr)
    try:
        parser = _parser(words[0] if words else "")
        args = _parse(parser, words)
        verb = _verb(args.verb)
        code: int = verb.run(args)
        print(end="", flush=True)
        return code
    except GridsealError as error:
        lines = str(error).splitlines() or [type(error).__name__]
        say("\n".join(lines if len(lines) > 1 else [f"gridseal: {lines[0]}"]), sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] in ("gateway", "drivers"):
            raise
        say(f'gridseal: {error.name} is not installed: pip install "gridseal[chain]"', sys.stderr)
        return 1
    except BrokenPipeError:  # the reader (head, less) has seen enough
        _silence()
        return 0
    except OSError as error:  # a full disk under the output, a folder that may not be entered
        say(f"gridseal: {error.filename or 'output'}: {error.strerror}", sys.stderr)
        if error.filename is None:
            _silence()
        return 1
    except KeyboardInterrupt:
        return 130


def _tolerate(*streams: TextIO) -> None:
    """A terminal that knows no arrows, or a file whose name is no text, gets a ? and no traceback."""
    for stream in streams:
        if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


def _silence() -> None:
    """What could not be written is not tried again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Version(argparse.Action):
    """Read from the installed distribution, and only when somebody asks."""

    def __init__(self, option_strings: Sequence[str], dest: str, **rest: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **rest)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"gridseal {version('gridseal')}")
        parser.exit()


def _parse(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """As parse_args, but WORD=VALUE parameters may also stand behind options, where argparse loses them; so
    may any words of a verb that is `loose`."""
    if not words:
        parser.print_help(sys.stderr)
        parser.exit(2)
    if words[0] not in VERBS and not words[0].startswith("-"):
        from difflib import get_close_matches  # only when there is a mistake

        near = get_close_matches(words[0], VERBS, 1)
        known = f"did you mean {near[0]}?" if near else f"there are: {', '.join(VERBS)}"
        parser.error(f"there is no verb {words[0]!r}; {known}")
    args, rest = parser.parse_known_args(words)
    loose = hasattr(args, "loose")
    if (rest and not (hasattr(args, "words") and all(loose or "=" in r for r in rest))) or _option(rest):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        args.words += rest
    return args


def _option(rest: Sequence[str]) -> bool:
    return any(word.startswith("-") for word in rest)


def _verb(name: str) -> ModuleType:
    return import_module(f"gateway.cli.{name}")


def _parser(wanted: str) -> argparse.ArgumentParser:
    """Only the wanted verb's module is imported, so that `gridseal status` stays quick on a Pi."""
    parser = argparse.ArgumentParser(prog="gridseal", description=ABOUT, epilog=NEXT, formatter_class=Help)
    parser.add_argument("--version", action=Version, help="show the version and leave")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", title="verbs")
    for name in VERBS:
        if wanted in VERBS and name != wanted:
            verbs.add_parser(name)
            continue
        module = _verb(name)
        text: str = module.HELP
        sub = verbs.add_parser(name, help=text.splitlines()[0], description=text, formatter_class=Help)
        module.add_arguments(sub)
    return parser
