"""An outage that this process did not see: what the one before it noted, and a machine that was started."""

from gateway.gridwatch import GridWatch
from gateway.journal import Journal
from gateway.model import Quality
from gateway.outage import STABLE_MS
from gateway.store import outages
from tests.gateway.test_sense import Bench
from tests.sim.mocks import MemoryStore


async def test_what_one_process_knows_of_the_grid_the_next_begins_with() -> None:
    store, bench = MemoryStore(), Bench()
    journal = Journal(store)
    watch = GridWatch(journal)

    async def seen(connected: int) -> str:
        watch.step(bench.say("inverter", GRID_CONNECTED=connected).view)
        assert await journal.drain(1)
        return watch.outage.text

    async def found() -> str:
        after = GridWatch(Journal(store))
        await after.restore(store, bench.clock.mono)
        return after.outage.text

    assert (await seen(1), await found()) == ("", "")
    assert (await seen(0), await found()) == ("lost", "returning")
    assert (await seen(1), await found()) == ("returning", "returning")
    bench.clock.mono += STABLE_MS
    assert (await seen(1), await found()) == ("", "")


async def test_nothing_is_written_while_nothing_changes() -> None:
    store, bench, noted = MemoryStore(), Bench(), []
    journal = Journal(store)
    journal.put = lambda fn, *args: noted.append((fn, *args))
    watch = GridWatch(journal)
    for connected, quality in ((1, Quality.GOOD), (0, Quality.GOOD), (1, Quality.GOOD)):
        watch.step(bench.say("inverter", quality, GRID_CONNECTED=connected).view)
    for _ in range(5):  # nobody sees it: the minute begins anew each time
        bench.clock.mono += 1000
        watch.step(bench.say("inverter", Quality.ABSENT, GRID_CONNECTED=1).view)
    assert noted == [(outages.note, True)]
    assert watch.outage.until_ms == bench.clock.mono + STABLE_MS
