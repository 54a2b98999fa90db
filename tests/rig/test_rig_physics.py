"""Physics: energy is conserved, limits hold, whatever is ordered for however long."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rig.physics import (
    Order,
    SiteSpec,
    begin,
    charge_share,
    clear_sky_w,
    discharge_share,
    inverter_w,
    open_circuit_v,
    step,
    target_w,
    to_ac,
    to_dc,
)
from rig.series import surroundings

WORLD = surroundings()
POWERS = st.integers(-20_000, 20_000)
ORDERS = st.builds(
    Order,
    st.sampled_from(["self", "grid", "battery", "ac", "idle"]),
    POWERS,
    st.none() | POWERS,
    st.none() | POWERS,
    st.booleans(),
)


def site(soc=0.5, second=43_200.0, **spec):
    plate = replace(SiteSpec(), **spec)
    return begin(plate, soc=soc, second=second, surroundings=WORLD), plate


@given(
    soc=st.floats(0, 1),
    second=st.floats(0, 200_000),
    hybrid=st.booleans(),
    speed=st.sampled_from([1.0, 60.0, 3600.0]),
    orders=st.lists(st.tuples(ORDERS, st.integers(1, 40)), min_size=1, max_size=6),
)
def test_energy_is_conserved_and_limits_hold(soc, second, hybrid, speed, orders):
    state, spec = site(soc, second, hybrid=hybrid)
    stored_j = state.stored_j
    for order, steps in orders:
        for _ in range(steps):
            step(state, spec, WORLD, order, dt_ms=100, speed=speed)
            assert state.load_w == state.pv_w + state.battery_ac_w + state.grid_w
            assert -spec.charge_max_w <= state.battery_ac_w <= spec.discharge_max_w
            assert -1e-9 <= state.soc <= 1 + 1e-9
            if state.battery_ac_w > 0:
                assert state.current_a <= state.discharge_limit_a * 1.1
    came = state.imported_j + state.produced_j + stored_j
    went = state.exported_j + state.consumed_j + state.stored_j + state.lost_j
    assert came == pytest.approx(went, rel=1e-9, abs=1e-3)
    assert state.lost_j >= -1e-6


def test_a_round_trip_loses_what_the_efficiencies_say():
    state, spec = site(0.4, second=0.0)  # night
    for power_w in (-3_000, 3_000):
        start_j = state.stored_j
        while abs(state.stored_j - start_j) < 3_600_000:
            step(state, spec, WORLD, Order("ac", power_w), dt_ms=1000, speed=1)
    ratio = state.ac_out_j / state.ac_in_j
    assert 0.90 < ratio < 0.975**2 * 0.99


def test_the_inverter_ramps_and_speed_does_not_hasten_it():
    state, spec = site()
    for number in range(1, 5):
        step(state, spec, WORLD, Order("ac", 9_000), dt_ms=100, speed=60)
        assert state.battery_ac_w == min(500 * number, 9_000)


def test_the_battery_tapers_near_full_and_empty_and_stops_in_the_cold():
    assert [charge_share(soc, 20) for soc in (0.5, 0.975, 0.9989, 0.9991)] == [1, pytest.approx(0.5), 0.03, 0]
    assert [discharge_share(soc, 20) for soc in (0.5, 0.065, 0.02)] == [1, pytest.approx(0.5), 0]
    assert [charge_share(0.5, t) for t in (-1, 5, 20, 50, 56)] == [0, 0.5, 1, 0.5, 0]
    assert [discharge_share(0.5, t) for t in (-1, 50, 56)] == [1, 0.5, 0]


def test_a_full_battery_takes_nothing_and_an_empty_one_gives_nothing():
    for soc, power_w in ((1.0, -5_000), (0.0, 5_000)):
        state, spec = site(soc, second=0.0)
        for _ in range(20):
            step(state, spec, WORLD, Order("ac", power_w), dt_ms=100, speed=1)
        assert state.battery_ac_w == 0


def test_voltage_sags_under_load_and_rises_when_charging():
    state, spec = site()
    rest = open_circuit_v(spec, state.soc)
    step(state, spec, WORLD, Order("ac", 500), dt_ms=1000, speed=1)
    assert state.voltage_v < rest
    step(state, spec, WORLD, Order("ac", -4_000), dt_ms=2000, speed=1)
    assert state.voltage_v > rest
    assert state.voltage_v * state.current_a == pytest.approx(state.battery_w)


def test_work_warms_the_battery():
    state, spec = site()
    for _ in range(600):
        step(state, spec, WORLD, Order("ac", 9_000), dt_ms=1000, speed=1)
    assert state.temperature_c > spec.ambient_c + 0.5


def test_the_sun_is_a_day():
    spec = SiteSpec()
    curve = [clear_sky_w(spec, hour * 3600) for hour in range(48)]
    assert curve[:8] == [0] * 8 and curve[13] == max(curve) == spec.pv_peak_w
    assert curve[:24] == curve[24:]


@pytest.mark.parametrize(
    ("order", "hybrid", "wanted"),
    [
        (Order(), False, -1_500),
        (Order("grid", 500), False, -2_000),
        (Order("ac", 700), False, 700),
        (Order("ac", 700), True, -1_800),
        (Order("battery", 1_000), False, 975),
        (Order("battery", -1_000), False, -1_025),
        (Order("idle"), False, 0),
        (Order("self", 0, low_w=-300), False, -300),
        (Order("self", 0, high_w=-2_000), False, -2_000),
        (Order("ac", -4_000, from_grid=False), False, -2_500),
    ],
)
def test_an_order_becomes_power(order, hybrid, wanted):
    state, spec = site(hybrid=hybrid)
    state.pv_w, state.load_w = 2_500, 1_000
    assert target_w(state, spec, order) == wanted


@given(POWERS)
def test_conversion_never_asks_the_battery_for_more(dc_w):
    spec = SiteSpec()
    back = to_dc(to_ac(dc_w, spec), spec)
    assert abs(back) <= abs(dc_w) + 1e-9
    assert abs(back - dc_w) < 2


@given(
    st.integers(-20_000, 20_000),
    POWERS,
    st.booleans(),
    st.integers(0, 10_000),
)
def test_active_power_comes_first_and_reactive_power_keeps_the_rating(var, power_w, hybrid, apparent):
    state, spec = site(hybrid=hybrid, ac_max_w=apparent)
    for _ in range(30):
        step(state, spec, WORLD, Order("ac", power_w, var=var), dt_ms=1_000, speed=1.0)
    assert abs(state.inverter_var) <= min(abs(var), spec.var_max) and state.inverter_var * var >= 0
    assert not state.inverter_var or state.inverter_var**2 + inverter_w(state, spec) ** 2 <= apparent**2
    assert state.grid_var == state.load_var - state.inverter_var


@given(ORDERS, st.booleans(), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 86_400))
def test_an_island_is_carried_whatever_was_ordered(order, hybrid, soc, second):
    state, spec = site(soc, float(second), hybrid=hybrid)
    state.connected = False
    for _ in range(5):
        step(state, spec, WORLD, order, dt_ms=100, speed=1.0)
        assert (state.grid_w, state.grid_var) == (0, 0)
        assert state.load_w == state.pv_w + state.battery_ac_w
        assert state.load_w >= 0 and state.pv_w >= 0
    full, load_w = soc == 1.0, WORLD.load_w.held(state.second)
    assert state.load_w <= load_w and (soc == 0.0 or state.load_w == min(load_w, spec.ac_max_w))
    assert not full or state.battery_ac_w >= 0
    state.connected = True
    step(state, spec, WORLD, Order(), dt_ms=100, speed=1.0)
    assert state.load_w == load_w
