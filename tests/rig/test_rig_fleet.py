"""Several plants as one site: one meter, and inverters that leave room to each other."""

from dataclasses import replace

import pytest
from rig.fleet import join
from rig.physics import Order, SiteSpec
from rig.plant import Plant


def pair() -> tuple[Plant, Plant]:
    first = Plant(step_ms=1000)
    second = Plant(replace(SiteSpec(), pv_peak_w=0), step_ms=1000)
    join((first, second))
    return first, second


def test_each_meter_shows_the_whole_site() -> None:
    first, second = pair()
    first.control, second.control = lambda _: Order("ac", 1000), lambda _: Order("ac", -300)
    first.advance(0)
    for second_no in range(1, 6):
        second.advance(second_no * 1000)
        a, b = first.state, second.state
        assert (a.battery_ac_w, b.battery_ac_w) == (1000, -300)
        assert a.grid_w == b.grid_w == a.load_w - a.pv_w - 700


def test_two_left_to_themselves_hold_the_grid_at_zero_and_do_not_chase_each_other() -> None:
    first, second = pair()
    for plant in (first, second):
        plant.set_load(3000)
    first.advance(0)
    shares = set()
    for second_no in range(1, 20):
        first.advance(second_no * 1000)
        if second_no > 3:
            assert abs(second.state.grid_w) <= 5
            shares.add(second.state.battery_ac_w // 100)
    assert len(shares) == 1


def test_they_have_one_step() -> None:
    with pytest.raises(ValueError, match="one step"):
        join((Plant(step_ms=100), Plant(step_ms=1000)))
