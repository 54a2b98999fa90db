"""`gridseal capture`: what passes on one device's wire, into a file that can be played without it."""

import argparse
import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn

from gateway import config, profilefile, units
from gateway.capturefile import Writer
from gateway.cli.capturing import Done, Job, captured
from gateway.cli.outfile import whole
from gateway.cli.read import named
from gateway.cli.screen import Screen
from gateway.cli.text import say
from gateway.driver import Plugin, find_plugins
from gateway.errors import ConfigError
from gateway.narrate import plain
from gateway.site import Device
from gateway.tape import Event, Masking

HELP = """\
record what passes on one device's wire to a file, to be played without it

Through the running daemon, beside its work; without one it reads the device itself. Nothing is written to
the device. Ctrl-C ends it early, and the file is whole. --mask leaves out where the device is and what its
profile knows to be a serial number: do that before a file is given away.

  gridseal capture site.yaml inverter
  gridseal capture site.yaml bms --for "5 min" --mask -o bms.jsonl
  gridseal replay bms.jsonl

exit code 1 when the device gave no reading (docs/captures.md)"""

DEFAULT_MS, MOST_MS = 60_000, 24 * 3_600_000
SIZE, SIZE_MOST = 16 * 2**20, 256 * 2**20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("site", type=Path, help="the site.yaml")
    parser.add_argument("device", help="name of the device in site.yaml")
    parser.add_argument(
        "--for", dest="for_ms", type=_duration, default=DEFAULT_MS, metavar="TIME", help="60 s if not said"
    )
    parser.add_argument(
        "--size", type=_size, default=SIZE, metavar="SIZE", help="most it may become; 16 MiB if not said"
    )
    parser.add_argument("--mask", action="store_true", help="leave out serial numbers and addresses")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="instead of DEVICE-TIME.jsonl")


def _duration(text: str) -> int:
    try:
        return units.parse(text, units.DURATION_MS, least=1000, most=MOST_MS)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _size(text: str) -> int:
    try:
        return units.parse(text, units.SIZE_BYTES, least=2**16, most=SIZE_MOST)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def run(args: argparse.Namespace) -> int:
    plugins = find_plugins()
    site = config.load(args.site, plugins)
    device = named(site, args.device, args.site)
    mask = masker(plugins, device) if args.mask else None
    document = profilefile.find(device.profile_name, args.site.parent, plugins)
    job = Job(site, device, plugins, document.data, args.for_ms, args.size, mask)
    output = args.output or Path(f"{device.name}-{datetime.now(UTC):%Y%m%dT%H%M%S}.jsonl")
    with whole(output) as file, _progress(job) as show:
        done = asyncio.run(captured(job, lambda header: Writer(file, header), show))
    say(told(done, output, masked=args.mask))
    return 0 if done.writer.samples else 1


def masker(plugins: Mapping[str, Plugin], device: Device) -> Callable[[Event], Event]:
    plugin = plugins[device.kind]
    if not isinstance(plugin, Masking):
        raise ConfigError(f"where {device.kind} devices say their serial number is not known: no --mask")
    return plugin.masker(device.profile)


@contextmanager
def _progress(job: Job) -> Iterator[Callable[[int, Writer], None]]:
    """A bar on a terminal, nothing elsewhere."""
    columns = (BarColumn(24), TextColumn("{task.description}"))
    screen = Screen()
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("connecting", total=job.for_ms)

        def show(spent_ms: int, writer: Writer) -> None:
            text = (
                f"{spent_ms / 1000:.0f} of {job.for_ms / 1000:.0f} s, {writer.events} events, "
                f"{writer.samples} samples, {units.size(writer.size)}"
            )
            bar.update(task, completed=min(spent_ms, job.for_ms), description=text)

        yield show


def told(done: Done, output: Path, *, masked: bool) -> str:
    """What there is now, and what to do with it."""
    writer = done.writer
    lines = [
        f"{output}: {writer.events} events, {writer.samples} samples, {units.size(writer.size)}, "
        f"ended by {done.why}",
        f"sha256 {done.digest}",
    ]
    if not masked:
        lines.append("it holds serial numbers and addresses as they are; --mask leaves them out")
    if not writer.samples:
        lines.append(f"NO READINGS: {plain(done.error) or 'the device gave none in that time'}")
    return "\n".join(lines)
