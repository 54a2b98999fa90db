"""Signals that end a process in order: which are heard, and for how long. What then ends is the caller's."""

import asyncio
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

ASKED = (signal.SIGTERM, signal.SIGINT)  # by systemd, and by Ctrl-C


@contextmanager
def by_signals(stop: Callable[[], None], signals: Sequence[signal.Signals] = ASKED) -> Iterator[None]:
    """`stop` is called for each of them until this ends, on the running loop."""
    loop = asyncio.get_running_loop()
    for number in signals:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
