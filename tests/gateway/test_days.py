"""Figures of the days, kept ready: right as they are, and made anew only when another interval was sealed."""

from dataclasses import replace

import pytest

from gateway import days as module
from gateway.analytics import period
from gateway.analytics.alerts import WINDOW, alerts
from gateway.analytics.figures import AlertCode
from gateway.analytics.tally import Tally
from gateway.days import Days
from gateway.store import performance
from tests.gateway.stores import opened
from tests.gateway.tallies import DAY_MS, QUARTER_MS, Battery


@pytest.fixture
async def store(tmp_path):
    async with opened(tmp_path / "store.db") as (made, _):
        yield made


async def put(store, *tallies):
    def all_of_them(conn):
        for one in tallies:
            performance.put(conn, one)

    await store.call(all_of_them)


def at(day, **changes):
    return Tally(day * DAY_MS, day * DAY_MS + QUARTER_MS, **changes)


async def test_before_anything_is_sealed_there_is_nothing(store):
    days = Days(store)
    assert (await days.look()).days == ()
    assert await days.status() == {"day": None, "month": None, "health": None, "alerts": []}


async def test_interval_by_interval_it_says_what_the_whole_says(store):
    intervals, days = list(Battery().days(3)), Days(store)
    for some in (intervals[:10], intervals[10:150], intervals[150:151], intervals[151:]):
        await put(store, *some)
        looked = await days.look()
    expected = period.each(list(period.by_day(intervals)))
    assert looked.days == expected
    assert looked.alerts == alerts(expected)


async def test_it_is_made_anew_only_when_something_is_new(store, monkeypatch):
    made, days = [], Days(store)
    monkeypatch.setattr(module, "alerts", lambda known: made.append(len(known)) or ())
    for _ in range(3):
        await days.look()
    await put(store, at(20_000))
    for _ in range(3):
        await days.look()
    assert made == [1]


async def test_what_is_older_than_its_window_is_left_out(store):
    days = Days(store)
    await put(store, at(20_000), at(20_001))
    assert len((await days.look()).days) == 2
    await put(store, at(20_001 + WINDOW))
    assert [d.start_ms // DAY_MS for d in (await days.look()).days] == [20_001, 20_001 + WINDOW]


async def test_a_slow_loss_over_months_is_seen(store):
    """It takes more than the month over which alerts are followed."""
    kept = list(period.by_day(Battery(fade_per_year=0.08).days(200)))
    await put(store, *(replace(day, open_wh=0, open_bp=0) for day in kept))
    status = await Days(store).status()
    assert [a["code"] for a in status["alerts"]] == [AlertCode.FADE_FAST]
    assert status["day"]["charged_wh"] == kept[-1].charged_wh
    assert status["health"]["points"][-1][1] < status["health"]["points"][0][1]
    assert -1000 < status["health"]["least_bp"] <= status["health"]["per_year_bp"] < -600


async def test_a_month_is_the_days_of_its_time_as_one(store):
    """Not the newest thirty that there are; and its capacity may be from before it."""
    kept = list(period.by_day(Battery().days(60)))
    some = [*kept[:20], *kept[40:]]  # three weeks of nothing
    await put(store, *some)
    month = (await Days(store).status())["month"]
    assert (month["start_ms"], month["end_ms"]) == (kept[40].start_ms, kept[-1].end_ms)
    assert month["charged_wh"] == sum(day.charged_wh for day in kept[40:])
