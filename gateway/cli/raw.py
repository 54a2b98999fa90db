"""`gridseal raw`: registers, CAN frames and what else is at a link, for who finds out what a device says.

Owns the ways in which a register can be read by a person; it refuses to say which is right.
"""

import argparse
import asyncio
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from rich.table import Table
from rich.text import Text

from gateway.cli import amount
from gateway.cli.scanning import heard
from gateway.cli.screen import Screen
from gateway.cli.text import say
from gateway.clock import SystemClock
from gateway.driver import Plugin, find_plugins
from gateway.errors import ConfigError, DeviceRefused
from gateway.narrate import plain
from gateway.recognising import Looking

HELP = """\
show registers, CAN frames, OPC UA nodes or Bluetooth characteristics as they are on the wire

Reads only, but for a frame that you write to a Bluetooth device yourself. Addresses are those of the wire:
holding 0 is what some manuals call 40001. Each register is shown in the formats it may have, together with
the next one for 32 bits (high word first; --little: low word first); where that often means "not available"
it is marked under n/a? (16 or 32 bits, f: float). For frames, each id with its period and its last bytes;
--all prints every frame. Of an OPC UA server a node with what lies below it, written as in a
profile. Of a Bluetooth device its characteristics, or what it answers to a frame; it takes one connection, so
end the gateway first.

  gridseal raw tcp://192.168.1.40 --unit 1 holding 30000 10
  gridseal raw "rtu:///dev/ttyUSB0?baud=9600" --unit 3 input 0 20
  gridseal raw can://can0 --seconds 5
  gridseal raw opc.tcp://192.168.1.50:4840 "nsu=urn:example:ess;s=Battery.SoC"
  gridseal raw ble://A4:C1:38:00:11:22
  gridseal raw ble://A4:C1:38:00:11:22 ff00 ff01 ff02 dda50300fffd77

exit code 1 when nothing came"""

TABLES = ("holding", "input", "coils", "discrete")
BLOCK, COUNT_MAX = 100, 2000
ANSWER_S = 2.0
IDS_MAX = 4096
MARKS16 = frozenset({0xFFFF, 0x8000, 0x7FFF})
FLOAT_MOST = 3.4e38
MARKS32 = frozenset({0xFFFFFFFF, 0x80000000, 0x7FFFFFFF})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "link", metavar="LINK", help="as in site.yaml: tcp://…, can://…, opc.tcp://…, ble://…"
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="WHAT",
        help="TABLE ADDRESS [COUNT], or a NODE, or SERVICE NOTIFY WRITE FRAME",
    )
    parser.set_defaults(loose=True)
    parser.add_argument("--unit", type=_number, default=1)
    parser.add_argument("--little", action="store_true", help="32 bits: low word first")
    parser.add_argument("--seconds", type=amount.seconds, default=5.0, help="how long to listen for frames")
    parser.add_argument("--all", action="store_true", help="print each frame as it comes")


