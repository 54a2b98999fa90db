"""Frames of a serial CAN adapter: our link against python-can's slcan bus and a reader written by hand.

All three read the same lines on ptys, as fast as they come; then at the pace of a busy battery, while a clock
beside them says how late the event loop got. Ours checks each line and hands frames to bounded queues;
`gridseal_decoded` makes values of them too, as `python_can_decoded` does by cantools. By hand is os.read,
split and fromhex, which checks nothing.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import can
from cantools.database.can import Database

from bench.common import Result, compare, cost_us, main, process, python, ratio, spread
from drivers.can import PLUGIN
from drivers.can.codec import decode
from gateway import profilefile
from gateway.clock import SystemClock

TICK_S = 0.002
PACE = 100  # frames a second
PATIENCE_S = 60.0

Take = Callable[[], Awaitable[object]]  # the next frame


@asynccontextmanager
async def ours(path: str) -> AsyncIterator[Take]:
    link = PLUGIN.open_link(f"slcan://{path}", SystemClock())
    listener = link.listen(frozenset())
    await listener.open()
    yield lambda: anext(listener)
    await link.close()


@asynccontextmanager
async def ours_decoded(path: str) -> AsyncIterator[Take]:
    _, profile = profilefile.load("pylontech_can", Path("/nonexistent"), {"can": PLUGIN})
    table = profile.table().codec
    async with ours(path) as take:

        async def one() -> object:
            return decode(table, await take())

        yield one


@asynccontextmanager
async def library(path: str) -> AsyncIterator[Take]:
    bus = can.Bus(interface="slcan", channel=path, bitrate=500_000, sleep_after_open=0)
    reader = can.AsyncBufferedReader()
    notifier = can.Notifier(bus, [reader], loop=asyncio.get_running_loop())
    yield reader.get_message
    notifier.stop()
    bus.shutdown()


@asynccontextmanager
async def library_decoded(path: str) -> AsyncIterator[Take]:
    database = Database()
    database.add_dbc_string((PLUGIN.profiles / "pylontech_can.dbc").read_text("utf-8"))
    async with library(path) as take:

        async def one() -> object:
            message = await take()
            return database.decode_message(message.arbitration_id, message.data, allow_truncated=True)

        yield one


@asynccontextmanager
async def by_hand(path: str) -> AsyncIterator[Take]:
    file = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    loop, frames = asyncio.get_running_loop(), asyncio.Queue[tuple[int, bytes]]()
    rest = b""

    def take() -> None:
        nonlocal rest
        *lines, rest = (rest + os.read(file, 4096)).split(b"\r")
        for line in lines:
            if line[:1] == b"t":
                frames.put_nowait((int(line[1:4], 16), bytes.fromhex(line[5:].decode())))

    loop.add_reader(file, take)
    yield frames.get
    loop.remove_reader(file)
    os.close(file)


WAYS = {
    "gridseal": ours,
    "python_can": library,
    "by_hand": by_hand,
    "gridseal_decoded": ours_decoded,
    "python_can_decoded": library_decoded,
}


async def lateness(work: Coroutine[None, None, None]) -> list[float]:
    """How late a task beside `work` is each time it wants to run, in ms."""
    late_ms: list[float] = []
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        while not task.done():
            due = loop.time() + TICK_S
            await asyncio.sleep(TICK_S)
            late_ms.append((loop.time() - due) * 1000)
    return late_ms


async def measure(ask: Callable[[int, int, int], None], paths: list[str], frames: int, rounds: int) -> Result:
    def work(number: int, take: Take, count: int, rate: int = 0) -> Callable[[], Coroutine[None, None, None]]:
        async def run() -> None:
            ask(number, count, rate)
            async with asyncio.timeout(PATIENCE_S):
                for _ in range(count):
                    await take()

        return run

    async with AsyncExitStack() as stack:
        takes = {
            name: await stack.enter_async_context(way(path))
            for (name, way), path in zip(WAYS.items(), paths, strict=True)
        }
        works = {name: work(n, take, frames) for n, (name, take) in enumerate(takes.items())}
        spent = await compare(rounds, works)
        late = {}
        for n, name in enumerate(takes):
            if not name.endswith("_decoded"):
                late[name] = spread(await lateness(work(n, takes[name], frames // 2, PACE)()))
    return {
        "frames": frames,
        "rounds": rounds,
        "cpu_us_a_frame": cost_us(spent, frames),
        "ratio_to_python_can": ratio(spent, "gridseal", "python_can"),
        "ratio_to_by_hand": ratio(spent, "gridseal", "by_hand"),
        "ratio_decoded_to_python_can": ratio(spent, "gridseal_decoded", "python_can_decoded"),
        "paced_frames_s": PACE,
        "loop_late_ms": late,
    }


def bench(quick: bool) -> Result:
    """CPU of a frame from a serial CAN adapter, and how long the loop waits for it."""
    frames, rounds = (60, 1) if quick else (1200, 7)
    with process(*python("bench.adapter", str(len(WAYS))), asked=True) as speaker:
        assert speaker.stdin and speaker.stdout
        paths = speaker.stdout.readline().split()

        def ask(number: int, count: int, rate: int) -> None:
            print(number, count, rate, file=speaker.stdin, flush=True)

        return asyncio.run(measure(ask, paths, frames, rounds))


if __name__ == "__main__":
    main("slcan", bench)
