"""The reporter: news is told once, at its pace, through refusals and a full queue, and nothing else is."""

import asyncio
from types import SimpleNamespace

import pytest

from gateway.chain import reporter as module
from gateway.chain.platforms.calls import Call, Facts, Report
from gateway.chain.reporter import RETRY_S, Reporter
from gateway.model import Limits
from gateway.store import intents, told
from tests.gateway.stores import HandClock, opened

FACTS = Facts(1_790_000_000_000, Limits(5000, 5000))


class Site:
    """A store and a platform that wants to know `wanted`: subject -> value."""

    def __init__(self, store) -> None:
        self.store, self.clock, self.wanted, self.woken = store, HandClock(), {}, 0
        self.known = FACTS
        platform = SimpleNamespace(reports=self.reports)
        self.reporter = Reporter(store, platform, self.clock, self.facts, self.wake)

    async def facts(self):
        return self.known

    def wake(self):
        self.woken += 1

    def reports(self, facts):
        assert facts is FACTS
        return [Report(s, v, Call("0x" + "aa" * 20, v.encode(), 9), 900) for s, v in self.wanted.items()]

    async def tick(self, after_s=0):
        self.clock.mono += after_s * 1000
        await self.reporter.tick()

    async def queued(self):
        return [(i.key, i.data.decode()) for i in await self.store.call(intents.queued)]

    async def finish(self, key, state):
        def do(conn):
            intents.finish(conn, intents.get(conn, key).id, state)

        await self.store.call(do)


@pytest.fixture
async def site(tmp_path):
    async with opened(tmp_path / "store.db") as (store, _):
        yield Site(store)


async def test_news_is_told_once_and_at_its_pace(site):
    site.wanted = {"capacity": "9000", "pool": "5"}
    await site.tick()
    await site.tick(1000)
    assert await site.queued() == [("report/capacity/1", "9000"), ("report/pool/1", "5")]
    assert site.woken == 2
    site.wanted["capacity"] = "8900"
    await site.tick(10_000)
    assert len(await site.queued()) == 2, "the last one is not there yet"
    await site.finish("report/capacity/1", "confirmed")
    await site.tick()
    await site.finish("report/capacity/2", "confirmed")
    site.wanted["capacity"] = "8800"
    await site.tick(899)
    assert [key for key, _ in await site.queued()] == ["report/pool/1"]
    await site.tick(1)
    assert await site.queued() == [("report/pool/1", "5"), ("report/capacity/3", "8800")]


async def test_what_was_refused_is_said_and_tried_again_later(site):
    site.wanted = {"capacity": "9000"}
    await site.tick()
    await site.finish("report/capacity/1", "refused")
    await site.tick(900)
    assert site.reporter.trouble == "capacity: the contract does not take it"
    assert await site.queued() == []
    await site.tick(RETRY_S - 900)
    assert await site.queued() == [("report/capacity/2", "9000")]
    await site.finish("report/capacity/2", "confirmed")
    await site.tick()
    assert site.reporter.trouble == ""


async def test_after_a_restart_what_is_told_stays_told(site):
    site.wanted = {"capacity": "9000"}
    await site.tick()
    await site.finish("report/capacity/1", "confirmed")
    again = Site(site.store)
    again.wanted = {"capacity": "9000"}
    await again.tick()
    assert await site.queued() == []
    assert (await site.store.call(told.get, "capacity")).number == 1


async def test_records_keep_their_room_and_nothing_is_said_before_something_is_known(site, monkeypatch):
    monkeypatch.setattr(module, "ROOM", 1)
    site.wanted = {"a": "1", "b": "1"}
    site.known = None
    await site.tick()
    assert await site.queued() == []
    site.known = FACTS
    await site.tick()
    assert [key for key, _ in await site.queued()] == ["report/a/1"]
    await site.finish("report/a/1", "confirmed")
    await site.tick()
    assert [key for key, _ in await site.queued()] == ["report/b/1"]


async def test_it_runs_until_it_is_cancelled(site, monkeypatch):
    monkeypatch.setattr(module, "POLL_S", 0)
    site.wanted = {"a": "1"}
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        task = group.create_task(site.reporter.run())
        while not await site.queued():
            await asyncio.sleep(0.01)
        task.cancel()