def _number(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number (30000 or 0x7530)") from None


def run(args: argparse.Namespace) -> int:
    scheme = args.link.partition("://")[0]
    plugin = next((p for p in find_plugins().values() if scheme in p.link_schemes), None)
    if plugin is None:
        raise ConfigError(f"{args.link!r} is no link that an installed driver opens")
    if isinstance(plugin, Looking):
        return asyncio.run(_look(plugin, args))
    if not args.words:
        return asyncio.run(_frames(plugin, args))
    return asyncio.run(_registers(plugin, args, what(args.words, args.unit)))


async def _look(plugin: Looking, args: argparse.Namespace) -> int:
    shown = await plugin.look(args.link, args.words, args.seconds, SystemClock())
    table = Table(box=None, pad_edge=False)
    for name in shown.columns:
        table.add_column(name, overflow="fold")
    for row in shown.rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    screen = Screen()
    screen.print(table)
    if shown.note:
        say(plain(shown.note))
    return 0 if shown.rows else 1


@dataclass(frozen=True, slots=True)
class What:
    """Which registers of whom."""

    unit: int
    table: str
    address: int
    count: int


def what(words: Sequence[str], unit: int) -> What:
    """TABLE ADDRESS [COUNT]. ConfigError when that is no place of registers."""
    try:
        table, address, count = words[0], int(words[1], 0), int(words[2], 0) if len(words) > 2 else 1
    except (IndexError, ValueError):
        table = ""
    if table not in TABLES or len(words) > 3:
        raise ConfigError(f"write a table ({', '.join(TABLES)}), an address and a count: holding 30000 10")
    if not 1 <= count <= COUNT_MAX or not 0 <= address <= 0x10000 - count or not 0 <= unit <= 255:
        raise ConfigError(f"units are 0 to 255, addresses end at 65535, and {COUNT_MAX} are shown at most")
    return What(unit, table, address, count)


async def _registers(plugin: Plugin, args: argparse.Namespace, asked: What) -> int:
    link: Any = plugin.open_link(args.link, SystemClock())
    if not hasattr(link, "read_bits"):
        await link.close()
        raise ConfigError(f"there are no registers at {args.link!r}")
    screen, came = Screen(), False
    try:
        for first in range(asked.address, asked.address + asked.count, BLOCK):
            block = replace(asked, address=first, count=min(BLOCK, asked.address + asked.count - first))
            try:
                screen.print(await _block(link, block, little=args.little))
                came = True
            except DeviceRefused as no:
                screen.print(Text(str(no), style="yellow"))
    finally:
        await link.close()
    return 0 if came else 1


async def _block(link: Any, b: What, *, little: bool) -> Table:
    if b.table in ("coils", "discrete"):
        return bit_table(
            b.address, await link.read_bits(b.unit, b.table, b.address, b.count, timeout_s=ANSWER_S)
        )
    data = await link.read(b.unit, b.table, b.address, b.count, timeout_s=ANSWER_S)
    return register_table(b.address, data, little=little)


@dataclass(frozen=True, slots=True)
class Seen:
    """One register in its possible forms; of the 32-bit ones the last register of a read has none."""

    address: int
    u16: int
    s16: int
    u32: int | None
    s32: int | None
    f32: float | None
    text: str
    absent: tuple[str, ...]  # the forms in which it may mean "not available": 16, 32, f


def forms(first: int, data: bytes, *, little: bool) -> Iterator[Seen]:
    words = struct.unpack(f">{len(data) // 2}H", data)
    for n, word in enumerate(words):
        characters = "".join(chr(b) if 0x20 <= b < 0x7F else "." for b in data[2 * n : 2 * n + 2])
        signed = word - 0x10000 if word & 0x8000 else word
        marks: tuple[str, ...] = ("16",) if word in MARKS16 else ()
        if n + 1 == len(words):
            yield Seen(first + n, word, signed, None, None, None, characters, marks)
            continue
        raw = struct.pack(">HH", *((words[n + 1], word) if little else (word, words[n + 1])))
        u32, s32, f32 = (struct.unpack(code, raw)[0] for code in (">I", ">i", ">f"))
        marks += ("32",) if u32 in MARKS32 else ()
        marks += ("f",) if math.isnan(f32) or abs(f32) >= FLOAT_MOST else ()
        yield Seen(first + n, word, signed, u32, s32, f32, characters, marks)


def register_table(first: int, data: bytes, *, little: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("at", "hex", "word", "u16", "s16", "u32", "s32", "f32", "text", "n/a?"):
        table.add_column(name, justify="left" if name in ("text", "n/a?") else "right", no_wrap=True)
    for seen in forms(first, data, little=little):
        f32 = "" if seen.f32 is None else f"{seen.f32:.5g}"
        cells = (seen.u16, seen.s16, _shown(seen.u32), _shown(seen.s32), f32)
        row = (
            seen.address,
            f"{seen.address:04x}",
            f"{seen.u16:04x}",
            *cells,
            seen.text,
            " ".join(seen.absent),
        )
        table.add_row(*(Text(str(cell)) for cell in row), style="yellow" if seen.absent else "")
    return table


def _shown(value: int | None) -> str:
    return "" if value is None else str(value)


def bit_table(first: int, bits: Sequence[bool]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("address", justify="right")
    table.add_column("bit")
    for n, bit in enumerate(bits):
        table.add_row(str(first + n), "1" if bit else "0")
    return table


@dataclass(slots=True)
class Heard:
    """What one id did."""

    count: int = 0
    first_ms: int = 0
    last_ms: int = 0
    data: bytes = b""
    changed: int = 0  # bits that were not always the same, as a mask of bytes

    def take(self, data: bytes, now_ms: int) -> None:
        if not self.count:
            self.first_ms = now_ms
        elif len(data) == len(self.data):
            self.changed |= sum(
                1 << i for i, (a, b) in enumerate(zip(data, self.data, strict=True)) if a != b
            )
        self.count, self.last_ms, self.data = self.count + 1, now_ms, data


Key = tuple[int, bool]


async def _frames(plugin: Plugin, args: argparse.Namespace) -> int:
    clock, screen = SystemClock(), Screen()
    link: Any = plugin.open_link(args.link, clock)
    if not hasattr(link, "listen"):
        await link.close()
        raise ConfigError(f"for registers write which: gridseal raw {args.link} holding 30000 10")
    found: dict[Key, Heard] = {}
    began_ms = clock.mono_ms()
    try:
        with suppress(asyncio.CancelledError):  # Ctrl-C: what was heard is shown
            async for frame in heard(link, args.seconds):
                now_ms = clock.mono_ms()
                if args.all:
                    screen.print(Text(f"{now_ms - began_ms:7d} ms  {frame.id:8x}  {frame.data.hex(' ')}"))
                key = frame.id, frame.extended
                if key in found or len(found) < IDS_MAX:
                    found.setdefault(key, Heard()).take(frame.data, now_ms)
    finally:
        await link.close()
    screen.print(frame_table(found) if found else Text(f"nothing heard at {args.link}"))
    return 0 if found else 1


def frame_table(found: Mapping[Key, Heard]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name, justify in (("id", "right"), ("frames", "right"), ("every", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for name in ("last bytes (bold: they changed)", "text"):
        table.add_column(name, no_wrap=True)
    for (id, extended), one in sorted(found.items()):
        every = (one.last_ms - one.first_ms) / (one.count - 1) if one.count > 1 else 0
        data = Text()
        for i, byte in enumerate(one.data):
            data.append(f"{byte:02x} ", style="bold" if one.changed >> i & 1 else "dim")
        characters = "".join(chr(b) if 0x20 <= b < 0x7F else "." for b in one.data)
        name = f"{id:08x}" if extended else f"{id:03x}"
        table.add_row(name, str(one.count), f"{every:.0f} ms" if every else "", data, Text(characters))
    return table
