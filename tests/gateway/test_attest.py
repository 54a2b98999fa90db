"""The attestor on a real store in virtual time: periods, restarts, deliveries, gaps, clocks."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.attest import DATING_MS, SKIP, Attestor, delivery_of
from gateway.evidence import body, merkle
from gateway.evidence import records as chains
from gateway.evidence.aggregate import Aggregator
from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import NO_CHAIN, Domain, GapCause
from gateway.model import (
    UNKNOWN,
    Cause,
    ClockTrust,
    Command,
    CommandState,
    Delivery,
    IntervalFlag,
    Point,
    Sample,
    ServiceKind,
    Source,
    Stamp,
    Verdict,
)
from gateway.orders import outcome_json
from gateway.site import AttestSettings, Device, Site, SiteLimits, StoreSettings
from gateway.store import Store, commands, gaps, records, samples
from tests.sim.loop import run

EVERY_S = 60
POINTS = (Point("bms", "battery_soc_bp"), Point("bms", "battery_power_w"), Point("bms", "noise_w", False))
SIGNER = KeySigner(bytes(31) + b"\x07")
LIMITS = SiteLimits(5000, 5000, 10_000, 10_000, 1000)


def site(folder: Path) -> Site:
    device = Device("bms", "x", "can", "battery", "vbus://a", None)
    return Site(
        "s1", LIMITS, (device,), StoreSettings(folder / "s.db", commit_ms=100), AttestSettings(EVERY_S)
    )


class Bench:
    """A store and an attestor on the virtual clock."""

    def __init__(self, folder: Path, clock) -> None:
        self.site, self.clock = site(folder), clock
        self.store = Store(self.site.store, clock, threaded=False)

    async def open(self):
        await self.store.open()
        self.attestor = Attestor(self.site, self.store, self.clock, SIGNER, NO_CHAIN)
        return self

    async def fill(self, from_ms, to_ms, step_ms=1000, trust=ClockTrust.TRUSTED):
        group = [
            Sample("bms", Stamp(at, at, trust), POINTS, (5000, 3600, 1), bytes(3))
            for at in range(from_ms, to_ms, step_ms)
        ]
        await self.store.call(samples.insert_many, group, self.store.boot)

    async def entries(self):
        return await self.store.call(records.entries)


@asynccontextmanager
async def running(bench):
    async with asyncio.TaskGroup() as group:
        task = group.create_task(bench.attestor.run())
        yield
        task.cancel()


def interval_of():
    fold = Aggregator(600_000, 660_000, lambda point: 0)
    fold.add(Sample("bms", Stamp(600_000, 600_000, ClockTrust.TRUSTED), POINTS, (5000, 0, 0), bytes(3)))
    return fold.close(bytes(32), 0)


def in_virtual_time(folder, scenario):
    async def main(clock):
        clock.wall_offset_ms = 10 * EVERY_S * 1000  # the grid begins at a round number
        bench = await Bench(folder, clock).open()
        try:
            await scenario(bench)
        finally:
            await bench.store.close()

    run(main)


def test_each_period_is_sealed_once_when_it_is_over(tmp_path):
    async def scenario(bench):
        await bench.fill(600_000, 780_000)
        bench.clock.step(120_000)
        await bench.attestor.seal_due()  # 720 s: the second period is not settled yet
        assert [e.record.sequence for e in await bench.entries()] == [1]
        bench.clock.step(5000)
        await bench.attestor.seal_due()
        await bench.attestor.seal_due()
        entries = await bench.entries()
        assert [(e.record.kind, e.first_seq, e.last_seq) for e in entries] == [
            ("interval", 1, 60),
            ("interval", 61, 120),
        ]
        assert chains.check([e.record for e in entries], SIGNER.address) == []
        first = body.read("interval", entries[0].record.body).body
        assert (first.start_ms, first.end_ms, first.count) == (600_000, 660_000, 120)
        assert (first.discharged_wh, first.soc_bp) == (60, 5000)
        leaves = [
            h for _, s in await bench.store.call(samples.between, 600_000, 660_000) for h in merkle.leaves(s)
        ]
        assert first.merkle_root == merkle.root(leaves)

    in_virtual_time(tmp_path, scenario)


def test_periods_without_samples_are_left_out_and_partial_ones_say_so(tmp_path):
    async def scenario(bench):
        await bench.fill(630_000, 640_000)
        await bench.fill(900_000, 960_000)
        bench.clock.step(1_000_000)
        await bench.attestor.seal_due()
        found = [body.read("interval", e.record.body).body for e in await bench.entries()]
        assert [(f.start_ms, f.end_ms) for f in found] == [(600_000, 660_000), (900_000, 960_000)]
        assert found[0].flags & IntervalFlag.PARTIAL
        assert not found[1].flags & IntervalFlag.PARTIAL

    in_virtual_time(tmp_path, scenario)


def test_nothing_is_sealed_on_an_untrusted_clock(tmp_path):
    async def scenario(bench):
        await bench.fill(600_000, 660_000)
        bench.clock.step(100_000)
        bench.clock.trust = ClockTrust.UNTRUSTED
        async with asyncio.TaskGroup() as group:
            task = group.create_task(bench.attestor.run())
            await asyncio.sleep(30)
            assert await bench.entries() == []
            bench.clock.trust = ClockTrust.TRUSTED
            await asyncio.sleep(2)
            assert len(await bench.entries()) == 1
            task.cancel()

    in_virtual_time(tmp_path, scenario)


def test_samples_without_a_date_are_in_no_period(tmp_path):
    async def scenario(bench):
        await bench.fill(600_000, 630_000)
        await bench.fill(630_000, 660_000, trust=ClockTrust.UNTRUSTED)
        bench.clock.step(100_000)
        await bench.attestor.seal_due()
        (entry,) = await bench.entries()
        assert body.read("interval", entry.record.body).body.count == 60

    in_virtual_time(tmp_path, scenario)


def test_a_record_left_unsigned_by_a_stop_is_signed_unchanged(tmp_path):
    async def scenario(bench):
        record = chains.seal(NO_CHAIN, "s1", 1, bytes(32), body.read("gap", GAP).body)
        await bench.store.call(records.append, record)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(bench.attestor.run())
            await asyncio.sleep(1)
            task.cancel()
        (entry,) = await bench.entries()
        assert entry.record.digest == record.digest
        assert chains.recover(record.digest, entry.record.signature) == SIGNER.address

    in_virtual_time(tmp_path, scenario)


GAP = (
    '{"cause":1,"chain_id":0,"contract":"0x0000000000000000000000000000000000000000",'
    '"end_ms":2,"lost":0,"site":"s1","start_ms":1}'
)


def test_a_gap_in_the_store_becomes_a_record_and_a_flag(tmp_path):
    async def scenario(bench):
        await bench.fill(600_000, 660_000)
        await bench.store.call(gaps.add, "bms", 1, 2, 77, gaps.DROPPED)
        bench.clock.step(100_000)
        await bench.attestor.seal_due()
        gap, interval = [body.read(e.record.kind, e.record.body).body for e in await bench.entries()]
        assert (gap.lost, gap.cause) == (77, GapCause.READINGS_DROPPED)
        assert interval.flags & IntervalFlag.READINGS_DROPPED
        assert await bench.store.call(gaps.unattested) == []

    in_virtual_time(tmp_path, scenario)


def test_a_store_behind_the_contract_skips_past_it_with_a_gap(tmp_path):
    async def scenario(bench):
        assert await bench.attestor.skip_past(0) == ""
        await bench.attestor.seal_due()
        assert await bench.entries() == []
        told = await bench.attestor.skip_past(41)
        assert told.startswith("records up to 41 were signed, and the store ends with 0: it is from an old")
        await bench.attestor.skip_past(40)
        await bench.attestor.seal_due()
        (entry,) = await bench.entries()
        first = 42 + SKIP  # what was signed and not yet accepted is in between
        assert (entry.record.sequence, entry.record.kind) == (first, "gap")
        assert await bench.attestor.skip_past(first) == ""
        await bench.attestor.skip_past(first + 9)
        await bench.fill(600_000, 660_000)
        bench.clock.step(100_000)
        await bench.attestor.seal_due()
        kinds = [(e.record.kind, e.record.sequence) for e in await bench.entries()]
        second = first + 10 + SKIP
        assert kinds == [("gap", first), ("gap", second), ("interval", second + 1)]
        causes = [body.read("gap", e.record.body).body.cause for e in (await bench.entries())[:2]]
        assert causes == [GapCause.STORE_LOST, GapCause.RESTORED]

    in_virtual_time(tmp_path, scenario)


def test_after_a_store_that_was_put_away_the_number_is_of_the_calendar(tmp_path):
    """Two lost one after the other, of which nothing can be read, must not begin at the same number."""

    async def scenario(bench):
        bench.clock.wall_offset_ms += 1_790_000_000_000
        firsts = []
        for _ in range(2):
            await bench.store.call(records.note_before, 0)
            async with running(bench):
                await asyncio.sleep(2)
            (entry,) = await bench.entries()
            assert entry.record.kind == "gap"
            firsts.append(entry.record.sequence)
            await bench.store.call(lambda conn: conn.execute("DELETE FROM record").rowcount)  # lost again
            bench.attestor = Attestor(bench.site, bench.store, bench.clock, SIGNER, NO_CHAIN)
        assert firsts[0] > 1 + SKIP and firsts[1] > firsts[0]

    in_virtual_time(tmp_path, scenario)


def test_nothing_is_skipped_on_an_untrusted_clock(tmp_path):
    async def scenario(bench):
        bench.clock.trust = ClockTrust.UNTRUSTED
        await bench.attestor.skip_past(41)
        async with running(bench):
            await asyncio.sleep(5)
            assert await bench.entries() == []
            bench.clock.trust = ClockTrust.TRUSTED
            await asyncio.sleep(2)
            assert [e.record.sequence for e in await bench.entries()] == [42 + SKIP]

    in_virtual_time(tmp_path, scenario)


def test_a_device_in_the_place_of_another_says_first_that_there_was_one(tmp_path):
    async def scenario(bench):
        await bench.attestor.follow_another()
        await bench.fill(600_000, 660_000)
        bench.clock.step(100_000)
        await bench.attestor.seal_due()
        await bench.attestor.follow_another()  # at the next start: it has said so
        await bench.attestor.seal_due()
        links = [entry.record for entry in await bench.entries()]
        assert [(link.sequence, link.kind) for link in links] == [(1, "gap"), (2, "interval")]
        assert body.read("gap", links[0].body).body.cause is GapCause.STORE_LOST
        assert chains.check(links, SIGNER.address) == []

    in_virtual_time(tmp_path, scenario)


def test_a_stop_between_a_record_without_room_and_its_gap(tmp_path):
    """The gap follows at the next start: without it the contract would take nothing more."""

    async def scenario(bench):
        bench.attestor._fits = lambda record: record.kind == "gap"
        record = chains.seal(NO_CHAIN, "s1", 1, bytes(32), interval_of())
        await bench.store.call(records.append, record)
        await bench.store.call(records.sign, 1, SIGNER.sign(record.digest))
        for _ in range(2):  # and only once
            async with running(bench):
                await asyncio.sleep(2)
        assert [e.record.kind for e in await bench.entries()] == ["interval", "gap"]

    in_virtual_time(tmp_path, scenario)


def test_records_of_another_contract_are_passed_over_before_anything_else(tmp_path):
    async def scenario(bench):
        here = Domain(10, "0x" + "11" * 20)
        await bench.store.call(gaps.add, "bms", 1, 2, 77, gaps.DROPPED)
        await bench.attestor.seal_due()
        bench.attestor = Attestor(
            bench.site, bench.store, bench.clock, SIGNER, here,
            lambda record: body.read(record.kind, record.body).domain == here,
        )  # fmt: skip
        await bench.fill(600_000, 660_000)
        bench.clock.step(100_000)
        async with running(bench):
            await asyncio.sleep(2)
        said = [body.read(e.record.kind, e.record.body) for e in await bench.entries()]
        assert [s.domain for s in said] == [NO_CHAIN, here, here]
        assert said[1].body.cause is GapCause.NOT_ENCODABLE

    in_virtual_time(tmp_path, scenario)


def test_samples_from_before_the_clock_was_trusted_are_waited_for(tmp_path):
    """A restart in the middle of a period: the second half has no date until the recorder gives it one."""

    async def scenario(bench):
        await bench.fill(600_000, 630_000)
        await bench.store.call(lambda conn: conn.execute("UPDATE sample SET boot = 0"))
        bench.clock.trust = ClockTrust.UNTRUSTED
        await bench.fill(5_000, 35_000, trust=ClockTrust.UNTRUSTED)
        bench.clock.step(100_000)
        async with running(bench):
            bench.clock.trust = ClockTrust.TRUSTED
            await asyncio.sleep(2)
            assert await bench.entries() == []
            await bench.store.call(samples.backdate, bench.store.boot, 5_000, 630_000)
            await asyncio.sleep(2)
        (entry,) = await bench.entries()
        found = body.read("interval", entry.record.body).body
        assert (found.count, found.clock) == (120, ClockTrust.BACKDATED)

    in_virtual_time(tmp_path, scenario)


def test_devices_that_stay_silent_do_not_hold_up_what_has_a_date(tmp_path):
    async def scenario(bench):
        await bench.fill(600_000, 660_000)
        await bench.fill(5_000, 6_000, trust=ClockTrust.UNTRUSTED)
        bench.clock.step(100_000)
        async with running(bench):
            await asyncio.sleep(DATING_MS / 1000 + 2)
        (entry,) = await bench.entries()
        assert body.read("interval", entry.record.body).body.count == 120

    in_virtual_time(tmp_path, scenario)


def test_a_restart_does_not_forget_that_readings_were_dropped(tmp_path):
    async def scenario(bench):
        await bench.fill(600_000, 660_000)
        await bench.store.call(gaps.add, "bms", 1, 2, 77, gaps.DROPPED)
        await bench.attestor.seal_due()  # the gap; the period is not over
        bench.attestor = Attestor(bench.site, bench.store, bench.clock, SIGNER, NO_CHAIN)
        await bench.fill(660_000, 720_000)
        bench.clock.step(200_000)
        await bench.attestor.seal_due()
        flags = [body.read(e.record.kind, e.record.body).body.flags for e in (await bench.entries())[1:]]
        assert [bool(f & IntervalFlag.READINGS_DROPPED) for f in flags] == [True, False]

    in_virtual_time(tmp_path, scenario)


def test_a_record_the_contract_has_no_room_for_is_passed_over_by_a_gap(tmp_path):
    async def scenario(bench):
        bench.attestor = Attestor(
            bench.site, bench.store, bench.clock, SIGNER, NO_CHAIN, lambda record: record.kind == "gap"
        )
        await bench.fill(600_000, 660_000)
        bench.clock.step(100_000)
        await bench.attestor.seal_due()
        interval, gap = await bench.entries()
        found = body.read("gap", gap.record.body).body
        assert (interval.record.kind, found.cause) == ("interval", GapCause.NOT_ENCODABLE)
        assert (found.start_ms, found.end_ms) == (600_000, 660_000)

    in_virtual_time(tmp_path, scenario)


DELIVERY = Delivery(
    "ab" * 32, 600_000, 630_000, 30, 29, 100, 3600, 3480, 1500, 90, 9900, 2000, ((Cause.RAMP, 2000),),
    CommandState.DONE,
)  # fmt: skip


def test_an_ended_command_becomes_one_delivery_record(tmp_path):
    async def scenario(bench):
        command = Command("ab" * 32, Source.CHAIN, ServiceKind.FIXED_POWER, 600_000, 630_000, {"power_w": 1})
        await bench.fill(600_000, 660_000)
        await bench.store.call(commands.insert, command, Verdict(True))
        now = bench.clock.now()
        await bench.store.call(commands.set_state, command.id, CommandState.RUNNING, now)
        # A device may say so: a record can be made all the same.
        wild = replace(DELIVERY, power_max_w=2**40, power_mean_w=-(2**63), error_mean_w=2**63)
        args = (command.id, CommandState.DONE, now, "", outcome_json(wild))
        await bench.store.call(commands.set_state, *args)
        await bench.attestor.seal_due()
        assert await bench.entries() == [], "its last readings are not stored yet"
        bench.clock.step(600)
        await bench.attestor.seal_due()
        await bench.attestor.seal_due()
        (entry,) = await bench.entries()
        found = body.read("delivery", entry.record.body).body
        assert (found.count, entry.first_seq, entry.last_seq) == (60, 1, 30)
        ends = {"power_max_w": 2**31 - 1, "power_mean_w": -(2**31), "error_mean_w": UNKNOWN}
        expected = replace(DELIVERY, **ends)
        assert replace(found, merkle_root=bytes(32), count=0) == expected

    in_virtual_time(tmp_path, scenario)


def test_a_delivery_without_a_date_has_no_readings_and_says_so(tmp_path):
    """Its clock was not trusted when it ended: its readings have no date then either."""

    async def scenario(bench):
        command = Command("ab" * 32, Source.OPERATOR, ServiceKind.FIXED_POWER, 1, 30_001, {"power_w": 1})
        await bench.fill(0, 40_000, trust=ClockTrust.UNTRUSTED)
        await bench.store.call(commands.insert, command, Verdict(True))
        now = Stamp(30_000, 30_000, ClockTrust.UNTRUSTED)
        told = replace(DELIVERY, start_ms=0, end_ms=30_000)
        await bench.store.call(commands.set_state, command.id, CommandState.RUNNING, now)
        await bench.store.call(commands.set_state, command.id, CommandState.DONE, now, "", outcome_json(told))
        await bench.attestor.seal_due()
        (entry,) = await bench.entries()
        assert body.read("delivery", entry.record.body).body == told

    in_virtual_time(tmp_path, scenario)


def stored(delivery, **changes):
    text = json.dumps({**outcome_json(delivery), **changes})
    return commands.Order(None, CommandState.DONE, "", 0, 0, 0, 0, text)


def test_the_times_of_an_order_of_months_stand_at_their_ends():
    found = delivery_of(stored(DELIVERY, curtailed_ms=2**33, curtailments=[["ramp", 2**33]]))
    assert (found.curtailed_ms, found.curtailments) == (2**32 - 1, ((Cause.RAMP, 2**32 - 1),))


def test_an_outcome_that_is_no_delivery_is_a_bug():
    with pytest.raises(ValueError, match="is not a valid Cause"):
        delivery_of(stored(DELIVERY, curtailments=[["?", 1]]))
