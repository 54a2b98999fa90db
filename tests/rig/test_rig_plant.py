"""The plant: the same site whoever asks how often, and an honest account of demands."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rig.physics import Order, SiteSpec
from rig.plant import CATCH_UP_MAX, STEP_MS, Plant


@given(st.lists(st.integers(0, 700), min_size=1, max_size=20))
def test_the_site_does_not_depend_on_who_looks(pauses):
    often, once = Plant(seed=3), Plant(seed=3)
    now_ms = 0
    often.advance(0)
    once.advance(0)
    for pause in pauses:
        now_ms += pause
        often.advance(now_ms)
    once.advance(now_ms)
    assert often.report() == once.report()


def test_time_does_not_run_backwards_and_does_not_leap():
    plant = Plant()
    plant.advance(10_000)
    plant.advance(12_000)
    second = plant.state.second
    assert plant.advance(11_000).second == second
    with pytest.raises(ValueError, match="jump"):
        plant.advance(12_000 + (CATCH_UP_MAX + 2) * STEP_MS)


def test_left_alone_it_keeps_the_grid_near_zero():
    plant = Plant(soc=0.5)
    plant.advance(0)
    plant.advance(60_000)
    report = plant.report()
    assert report["order"] == "self" and report["grid_power_w"] == 0
    assert report["load_power_w"] == report["pv_power_w"] + report["battery_ac_w"] + report["grid_power_w"]


def test_the_seed_makes_the_device():
    assert Plant(seed=1).serial == Plant(seed=1).serial != Plant(seed=2).serial


def test_a_state_of_charge_can_be_set_and_the_balance_stays_closed():
    plant = Plant()
    before = plant.state.stored_j + plant.state.lost_j
    plant.set_soc(0.9)
    assert plant.report()["battery_soc_bp"] == 9_000
    assert plant.state.stored_j + plant.state.lost_j == pytest.approx(before)
    with pytest.raises(ValueError, match="share"):
        plant.set_soc(1.1)


@pytest.mark.parametrize(
    ("order", "demand"),
    [
        (Order(), None),
        (Order("grid", -9_000), None),
        (Order("self", 0, -500, 500), None),
        (Order("battery", -3_000), -3_000),
        (Order("idle"), 0),
        (Order("ac", 3_000, None, 1_000), 1_000),
        (Order("self", 0, -10_000, -2_000), -2_000),
        (Order("self", 0, 2_500, 2_500), 2_500),
    ],
)
def test_what_an_order_demands(order, demand):
    assert Plant().demand_w(order) == demand


def test_on_a_hybrid_the_ac_setpoint_contains_the_sun():
    plant = Plant(replace(SiteSpec(), hybrid=True))
    assert plant.demand_w(Order("ac", 1_000)) == 1_000 - plant.state.pv_w
