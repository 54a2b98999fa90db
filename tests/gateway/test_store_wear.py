"""What the card pays: counted over starts, reckoned near to what the kernel counts, a line in good time."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import ClockTrust, Point, Sample, Stamp
from gateway.site import StoreSettings
from gateway.store import Store, samples, wear
from gateway.store.recorder import Recorder
from gateway.store.wear import DAY_MS, Meter, estimate, life_days, process_bytes
from tests.gateway.stores import WALL_MS, HandClock, opened

HOUR_MS = 3_600_000
MB = 10**6


class Disk:
    """A kernel's count, set by hand; None: this kernel keeps none."""

    def __init__(self, written: int | None = 0) -> None:
        self.written = written

    def __call__(self) -> int | None:
        return self.written


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wear, "LOOK_S", 0.001)


@pytest.fixture
def said() -> list[str]:
    return []


@asynccontextmanager
async def counting(
    path: Path, disk: Disk, clock: HandClock, said: list[str], endurance: int = 0
) -> AsyncIterator[tuple[Meter, Recorder]]:
    """A meter that runs beside a recorder, as in the daemon."""
    async with opened(path, clock) as (store, _):
        recorder = Recorder(store, 1)
        await recorder.start()
        settings = StoreSettings(path, endurance_bytes=endurance)
        meter = Meter(store, recorder, settings, clock, said.append, disk)
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(meter.run())
            async with asyncio.timeout(10):
                while wear.TOTAL not in recorder._cursors:  # it has not looked yet
                    await asyncio.sleep(0.001)
            yield meter, recorder
            task.cancel()
        await recorder.flush()


async def passes(meter: Meter, clock: HandClock, ms: int) -> None:
    """The time goes on, and the meter sees it."""
    clock.mono += ms
    async with asyncio.timeout(10):
        while meter._seen_ms < clock.mono:
            await asyncio.sleep(0.001)


