"""Price signals: a plan of the schedule, durable, replaced by the next; refused where nothing may move."""

from dataclasses import replace

import pytest

from gateway.pricing import Pricing
from gateway.site import PriceSettings
from tests.gateway.stores import WALL_MS, opened
from tests.sim.mocks import site as make_site

HOUR_MS = 3_600_000
PRICES = (10, 400, 10, 400)


@pytest.fixture
async def store(tmp_path):
    async with opened(tmp_path / "store.db") as (made, _):
        yield made


MOVED = PriceSettings(8000, 9000, 0)


def pricing(store, *, soc_bp=None, prices=MOVED):
    plans = []
    site = replace(make_site(), prices=prices)
    return Pricing(site, store, lambda: soc_bp, plans.append), plans, site


async def test_a_signal_becomes_slots_that_buy_cheap_and_sell_dear(store):
    made, plans, site = pricing(store)
    assert await made.take(WALL_MS, HOUR_MS, PRICES) == ""
    (slots,) = plans
    assert [s.start_ms - WALL_MS for s in slots] == [0, HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS]
    powers = [s.parameters["power_w"] for s in slots]
    assert powers[0] < 0 < powers[1]
    assert all(-site.limits.charge_w <= p <= site.limits.discharge_w for p in powers)


async def test_what_is_stored_may_be_sold_first(store):
    made, plans, site = pricing(store, soc_bp=9500)
    await made.take(WALL_MS, HOUR_MS, (400, 10))
    assert plans[-1][0].parameters["power_w"] > 0
    made, plans, _ = pricing(store, soc_bp=site.limits.soc_min_bp - 500)
    await made.take(WALL_MS, HOUR_MS, (400, 10))
    assert plans[-1] == ()


async def test_the_plan_outlives_a_restart_with_the_same_ids_and_is_replaced_by_the_next(store):
    made, plans, _ = pricing(store)
    await made.restore()
    assert plans == []
    await made.take(WALL_MS, HOUR_MS, PRICES)
    again, restored, _ = pricing(store, soc_bp=5000)
    await again.restore()
    assert restored == plans
    await again.take(WALL_MS + 4 * HOUR_MS, HOUR_MS, (5, 5))
    await again.restore()
    assert restored[1:] == [(), ()]


async def test_what_cannot_be_followed_says_why(store):
    made, plans, _ = pricing(store, prices=None)
    assert "site.yaml has no `prices" in await made.take(WALL_MS, HOUR_MS, PRICES)
    made, plans, _ = pricing(store)
    assert "at most" in await made.take(WALL_MS, HOUR_MS, (1, 2) * 200)
    assert plans == []
