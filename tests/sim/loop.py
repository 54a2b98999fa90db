"""Virtual time for asyncio: when nothing is ready, the clock jumps to the next timer.

A day of a site takes seconds, the same seed gives the same trace, and a wait that nothing can end is an
error at once. Owns time and nothing else: sockets and pipes of the loop work as ever, threads do not
exist (`to_thread` runs its function there and then).

    result = run(main)            # main(clock) -> coroutine
"""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from gateway.model import ClockTrust, Stamp

T = TypeVar("T")
WALL_MS = 1_790_000_000_000  # some day in 2026


class Deadlock(Exception):
    """Every task waits for something that nothing will bring."""


class TimeSelector(selectors.DefaultSelector):
    """Looks at the real file descriptors without waiting; if none is ready, moves time on instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None:
            raise Deadlock("all tasks wait and no timer is set")
        self.now_s += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is TimeSelector's."""

    def __init__(self) -> None:
        self._time = TimeSelector()
        super().__init__(self._time)

    def time(self) -> float:
        return self._time.now_s

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: object) -> None:  # type: ignore[override]
        """A signal is for the process that plays, not for a daemon in it: a pool must be able to end it."""

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - the awaiting task gets it
            future.set_exception(error)
        return future


class VirtualClock:
    """A gateway Clock on a VirtualLoop: its wall clock can be stepped and distrusted."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.wall_offset_ms = WALL_MS
        self.trust = ClockTrust.TRUSTED

    def mono_ms(self) -> int:
        return int(self._loop.time() * 1000 + 0.001)  # 0.001: a timer at 3 s must not read 2999 ms

    def now(self) -> Stamp:
        mono = self.mono_ms()
        return Stamp(mono, mono + self.wall_offset_ms, self.trust)

    def step(self, ms: int) -> None:
        """The wall clock jumps, as after an NTP answer or a hostile one."""
        self.wall_offset_ms += ms


def run(main: Callable[[VirtualClock], Awaitable[T]]) -> T:
    """Run `main(clock)` in virtual time. Deadlock when it can never end."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(_call(main, VirtualClock(loop)))
    finally:
        try:
            _cancel_rest(loop)
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


async def _call(main: Callable[[VirtualClock], Awaitable[T]], clock: VirtualClock) -> T:
    return await main(clock)


def _cancel_rest(loop: VirtualLoop) -> None:
    rest = asyncio.all_tasks(loop)
    for task in rest:
        task.cancel()
    if rest:
        loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
