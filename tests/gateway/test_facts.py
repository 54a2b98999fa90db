"""What the site knows of itself: only what is GOOD or sealed."""

from types import SimpleNamespace

import pytest

from gateway.analytics.figures import AlertCode
from gateway.analytics.tally import Tally
from gateway.days import Days
from gateway.device import Health
from gateway.facts import SILENT_MS, Gatherer
from gateway.model import ClockTrust, Quantity
from gateway.store import performance
from tests.gateway.stores import WALL_MS, HandClock, opened
from tests.sim.mocks import site as make_site

SITE = make_site()
DAY_MS = 86_400_000


class Place:
    def __init__(self, store) -> None:
        self.clock, self.good = HandClock(), {Quantity.BATTERY_SOC: 5500, Quantity.BATTERY_AVAILABLE: 4400}
        self.tasks = {d.name: SimpleNamespace(health=Health(d.name, online=True)) for d in SITE.devices}
        state = SimpleNamespace(view=lambda: SimpleNamespace(good=self.good.get))
        self.gather = Gatherer(SITE, self.clock, state, Days(store), self.tasks)


@pytest.fixture
async def store(tmp_path):
    async with opened(tmp_path / "store.db") as (made, _):
        yield made


async def test_before_anything_is_sealed_only_what_is_measured_is_known(store):
    place = Place(store)
    found = await place.gather()
    assert (found.soc_bp, found.available_wh, found.soh_bp) == (5500, 4400, None)
    assert (found.capacity_wh, found.day, found.alerts) == (None, None, ())
    assert (found.limits.charge_w, found.limits.discharge_w) == (
        SITE.limits.charge_w,
        SITE.limits.discharge_w,
    )
    assert [d.name for d in found.devices] == [d.name for d in SITE.devices]


async def test_on_a_clock_that_is_not_trusted_nothing_is_said(store):
    place = Place(store)
    place.clock.trust = ClockTrust.UNTRUSTED
    assert await place.gather() is None


async def test_capacity_is_the_last_measured_or_the_rated_one(store):
    place = Place(store)
    start_ms = WALL_MS - 2 * DAY_MS
    await store.call(performance.put, Tally(start_ms, start_ms + 900_000, rated_wh=10_000))
    assert (await place.gather()).capacity_wh == 10_000
    # A swing over half of the charge that gave 4,700 Wh: 9,400 Wh for all of it.
    swing = Tally(
        start_ms + DAY_MS, start_ms + DAY_MS + 900_000, rated_wh=10_000, swing_wh=4_700, swing_bp=5_000
    )
    await store.call(performance.put, swing)
    found = await place.gather()
    assert found.capacity_wh == 9_400
    assert found.day.capacity_wh == 9_400


async def test_alerts_come_from_the_days(store):
    place = Place(store)
    for day in range(5):
        start_ms = WALL_MS - (5 - day) * DAY_MS
        tally = Tally(start_ms, start_ms + 900_000, battery_alarms_flags=1 << 21)
        await store.call(performance.put, tally)
    assert AlertCode.FAN in {alert.code for alert in (await place.gather()).alerts}


async def test_a_device_that_reconnects_is_not_yet_silent(store):
    place = Place(store)
    name = SITE.devices[0].name
    identity = {"vendor": "Acme", "model": "One", "serial": "77"}
    place.tasks[name].health = Health(name, online=False, since_ms=0, identity=identity)
    place.clock.mono = SILENT_MS - 1
    first = (await place.gather()).devices[0]
    assert (first.vendor, first.model, first.serial, first.state) == ("Acme", "One", "77", "online")
    place.clock.mono = SILENT_MS
    assert (await place.gather()).devices[0].state == "silent"