async def test_what_was_written_is_counted_on_at_the_next_start(tmp_path: Path, said: list[str]) -> None:
    path, disk, clock = tmp_path / "g.db", Disk(7 * MB), HandClock()
    async with counting(path, disk, clock, said, 30 * 10**12) as (meter, _):
        assert meter.wear() == wear.Wear(0, None, True, None, "")
        disk.written = 107 * MB
        await passes(meter, clock, HOUR_MS // 2)
        assert meter.wear().total_bytes == 100 * MB
        assert meter.wear().day_bytes is None  # half an hour says nothing of a day
    disk, clock = Disk(0), HandClock()  # another process, perhaps after another start of the machine
    async with counting(path, disk, clock, said, 30 * 10**12) as (meter, _):
        disk.written = 100 * MB
        await passes(meter, clock, HOUR_MS // 2)
        found = meter.wear()
    assert (found.total_bytes, found.day_bytes) == (200 * MB, 24 * 200 * MB)
    assert found.life_days == (30 * 10**12 - 200 * MB) // (24 * 200 * MB)
    assert (found.note, said) == ("", [])


async def test_a_card_that_will_not_last_is_told_once_and_after_a_day(
    tmp_path: Path, said: list[str]
) -> None:
    disk, clock = Disk(), HandClock()
    async with counting(tmp_path / "g.db", disk, clock, said, 10**12) as (meter, _):
        disk.written = 2 * 10**9
        await passes(meter, clock, DAY_MS - 1)
        assert meter.wear().note == "" and meter.wear().life_days == 498
        disk.written += 1
        await passes(meter, clock, 1)
        async with asyncio.timeout(10):
            while not said:
                await asyncio.sleep(0.001)
        assert "lasts 1.4 years at the pace of late: plan its replacement" in meter.wear().note
    assert said == ["<4>" + meter.wear().note]


async def test_the_pace_is_that_of_late(tmp_path: Path, said: list[str]) -> None:
    disk, clock = Disk(), HandClock()
    async with counting(tmp_path / "g.db", disk, clock, said) as (meter, _):
        for day_bytes in (1000, 10):
            for _ in range(60):
                assert disk.written is not None
                disk.written += day_bytes
                await passes(meter, clock, DAY_MS)
        assert meter.wear().total_bytes == 60_600
        assert meter.wear().day_bytes in range(10, 60)
        assert meter._recent_ms <= wear.WINDOW_MS


async def test_without_a_kernel_that_counts_it_is_reckoned(tmp_path: Path, said: list[str]) -> None:
    clock = HandClock()
    async with counting(tmp_path / "g.db", Disk(None), clock, said) as (meter, recorder):
        for number in range(10):
            recorder.put(shaped(5, number))
            await recorder.flush()
        await passes(meter, clock, HOUR_MS)
        assert meter.wear().measured is False
        assert meter.wear().total_bytes >= estimate(10, 10, 50, HOUR_MS)
        assert (recorder.samples, recorder.stored) == (10, 50)
        assert recorder.commits >= 10


async def test_what_is_counted_costs_the_store_three_rows(tmp_path: Path, said: list[str]) -> None:
    disk, clock = Disk(), HandClock()
    async with counting(tmp_path / "g.db", disk, clock, said) as (meter, _):
        for _ in range(50):
            await passes(meter, clock, HOUR_MS)
    async with opened(tmp_path / "g.db", clock) as (store, _):
        rows = await store.call(lambda conn: conn.execute("SELECT name FROM cursor ORDER BY name").fetchall())
    assert [name for (name,) in rows] == sorted((wear.TOTAL, wear.RECENT, wear.RECENT_MS))


@given(st.integers(0, 10**17), st.integers(0, 10**18), st.none() | st.integers(0, 10**15))
def test_a_life_is_never_negative_and_never_of_nothing(endurance: int, total: int, day: int | None) -> None:
    found = life_days(endurance, total, day)
    assert (found is None) == (not endurance or not day)
    if found is not None and day:
        assert 0 <= found * day <= max(0, endurance - total)


def test_what_the_kernel_says(tmp_path: Path) -> None:
    said = tmp_path / "io"
    said.write_text("rchar: 6976\nwrite_bytes: 4096\ncancelled_write_bytes: 5\n")
    assert process_bytes(said) == 4096
    said.write_text("rchar: 6976\n")
    assert process_bytes(said) is None
    said.write_text("write_bytes: many\n")
    assert process_bytes(said) is None
    assert process_bytes(tmp_path / "none") is None


def shaped(values: int, number: int) -> Sample:
    stamp = Stamp(number, WALL_MS + number, ClockTrust.TRUSTED)
    return Sample("bms", stamp, SETS[values], tuple(range(values)), bytes(values))


SETS = {n: tuple(Point("bms", f"p{i}_w") for i in range(n)) for n in (5, 10, 100)}


def groups(values: int, size: int, count: int) -> Iterator[list[Sample]]:
    for group in range(count):
        yield [shaped(values, group * size + n) for n in range(size)]


@pytest.mark.parametrize(("values", "size", "count"), [(10, 1, 400), (10, 20, 200), (100, 5, 200)])
async def test_the_reckoning_is_near_what_is_written(
    tmp_path: Path, values: int, size: int, count: int
) -> None:
    """By the kernel's count, where the folder's file system has one; else by the log alone, which is less."""
    path = tmp_path / "g.db"
    store = Store(StoreSettings(path), HandClock(), threaded=False)
    await store.open()
    await store.call(lambda conn: conn.execute("PRAGMA user_version").fetchone())
    before = process_bytes() or 0
    for group in groups(values, size, count):
        await store.call(samples.insert_many, group, store.boot, store.sets)
    counted = (process_bytes() or 0) - before
    log = Path(f"{path}-wal").stat().st_size
    await store.close()
    reckoned = estimate(count, count * size, count * size * values, 0)
    assert reckoned / 2.5 < max(counted, log) < reckoned * 1.5
