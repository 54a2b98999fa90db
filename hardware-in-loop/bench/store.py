"""The store: readings a second, and bytes written to the disk a reading, against bare sqlite3.

Two loads of 100-point samples. `bulk` puts as fast as the disk takes (the groups are full); `steady` is
five devices at 1 Hz with one commit a second, without waiting for the seconds. The peer has WAL and
synchronous=FULL as well and does what one writes first: one row a reading; and a second, thriftier one:
one JSON row a sample. Bytes are the kernel's count of what this process had written to the disk
(/proc/self/io), the closing checkpoint included; null on a file system that does not count.
"""

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.common import Result, folder, main
from gateway.clock import SystemClock
from gateway.model import ClockTrust, Point, Sample, Stamp
from gateway.site import StoreSettings
from gateway.store import Store
from gateway.store.recorder import GROUP_MAX, Recorder

POINTS = 100
DEVICES = 5
WALL_MS = 1_764_000_000_000


@dataclass(frozen=True)
class Spent:
    """Of one run: wall and CPU seconds, bytes to the disk, readings."""

    wall_s: float
    cpu_s: float
    written: int
    readings: int

    def report(self) -> Result:
        return {
            "readings_a_second": round(self.readings / self.wall_s),
            "cpu_us_a_reading": round(self.cpu_s / self.readings * 1e6, 3),
            "bytes_a_reading": round(self.written / self.readings, 2) if self.written else None,
        }


def samples(count: int) -> Iterator[Sample]:
    """Rounds of all devices, a second apart; values that change."""
    sets = {
        f"meter{n}": tuple(Point(f"meter{n}", f"p{i:02}_w") for i in range(POINTS)) for n in range(DEVICES)
    }
    names = list(sets)
    for number in range(count):
        device, at_ms = names[number % DEVICES], number // DEVICES * 1000
        values = tuple(number * 7 + 13 * i for i in range(POINTS))
        stamp = Stamp(at_ms, WALL_MS + at_ms, ClockTrust.TRUSTED)
        yield Sample(device, stamp, sets[device], values, bytes(POINTS))


def written() -> int:
    """Bytes this process has caused to be written to the disk."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("write_bytes")))


def groups(taken: list[Sample], size: int) -> Iterator[list[Sample]]:
    for start in range(0, len(taken), size):
        yield taken[start : start + size]


async def ours(path: Path, taken: list[Sample], group: int) -> None:
    store = Store(StoreSettings(path), SystemClock())
    await store.open()
    recorder = Recorder(store, commit_ms=1000)
    await recorder.start()
    for part in groups(taken, group):
        for sample in part:
            recorder.put(sample)
        await recorder.flush()
    await store.close()
    if recorder.stored != len(taken) * POINTS or recorder.lost:
        raise ValueError("readings were lost")


def connect(path: Path, table: str) -> sqlite3.Connection:
    conn = sqlite3.connect(path)
    conn.execute("PRAGMA journal_mode = WAL")
    conn.execute("PRAGMA synchronous = FULL")
    conn.execute(table)
    conn.commit()
    return conn


async def row_each(path: Path, taken: list[Sample], group: int) -> None:
    conn = connect(path, "CREATE TABLE reading (at INTEGER, point TEXT, value INTEGER, quality INTEGER)")
    for part in groups(taken, group):
        rows = [
            (s.stamp.wall_ms, p.key, v, q)
            for s in part
            for p, v, q in zip(s.points, s.values, s.qualities, strict=True)
        ]
        conn.executemany("INSERT INTO reading VALUES (?, ?, ?, ?)", rows)
        conn.commit()
    conn.close()


async def row_of_json(path: Path, taken: list[Sample], group: int) -> None:
    conn = connect(path, "CREATE TABLE sample (at INTEGER, device TEXT, body TEXT)")
    for part in groups(taken, group):
        rows = []
        for s in part:
            body = {p.name: v for p, v in zip(s.points, s.values, strict=True)}
            rows.append((s.stamp.wall_ms, s.device, json.dumps(body)))
        conn.executemany("INSERT INTO sample VALUES (?, ?, ?)", rows)
        conn.commit()
    conn.close()


WORKS = {"gridseal": ours, "sqlite_row_each": row_each, "sqlite_json": row_of_json}


def spent(work: Callable[[Path, list[Sample], int], object], taken: list[Sample], group: int) -> Spent:
    with folder() as place:
        before, cpu, wall = written(), time.process_time(), time.perf_counter()
        asyncio.run(work(place / "bench.db", taken, group))  # type: ignore[arg-type]
        wall_s, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
        return Spent(wall_s, cpu_s, written() - before, len(taken) * POINTS)


def load(count: int, group: int, rounds: int) -> Result:
    """All works in turn, the round with the median wall time of each."""
    taken = list(samples(count))
    runs: dict[str, list[Spent]] = {name: [] for name in WORKS}
    for _ in range(rounds):
        for name, work in WORKS.items():
            runs[name].append(spent(work, taken, group))
    middle = {name: sorted(all_, key=lambda s: s.wall_s)[len(all_) // 2] for name, all_ in runs.items()}
    result: Result = {name: run.report() for name, run in middle.items()}
    mine = middle["gridseal"]
    for name in ("sqlite_row_each", "sqlite_json"):
        peer = middle[name]
        result[f"ratio_to_{name}"] = {
            "readings_a_second": round(peer.wall_s / mine.wall_s, 2),
            "cpu": round(mine.cpu_s / peer.cpu_s, 3),
            "bytes": round(mine.written / peer.written, 3) if peer.written else None,
        }
    return result


def bench(quick: bool) -> Result:
    """Readings stored a second and bytes to the disk a reading."""
    bulk, seconds, rounds = (500, 10, 1) if quick else (5000, 120, 3)
    return {
        "points_a_sample": POINTS,
        "bulk": {"samples_a_commit": GROUP_MAX, **load(bulk, GROUP_MAX, rounds)},
        "steady": {"samples_a_commit": DEVICES, **load(seconds * DEVICES, DEVICES, rounds)},
    }


if __name__ == "__main__":
    main("store", bench)
