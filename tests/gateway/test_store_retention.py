"""Retention: within size and age, settled first, gaps for what was not, and never a record or command."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import StoreError
from gateway.model import ClockTrust, Command, ServiceKind, Source, Verdict
from gateway.site import StoreSettings
from gateway.store import Store, commands, cursors, gaps, records, retention, samples
from gateway.store.records import RecordState
from gateway.store.retention import Policy, Retention, Sweep
from tests.gateway.stores import WALL_MS, HandClock, digest, opened, record, sample

PLENTY = 10**12
COUNT = 3000


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def store(tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    """3000 samples, a second apart, the newest 100 out of reach."""
    monkeypatch.setattr(retention, "KEEP_ROWS", 100)
    async with opened(tmp_path / "g.db", clock) as (store, _):
        await store.call(samples.insert_many, [sample(1000 * n) for n in range(COUNT)], store.boot)
        clock.mono = 1000 * COUNT
        yield store


def kept(store: Store, clock: HandClock, policy: Policy, free: int = PLENTY, **bounds: int) -> Retention:
    settings = replace(StoreSettings(store.path, keep_s=10**9, size_bytes=PLENTY), **bounds)
    return Retention(store, settings, clock, policy, free=lambda path: free)


async def oldest(store: Store) -> int:
    return (await store.call(samples.after, 0, 1))[0][0]


async def attest(store: Store, last_seq: int, state: RecordState) -> None:
    """One interval over the samples up to `last_seq`, brought to `state`."""
    before = await store.call(records.last_entry, "interval")
    sequence, first = (before.record.sequence + 1, before.last_seq + 1) if before else (1, 1)
    await store.call(records.append, record(sequence, digest(sequence - 1)), first, last_seq)
    await store.call(records.sign, sequence, bytes(65))
    await store.call(records.set_state, sequence, state)


async def test_within_its_bounds_nothing_goes(store: Store, clock: HandClock) -> None:
    assert await kept(store, clock, Policy()).once() == Sweep(0, 0)
    assert await oldest(store) == 1


async def test_old_samples_go_when_they_are_settled(store: Store, clock: HandClock) -> None:
    await attest(store, 500, RecordState.CONFIRMED)
    await attest(store, 1500, RecordState.SIGNED)
    await store.call(cursors.put, "mqtt", 400)
    day = {"keep_s": 1000}  # of 3000 s stored
    confirmed, signed = Policy(RecordState.CONFIRMED), Policy(RecordState.SIGNED)
    both = Policy(RecordState.CONFIRMED, ("mqtt",))
    assert await kept(store, clock, both, **day).once() == Sweep(400, 0)
    assert await kept(store, clock, confirmed, **day).once() == Sweep(100, 0)
    assert await kept(store, clock, signed, **day).once() == Sweep(1000, 0)
    assert await kept(store, clock, Policy(), **day).once() == Sweep(480, 0)  # up to the age, by the minute
    assert await oldest(store) == 1981
    assert await store.call(gaps.unattested) == []


async def test_what_ages_goes_once_a_minute_and_not_in_a_commit_each_pass(
    store: Store, clock: HandClock
) -> None:
    keeper, gone = kept(store, clock, Policy(), keep_s=1000), []
    for _ in range(60):
        gone.append((await keeper.once()).deleted)
        clock.mono += 1000
    assert sum(gone[1:]) == 60 and len([n for n in gone[1:] if n]) == 1


async def test_age_is_not_read_from_a_clock_that_is_not_trusted(store: Store, clock: HandClock) -> None:
    clock.mono, clock.trust = 10**12, ClockTrust.UNTRUSTED
    assert await kept(store, clock, Policy(), keep_s=1).once() == Sweep(0, 0)


async def test_undated_samples_are_not_taken_for_old(store: Store, clock: HandClock) -> None:
    undated = [sample(n, ClockTrust.UNTRUSTED, offset_ms=0) for n in range(10)]
    await store.call(samples.insert_many, undated, store.boot)
    await store.call(samples.insert_many, [sample(10**6) for _ in range(200)], store.boot)
    await kept(store, clock, Policy(), keep_s=2000).once()
    assert len(await store.call(samples.between, 0, 100)) == 10


async def test_a_full_store_drops_settled_samples_first(store: Store, clock: HandClock) -> None:
    await attest(store, COUNT, RecordState.CONFIRMED)
    used = await store.call(retention.used_bytes)
    sweep = await kept(store, clock, Policy(RecordState.CONFIRMED), size_bytes=used // 2).once()
    assert sweep.unsettled == 0
    assert COUNT * 0.4 < sweep.deleted < COUNT * 0.7
    assert await store.call(retention.used_bytes) <= used // 2
    assert await store.call(gaps.unattested) == []


async def test_then_unsettled_ones_go_with_a_gap(store: Store, clock: HandClock) -> None:
    await attest(store, 1000, RecordState.CONFIRMED)
    order = Command("ab", Source.CHAIN, ServiceKind.STOP, 0, 1)
    await store.call(commands.insert, order, Verdict(True))
    sweep = await kept(store, clock, Policy(RecordState.CONFIRMED), size_bytes=1).once()
    assert sweep == Sweep(COUNT - 100, COUNT - 100 - 1000)
    (gap,) = await store.call(gaps.unattested)
    assert (gap.device, gap.lost, gap.cause) == ("bms", 2 * (COUNT - 1100), gaps.DROPPED)
    assert (gap.from_ms - WALL_MS, gap.to_ms - WALL_MS) == (1_000_000, 2_899_000)
    assert await store.call(records.last) is not None
    assert await store.call(commands.get, "ab") is not None
    assert await kept(store, clock, Policy(), size_bytes=1).once() == Sweep(0, 0)  # the newest stay


async def test_a_delivery_settles_nothing_of_the_period_that_is_still_open(
    store: Store, clock: HandClock
) -> None:
    """It covers samples of that period, but no interval does yet: dropped, they are missing there."""
    await attest(store, 1000, RecordState.CONFIRMED)
    delivery = replace(record(2, digest(1)), kind="delivery")
    await store.call(records.append, delivery, 900, 2000)
    await store.call(records.sign, 2, bytes(65))
    await store.call(records.set_state, 2, RecordState.CONFIRMED)
    policy = Policy(RecordState.CONFIRMED)
    assert await store.call(retention.settled_through, policy) == 1000
    assert (await kept(store, clock, policy, size_bytes=1).once()).unsettled == COUNT - 100 - 1000


async def test_a_database_taken_away_is_a_store_error(store: Store, clock: HandClock, tmp_path: Path) -> None:
    keeper = Retention(store, StoreSettings(store.path, keep_s=1, size_bytes=PLENTY), clock, Policy())
    store.path.rename(tmp_path / "elsewhere.db")
    with pytest.raises(StoreError, match="taken away while it was in use"):
        await keeper.once()
    (tmp_path / "elsewhere.db").rename(store.path)


async def test_a_disk_filled_by_others_is_yielded_to(store: Store, clock: HandClock) -> None:
    enough = retention.DISK_RESERVE_BYTES + 1
    assert await kept(store, clock, Policy(), free=enough).once() == Sweep(0, 0)
    short = retention.DISK_RESERVE_BYTES - 100_000
    sweep = await kept(store, clock, Policy(), free=short).once()
    assert 0 < sweep.deleted < COUNT - 100
    assert retention.free_bytes(store.path) > 0


async def test_the_file_stays_within_its_bound(store: Store, clock: HandClock) -> None:
    bound = await store.call(retention.file_bytes)
    keeper = kept(store, clock, Policy(), size_bytes=bound)
    for turn in range(10):
        more = [sample(1000 * (COUNT + 300 * turn + n)) for n in range(300)]
        await store.call(samples.insert_many, more, store.boot)
        await keeper.once()
    assert await store.call(retention.file_bytes) <= bound * 1.2
    assert await store.call(samples.last_seq) == COUNT + 3000


async def test_one_slice_is_bounded(store: Store) -> None:
    sweep = await store.call(retention.sweep_slice, Policy(), 1, PLENTY, 0, 50)
    assert sweep == Sweep(50, 0)


DAY_MS = 86_400_000
YEAR_MS = 365 * DAY_MS


async def test_a_calendar_that_leaps_years_ahead_deletes_nothing_for_a_day(
    store: Store, clock: HandClock
) -> None:
    await attest(store, COUNT, RecordState.CONFIRMED)
    keeper = kept(store, clock, Policy(RecordState.CONFIRMED), keep_s=30 * 86_400)
    await keeper.once()
    clock.offset += 10 * YEAR_MS
    for _ in range(23):
        assert await keeper.once() == Sweep(0, 0)
        clock.mono += 3_600_000
    clock.offset -= 10 * YEAR_MS  # it was wrong, and is right again
    assert await keeper.once() == Sweep(0, 0)
    clock.mono += 2 * DAY_MS
    assert await keeper.once() == Sweep(0, 0)


async def test_one_that_stays_ahead_is_believed_after_a_day(store: Store, clock: HandClock) -> None:
    """A site that was without power for a season: what is old is old."""
    await attest(store, COUNT, RecordState.CONFIRMED)
    policy = Policy(RecordState.CONFIRMED)
    await kept(store, clock, policy, keep_s=30 * 86_400).once()
    clock.mono += retention.SAVE_MS
    await kept(store, clock, policy, keep_s=30 * 86_400).once()
    clock.offset += 100 * DAY_MS
    after = kept(store, clock, policy, keep_s=30 * 86_400)  # the next start
    assert (await after.once()).deleted == 0
    clock.mono += DAY_MS
    assert (await after.once()).deleted > 0


async def test_a_calendar_that_goes_back_deletes_nothing(store: Store, clock: HandClock) -> None:
    await attest(store, COUNT, RecordState.CONFIRMED)
    keeper = kept(store, clock, Policy(RecordState.CONFIRMED), keep_s=30 * 86_400)
    await keeper.once()
    clock.offset -= 5 * YEAR_MS
    assert await keeper.once() == Sweep(0, 0)
    clock.offset += 5 * YEAR_MS
    assert await keeper.once() == Sweep(0, 0)


async def test_a_leap_is_waited_for_anew_when_it_becomes_another_or_trust_is_lost(
    store: Store, clock: HandClock
) -> None:
    await attest(store, COUNT, RecordState.CONFIRMED)
    keeper = kept(store, clock, Policy(RecordState.CONFIRMED), keep_s=30 * 86_400)
    await keeper.once()
    clock.offset += DAY_MS // 4
    await keeper.once()
    clock.mono += DAY_MS - 10_000
    clock.offset += 10 * YEAR_MS
    await keeper.once()
    clock.mono += 10_000
    assert await keeper.once() == Sweep(0, 0), "a larger leap, ten seconds old"
    clock.trust = ClockTrust.UNTRUSTED
    clock.mono += DAY_MS
    await keeper.once()
    clock.trust = ClockTrust.TRUSTED
    assert await keeper.once() == Sweep(0, 0), "nobody vouched for that day"


async def test_many_small_steps_are_no_way_around_it(store: Store, clock: HandClock) -> None:
    await attest(store, COUNT, RecordState.CONFIRMED)
    keeper = kept(store, clock, Policy(RecordState.CONFIRMED), keep_s=30 * 86_400)
    for _ in range(1000):
        assert await keeper.once() == Sweep(0, 0)
        clock.mono += 10_000
        clock.offset += retention.LEAP_MS - 60_000


async def test_a_store_that_never_counted_begins_at_its_newest_reading(
    store: Store, clock: HandClock
) -> None:
    await attest(store, COUNT, RecordState.CONFIRMED)
    clock.offset += 10 * YEAR_MS
    assert await kept(store, clock, Policy(RecordState.CONFIRMED), keep_s=30 * 86_400).once() == Sweep(0, 0)


async def test_a_slice_does_not_reach_beyond_the_settled_ones(store: Store, clock: HandClock) -> None:
    await attest(store, 10, RecordState.CONFIRMED)
    used = await store.call(retention.used_bytes)
    sweep = await store.call(retention.sweep_slice, Policy(RecordState.CONFIRMED), used - 1, PLENTY, 0)
    assert sweep == Sweep(10, 0)
