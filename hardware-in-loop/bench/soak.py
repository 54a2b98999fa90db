"""A daemon with 20 devices of 50 points at 1 Hz, each behind a wire that spoils what passes: is it flat?

The servers are libmodbus, the wires are bench.spoiler. Memory, file handles and threads are looked at every
few seconds; the thirds of the time are compared. It runs for ten minutes, or for as many seconds as SECONDS
in the environment says.
"""

import json
import os
import signal
import statistics
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import psutil

from bench.common import READY_S, Result, folder, main, modbus_servers, process, python, until
from bench.site import daemon, stored, write_many

DEVICES, POINTS = 20, 50
SECONDS, QUICK_S, LOOK_S, SEED = 600, 6, 5, 7
ROWS = "SELECT count(*) FROM sample"


class Look(NamedTuple):
    rss_mib: float
    uss_mib: float
    handles: int
    threads: int


def look(process: psutil.Process) -> Look:
    memory = process.memory_full_info()
    return Look(memory.rss / 2**20, memory.uss / 2**20, process.num_fds(), process.num_threads())


def measure(place: Path, seconds: float) -> Result:
    with ExitStack() as stack:
        ports = stack.enter_context(modbus_servers(DEVICES))
        spoiler = stack.enter_context(process(*python("bench.spoiler", str(SEED), *map(str, ports))))
        assert spoiler.stdout
        write_many(place, json.loads(spoiler.stdout.readline()))
        child = stack.enter_context(daemon(place))
        until(lambda: int((stored(place, ROWS) or [(0,)])[0][0]) > DEVICES, READY_S, "first readings")
        before = int(stored(place, ROWS)[0][0])
        looks = watched(psutil.Process(child.pid), seconds)
        samples = int(stored(place, ROWS)[0][0]) - before
        alive = child.poll() is None
        spoiler.send_signal(signal.SIGTERM)
        faults = json.loads(spoiler.stdout.readline())
    return {
        "seconds": seconds,
        "alive": alive,
        "readings": samples * POINTS,
        "part_of_readings": round(samples / (DEVICES * seconds), 3),
        "exchanges": sum(faults.values()),
        "faults": {name: count for name, count in sorted(faults.items()) if name},
        **grown(looks),
    }


def watched(process: psutil.Process, seconds: float) -> list[Look]:
    looks, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(min(LOOK_S, seconds / 6))
        looks.append(look(process))
    return looks


def grown(looks: list[Look]) -> Result:
    """Of each figure the median in each third of the time, and the ratio of the last two: it warms up."""
    third = max(1, len(looks) // 3)
    parts = {"first": looks[:third], "second": looks[third : 2 * third], "third": looks[-third:]}
    found: Result = {}
    for index, name in enumerate(Look._fields):
        medians = {when: statistics.median(look[index] for look in part) for when, part in parts.items()}
        found[name] = {when: round(median, 1) for when, median in medians.items()}
        found[name]["ratio"] = round(medians["third"] / medians["second"], 3)
    return found


def bench(quick: bool) -> Result:
    """Memory and file handles of a daemon whose 20 devices are disturbed all along."""
    with folder() as place:
        return measure(place, QUICK_S if quick else float(os.environ.get("SECONDS", SECONDS)))


if __name__ == "__main__":
    main("soak", bench)
