"""A picture on the whole terminal, drawn anew until somebody ends it; what does not fit is on further pages.

Owns the keys and gives the terminal back as it was, however it ends. It refuses to draw where nobody looks: a
pipe would get one picture after another.
"""

import asyncio
import math
import os
import sys
import termios
import tty
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.live import Live
from rich.segment import Segments
from rich.text import Text

from gateway.cli.screen import Screen
from gateway.errors import ServiceRefused

EVERY_S = 0.5
FORWARD = frozenset({b" ", b"n", b"\r", b"\n", b"\x1b[6~", b"\x1b[B", b"\x1b[C"})  # page down, arrows
BACK = frozenset({b"b", b"p", b"\x1b[5~", b"\x1b[A", b"\x1b[D"})
END = frozenset({b"q", b"Q", b"\x04"})
KEY_MAX = 16  # bytes; what comes at once and is longer is no key


@dataclass(slots=True)
class Pages:
    """Which part of a picture is seen."""

    page: int = 0
    ended: bool = False
    pressed: asyncio.Event = field(default_factory=asyncio.Event)

    def key(self, said: bytes) -> None:
        self.page += (said in FORWARD) - (said in BACK)
        self.ended |= said in END
        self.pressed.set()

    def seen(self, screen: Screen, whole: RenderableType) -> RenderableType:
        """The page that is turned to, with its number; all of it where it fits."""
        lines = screen.render_lines(whole, screen.options.update(height=None), pad=False, new_lines=True)
        if len(lines) <= screen.height:
            return whole
        room = max(1, screen.height - 1)
        count = -(-len(lines) // room)
        self.page %= count
        part = lines[self.page * room : (self.page + 1) * room]
        part += [[*screen.render(Text("\n", end=""))]] * (room - len(part))
        foot = f"page {self.page + 1} of {count}: space turns, q ends"
        return Group(
            Segments([segment for line in part for segment in line]),
            Text(foot, style="reverse", no_wrap=True, overflow="crop", end=""),
        )


def terminal() -> Screen:
    """ServiceRefused where there is none."""
    screen = Screen()
    if not screen.is_terminal:
        raise ServiceRefused("there is no terminal to keep a picture on: leave out --watch, or say --seconds")
    return screen


async def show(draw: Callable[[Screen], Awaitable[RenderableType]], seconds: float = 0) -> None:
    """Until q or Ctrl-C, or for so long. ServiceRefused where there is no terminal."""
    screen = terminal()
    pages, loop = Pages(), asyncio.get_running_loop()
    until = loop.time() + seconds if seconds else math.inf
    with _keys(pages.key), Live(console=screen, screen=True, auto_refresh=False) as live:
        while not pages.ended and loop.time() < until:
            live.update(pages.seen(screen, await draw(screen)), refresh=True)
            pages.pressed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(pages.pressed.wait(), EVERY_S)


@contextmanager
def _keys(take: Callable[[bytes], None]) -> Iterator[None]:
    """Each key as it is pressed, and not shown. Ctrl-C stays the signal it is."""
    if not sys.stdin.isatty():
        yield
        return
    keyboard, loop = sys.stdin.fileno(), asyncio.get_running_loop()
    before = termios.tcgetattr(keyboard)
    tty.setcbreak(keyboard)
    loop.add_reader(keyboard, lambda: take(os.read(keyboard, KEY_MAX)))
    try:
        yield
    finally:
        loop.remove_reader(keyboard)
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
