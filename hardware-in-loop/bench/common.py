"""What the benches share: fair measuring, the processes beside them, and one JSON line as the result.

CPU is this process's own (`time.process_time`); the works that are compared take turns in every round, so
that a busy machine hurts all alike. Servers are other processes.
"""

import argparse
import gc
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from rig import libmodbus
from rig.libmodbus import Missing

RIG = Path(__file__).parents[1]
READY_S = 30.0

Result = dict[str, Any]
Spent = dict[str, list[float]]


def main(name: str, bench: Callable[[bool], Result]) -> None:
    """Run one bench and print its result; a missing tool is said, not an error."""
    parser = argparse.ArgumentParser(prog=f"bench.{name}", description=bench.__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that it runs, no more")
    quick = parser.parse_args().quick
    result: Result = {"bench": name, "quick": quick}
    try:
        result |= bench(quick)
    except Missing as what:
        result["skipped"] = f"needs {what}"
    print(json.dumps(result), flush=True)


async def compare(rounds: int, works: Mapping[str, Callable[[], Awaitable[None]]]) -> Spent:
    """CPU seconds of each work in each round, after one round that is not counted."""
    spent: Spent = {name: [] for name in works}
    for turn in range(rounds + 1):
        for name, work in works.items():
            gc.collect()
            began = time.process_time()
            await work()
            if turn:
                spent[name].append(time.process_time() - began)
    return spent


def ratio(spent: Spent, ours: str, peer: str) -> float:
    """Our cost over the peer's: the median of the rounds' ratios."""
    return round(statistics.median(a / b for a, b in zip(spent[ours], spent[peer], strict=True)), 3)


def cost_us(spent: Spent, count: int) -> dict[str, float]:
    """Microseconds of CPU for one of `count`, median round."""
    return {name: round(statistics.median(all_s) / count * 1e6, 3) for name, all_s in spent.items()}


def spread(values_ms: list[float]) -> dict[str, float]:
    """The distribution of some latencies, in ms."""
    if len(values_ms) < 2:
        return {}
    cuts = statistics.quantiles(values_ms, n=100, method="inclusive")
    named = {"p50": cuts[49], "p90": cuts[89], "p99": cuts[98], "max": max(values_ms)}
    return {name: round(value, 2) for name, value in named.items()}


@contextmanager
def folder() -> Iterator[Path]:
    """A directory of the bench's own, on the disk that TMPDIR names."""
    with tempfile.TemporaryDirectory(prefix="gridseal-bench-") as path:
        yield Path(path)


@contextmanager
def process(
    *command: str | Path, folder: Path | None = None, quiet: bool = False, asked: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """A child that can import the rig, `asked` by its standard input; ended in order on leaving, killed if it
    does not end."""
    noise = subprocess.DEVNULL if quiet else None
    paths = os.pathsep.join(filter(None, (str(RIG), os.environ.get("PYTHONPATH"))))
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE if asked else None,
        stdout=subprocess.PIPE,
        stderr=noise,
        cwd=folder,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        for pipe in filter(None, (child.stdin, child.stdout)):
            pipe.close()


def python(module: str, *arguments: str | Path) -> tuple[str | Path, ...]:
    return (sys.executable, "-m", module, *arguments)


@contextmanager
def modbus_servers(count: int) -> Iterator[list[int]]:
    """`count` libmodbus servers, each for one connection at a time; their ports. Holding n holds 3n."""
    with folder() as place, ExitStack() as stack:
        program = libmodbus.build(place)
        servers = [stack.enter_context(process(program, "tcp")) for _ in range(count)]
        yield [int(server.stdout.readline()) for server in servers if server.stdout]


@contextmanager
def rig(*arguments: str | Path, place: Path) -> Iterator[dict[str, Any]]:
    """A running rig; what it says of itself when it is ready."""
    with process(*python("rig", *arguments), folder=place) as child:
        assert child.stdout
        yield json.loads(child.stdout.readline())


class Broker:
    """A mosquitto that keeps sessions and messages through an orderly restart."""

    def __init__(self, place: Path) -> None:
        self._program = _mosquitto()
        self._stack = ExitStack()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        place.mkdir()
        self._config = place / "mosquitto.conf"
        user = "user root\n" if os.geteuid() == 0 else ""
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
            f"persistence_location {place}/\nmax_queued_messages 0\nlog_dest none\n{user}"
        )

    def start(self) -> None:
        self._stack.enter_context(process(self._program, "-c", self._config, quiet=True))
        until(lambda: _listens(self.port), READY_S, "mosquitto")

    def stop(self) -> None:
        self._stack.close()


def _mosquitto() -> Path:
    for place in (*os.get_exec_path(), "/usr/sbin", "/usr/local/sbin"):
        if (path := Path(place) / "mosquitto").is_file():
            return path
    raise Missing("mosquitto")


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for it; TimeoutError with its name when it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.005)


def memory_mib(pid: int) -> dict[str, float]:
    """Resident memory, and the part that only this process has (uss), in MiB."""
    found = psutil.Process(pid).memory_full_info()
    return {"rss_mib": round(found.rss / 2**20, 1), "uss_mib": round(found.uss / 2**20, 1)}


def cpu_s(pid: int) -> float:
    """CPU seconds a process has used, all its threads, to the nanosecond.

    Its CPU-time clock, as clock_getcpuclockid(3) numbers it: the ticks in /proc miss work that takes less
    than one and begins with a timer, which is all that these processes do.
    """
    return time.clock_gettime(~pid << 3 | 2)
