"""The recorder: groups, order, followers, what happens at the end, when the disk stalls and when it fails."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.errors import StoreError
from gateway.model import ClockTrust
from gateway.store import Store, cursors, gaps, recorder, samples
from gateway.store.recorder import Recorder
from tests.gateway.stores import WALL_MS, opened, sample


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(tmp_path / "g.db") as (store, _):
        yield store


async def made(store: Store, commit_ms: int = 5) -> Recorder:
    made = Recorder(store, commit_ms)
    await made.start()
    return made


async def stored(store: Store) -> list[int]:
    return [s.stamp.mono_ms for _, s in await store.call(samples.after, 0, 10_000)]


async def test_a_group_is_one_commit_and_wakes_followers(store: Store) -> None:
    kept = await made(store)
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(kept.run())
        for number in range(3):
            kept.put(sample(number))
        await kept.changed(0)
        assert (kept.seq, kept.stored) == (3, 6)
        assert await kept.after(1, 10) == [(2, sample(1)), (3, sample(2))]
        waiting = tasks.create_task(kept.changed(3))
        await asyncio.sleep(0.02)
        assert not waiting.done()
        kept.put(sample(3))
        await waiting
        running.cancel()
    assert await stored(store) == [0, 1, 2, 3]


async def test_what_is_queued_is_stored_at_the_end(store: Store) -> None:
    kept = await made(store, commit_ms=3_600_000)
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(kept.run())
        for number in range(5):
            kept.put(sample(number))
        kept.advance("mqtt", 4)
        await asyncio.sleep(0.01)
        running.cancel()
    assert await stored(store) == [0, 1, 2, 3, 4]
    assert await store.call(cursors.get, "mqtt") == 4


async def test_a_full_group_does_not_wait_for_its_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "GROUP_MAX", 10)
    kept = await made(store, commit_ms=3_600_000)
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(kept.run())
        for number in range(25):
            kept.put(sample(number))
        await kept.changed(24)
        running.cancel()
    assert await stored(store) == list(range(25))


async def test_followers_read_the_tail_from_memory_and_the_rest_from_disk(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = await made(store)
    for number in range(2 * recorder.TAIL_MAX):
        kept.put(sample(number))
    await kept.flush()
    assert [seq for seq, _ in await kept.after(10, 5)] == [11, 12, 13, 14, 15]
    everything = await kept.after(0, 1000)
    assert [s.stamp.mono_ms for _, s in everything] == list(range(2 * recorder.TAIL_MAX))

    async def no_disk(*_: object) -> None:
        raise AssertionError("asked the disk")

    monkeypatch.setattr(store, "call", no_disk)
    newest = 2 * recorder.TAIL_MAX
    assert await kept.after(newest - 2, 5) == everything[-2:]
    assert await kept.after(newest, 5) == []


async def test_a_restart_goes_on_where_the_store_is(tmp_path: Path) -> None:
    for start in range(3):
        async with opened(tmp_path / "g.db") as (store, _):
            kept = await made(store)
            assert kept.seq == 2 * start
            kept.put(sample(0))
            kept.put(sample(1))
            await kept.flush()
            assert [seq for seq, _ in await kept.after(2 * start, 9)] == [2 * start + 1, 2 * start + 2]


async def test_samples_before_trust_are_dated_when_it_comes(store: Store) -> None:
    kept = await made(store)
    kept.put(sample(10, ClockTrust.UNTRUSTED, offset_ms=5))
    await kept.flush()
    kept.put(sample(20, ClockTrust.UNTRUSTED, offset_ms=5))
    kept.put(sample(30))
    kept.put(sample(40))
    await kept.flush()
    dated = [(s.stamp.wall_ms - WALL_MS, s.stamp.trust) for _, s in await kept.after(0, 9)]
    trusted, backdated = ClockTrust.TRUSTED, ClockTrust.BACKDATED
    assert dated == [(10, backdated), (20, backdated), (30, trusted), (40, trusted)]
    kept.put(sample(50, ClockTrust.UNTRUSTED, offset_ms=5))  # lost for a while, and found again
    kept.put(sample(60))
    await kept.flush()
    assert [(s.stamp.wall_ms - WALL_MS, s.stamp.trust) for _, s in await kept.after(4, 9)] == [
        (50, backdated),
        (60, trusted),
    ]


async def test_a_disk_that_is_too_slow_costs_samples_and_says_so(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "QUEUE_MAX", 4)
    kept = await made(store)
    for number in range(10):
        kept.put(sample(number))
    assert kept.lost == 6
    await kept.flush()
    assert await stored(store) == [0, 1, 2, 3]
    (gap,) = await store.call(gaps.unattested)
    assert (gap.device, gap.from_ms, gap.to_ms, gap.lost) == ("bms", WALL_MS + 4, WALL_MS + 9, 12)


async def test_a_failed_commit_ends_it_and_everything_after(store: Store) -> None:
    kept = await made(store)

    def broken(conn: sqlite3.Connection) -> None:
        raise OSError(5, "Input/output error")

    with pytest.raises(StoreError, match="Input/output error"):
        await store.call(broken)
    kept.put(sample(1))
    with pytest.raises(StoreError, match="Input/output error"):
        async with asyncio.timeout(10):
            await kept.run()
    assert (kept.stored, kept.seq) == (0, 0)


async def test_a_commit_that_was_cancelled_leaves_no_hole_for_followers(store: Store) -> None:
    kept = await made(store)
    kept.put(sample(0))
    await kept.flush()
    kept.put(sample(1))
    async with asyncio.TaskGroup() as tasks:
        flushing = tasks.create_task(kept.flush())
        await asyncio.sleep(0)
        flushing.cancel()
    kept.put(sample(2))
    await kept.flush()
    assert [s.stamp.mono_ms for _, s in await kept.after(0, 9)] == [0, 1, 2]
    assert [seq for seq, _ in await kept.after(1, 9)] == [2, 3]
