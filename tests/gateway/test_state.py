"""Site state: sources by role, ages, staleness, the derived load, and what it refuses."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import ClockTrust, Point, Points, Quality, Quantity, Sample, Stamp
from gateway.site import AttestSettings, Device, Site, SiteLimits, StoreSettings
from gateway.state import Measured, SiteState, combined

ROLES = {"inv": "inverter", "bms": "battery", "meter": "meter"}


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.ms = 1_000_000

    def mono_ms(self) -> int:
        return self.ms

    def now(self) -> Stamp:
        return Stamp(self.ms, self.ms, ClockTrust.TRUSTED)


def site() -> Site:
    devices = tuple(Device(n, "p", "modbus", role, "tcp://x", None) for n, role in ROLES.items())
    limits = SiteLimits(10_000, 10_000, 17_000, 5_000, 2_000)
    return Site("s", limits, devices, StoreSettings(Path("x")), AttestSettings())


def points(device: str, *quantities: Quantity) -> Points:
    return tuple(Point(device, q.value) for q in quantities)


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def state(clock: Hand) -> SiteState:
    return SiteState(site(), clock)


def sample(clock: Hand, known: Points, *values: int, quality: int = 0) -> Sample:
    return Sample(known[0].device, clock.now(), known, values, bytes([quality] * len(values)))


def test_the_battery_speaks_first_for_the_battery_and_the_meter_for_the_grid(
    state: SiteState, clock: Hand
) -> None:
    both = (Quantity.BATTERY_POWER, Quantity.GRID_POWER, Quantity.CHARGE_LIMIT_CURRENT, Quantity.PV_POWER)
    for number, device in enumerate(ROLES, 1):
        known = points(device, *both)
        state.declare(device, known, 1000)
        state.put(sample(clock, known, *[number] * 4))
    view = state.view()
    best = [view.get(q).device for q in both]
    assert best == ["bms", "meter", "bms", "inv"]
    assert [m.device for m in view.all(Quantity.CHARGE_LIMIT_CURRENT)] == ["bms", "inv", "meter"]
    assert view.declared == frozenset(ROLES)


def test_a_good_source_beats_a_better_role_that_is_not_good(state: SiteState, clock: Hand) -> None:
    for device, quality in (("bms", Quality.ABSENT), ("inv", Quality.GOOD)):
        known = points(device, Quantity.BATTERY_SOC)
        state.declare(device, known, 1000)
        state.put(sample(clock, known, 5000, quality=quality))
    assert state.view().get(Quantity.BATTERY_SOC).device == "inv"
    assert state.view().good(Quantity.BATTERY_SOC) == 5000


def test_a_declared_point_that_never_came_is_absent(state: SiteState) -> None:
    state.declare("bms", points("bms", Quantity.BATTERY_SOC), 1000)
    view = state.view()
    assert view.get(Quantity.BATTERY_SOC).quality is Quality.ABSENT
    assert view.good(Quantity.BATTERY_SOC) is None
    assert view.get(Quantity.BATTERY_SOH) is None
    assert view.good(Quantity.BATTERY_SOH) is None


@given(age=st.integers(0, 20_000), poll=st.integers(100, 10_000))
def test_age_makes_stale_limits_sooner(age: int, poll: int) -> None:
    clock = Hand()
    state = SiteState(site(), clock)
    known = points("bms", Quantity.BATTERY_SOC, Quantity.CHARGE_LIMIT_CURRENT)
    state.declare("bms", known, poll)
    state.put(sample(clock, known, 1, 2))
    clock.ms += age
    view = state.view()
    soc, limit = view.get(Quantity.BATTERY_SOC), view.get(Quantity.CHARGE_LIMIT_CURRENT)
    assert (soc.age_ms, limit.age_ms) == (age, age)
    assert (soc.quality is Quality.GOOD) == (age <= max(3 * poll, 5000))
    assert (limit.quality is Quality.GOOD) == (age <= min(3 * poll, 5000))


def test_a_slow_class_is_not_always_stale_but_an_outage_makes_nothing_fresh(
    state: SiteState, clock: Hand
) -> None:
    known = points("inv", Quantity.PV_ENERGY)
    state.declare("inv", known, 1000)

    def quality() -> Quality:
        return state.view().get(Quantity.PV_ENERGY).quality

    state.put(sample(clock, known, 1))
    clock.ms += 10_000
    assert quality() is Quality.STALE
    state.put(sample(clock, known, 2))
    clock.ms += 29_000
    assert quality() is Quality.GOOD  # it comes every 10 s: three polls are 30 s
    clock.ms += 50_000
    state.put(sample(clock, known, 3))  # after an outage of 79 s the class is still one of 10 s
    clock.ms += 31_000
    assert quality() is Quality.STALE


def test_a_repeated_stamp_does_not_spoil_the_period(state: SiteState, clock: Hand) -> None:
    known = points("inv", Quantity.PV_ENERGY)
    state.declare("inv", known, 1000)
    state.put(sample(clock, known, 1))
    state.put(sample(clock, known, 2))
    assert state.view().good(Quantity.PV_ENERGY) == 2


def test_a_sample_from_the_future_is_not_believed(state: SiteState, clock: Hand) -> None:
    known = points("inv", Quantity.PV_POWER)
    state.declare("inv", known, 1000)
    state.put(sample(clock, known, 7))
    clock.ms -= 1
    assert state.view().get(Quantity.PV_POWER).quality is Quality.STALE


def test_parts_of_a_device_are_joined_and_the_newest_of_a_point_counts(state: SiteState, clock: Hand) -> None:
    whole = points("inv", Quantity.PV_POWER, Quantity.PV_ENERGY)
    fast, slow = whole[:1], whole
    state.declare("inv", whole, 1000)
    state.put(sample(clock, slow, 100, 9))
    clock.ms += 1000
    state.put(sample(clock, fast, 200))
    readings = {p.name: (m.value, m.age_ms) for p, m in state.view().readings("inv")}
    assert readings == {"pv_power_w": (200, 0), "pv_energy_wh": (9, 1000)}
    assert state.view().readings("bms") == ()


@pytest.mark.parametrize("pv", [True, False])
def test_load_is_the_sum_that_defines_it(state: SiteState, clock: Hand, pv: bool) -> None:
    inverter = points("inv", Quantity.BATTERY_POWER, *([Quantity.PV_POWER] if pv else []))
    meter = points("meter", Quantity.GRID_POWER)
    state.declare("inv", inverter, 1000)
    assert state.view().get(Quantity.LOAD_POWER) is None
    state.declare("meter", meter, 1000)
    state.put(sample(clock, inverter, -500, *([3000] if pv else [])))
    assert state.view().get(Quantity.LOAD_POWER).quality is Quality.ABSENT
    assert state.view().get(Quantity.LOAD_POWER).value == 0
    clock.ms += 1000
    state.put(sample(clock, meter, 200))
    load = state.view().get(Quantity.LOAD_POWER)
    assert (load.value, load.quality, load.age_ms) == (2700 if pv else -300, Quality.GOOD, 1000)
    clock.ms += 4500
    assert state.view().get(Quantity.LOAD_POWER).quality is Quality.STALE


def test_a_measured_load_is_not_derived(state: SiteState, clock: Hand) -> None:
    known = points("meter", Quantity.LOAD_POWER)
    state.declare("meter", known, 1000)
    state.put(sample(clock, known, 42))
    assert state.view().get(Quantity.LOAD_POWER).value == 42


def test_a_view_does_not_change(state: SiteState, clock: Hand) -> None:
    known = points("inv", Quantity.PV_POWER)
    state.declare("inv", known, 1000)
    state.put(sample(clock, known, 1))
    before = state.view()
    state.put(replace(sample(clock, known, 2)))
    assert before.get(Quantity.PV_POWER).value == 1
    assert state.view().get(Quantity.PV_POWER).value == 2
    state.declare("inv", points("inv", Quantity.PV_ENERGY), 1000)
    assert before.get(Quantity.PV_POWER).value == 1
    assert state.view().get(Quantity.PV_POWER) is None  # forgotten with the new declaration


def test_strangers_and_wasteful_drivers_are_bugs(state: SiteState, clock: Hand) -> None:
    known = points("inv", Quantity.PV_POWER)
    with pytest.raises(ValueError, match="not declared"):
        state.put(sample(clock, known, 1))
    with pytest.raises(ValueError, match="not a device"):
        state.declare("ghost", known, 1000)
    state.declare("inv", known, 1000)
    kept = [(Point("inv", "pv_power_w"),) for _ in range(65)]
    for fresh in kept[:64]:
        state.put(sample(clock, fresh, 1))
    with pytest.raises(ValueError, match="new tuple"):
        state.put(sample(clock, kept[64], 1))


# -- several batteries ------------------------------------------------------------------------------------

A, B = frozenset({"inv", "bms"}), frozenset({"inv2", "bms2"})


@pytest.fixture
def pair(clock: Hand) -> SiteState:
    more = (
        Device("inv2", "p", "modbus", "inverter", "tcp://y", None),
        Device("bms2", "p", "modbus", "battery", "tcp://y", None, of="inv2"),
    )
    return SiteState(replace(site(), devices=(*site().devices, *more), batteries=(A, B)), clock)


def say(state: SiteState, clock: Hand, device: str, *, quality: int = 0, **values: int) -> None:
    known = points(device, *(Quantity[name] for name in values))
    state.declare(device, known, 1000)
    state.put(sample(clock, known, *values.values(), quality=quality))


def test_of_several_batteries_powers_add_up_and_shares_are_weighed(pair: SiteState, clock: Hand) -> None:
    say(pair, clock, "bms", BATTERY_POWER=1000, BATTERY_SOC=2000, BATTERY_CAPACITY=30_000)
    say(pair, clock, "bms2", BATTERY_POWER=-400, BATTERY_SOC=8000, BATTERY_CAPACITY=10_000)
    view = pair.view()
    assert view.good(Quantity.BATTERY_POWER) == 600
    assert view.good(Quantity.BATTERY_SOC) == 3500
    assert view.good(Quantity.BATTERY_CAPACITY) == 40_000
    assert [view.of(b).good(Quantity.BATTERY_SOC) for b in (A, B)] == [2000, 8000]


def test_the_whole_is_no_better_than_its_worst_part(pair: SiteState, clock: Hand) -> None:
    say(pair, clock, "bms", BATTERY_POWER=1000)
    assert pair.view().get(Quantity.BATTERY_POWER).quality is Quality.ABSENT  # the other has not said it
    say(pair, clock, "bms2", BATTERY_POWER=500, quality=int(Quality.INVALID))
    assert pair.view().get(Quantity.BATTERY_POWER).quality is Quality.INVALID
    assert pair.view().good(Quantity.BATTERY_POWER) is None
    clock.ms += 6000
    say(pair, clock, "bms2", BATTERY_POWER=500)
    assert pair.view().get(Quantity.BATTERY_POWER).quality is Quality.STALE


def test_what_only_some_inverters_have_is_added_up_of_those(pair: SiteState, clock: Hand) -> None:
    say(pair, clock, "inv", PV_POWER=3000)
    assert pair.view().good(Quantity.PV_POWER) == 3000
    say(pair, clock, "inv2", PV_POWER=1000, INVERTER_POWER=700)
    assert pair.view().good(Quantity.PV_POWER) == 4000
    assert pair.view().good(Quantity.INVERTER_POWER) == 700


def test_limits_are_never_mixed(pair: SiteState, clock: Hand) -> None:
    say(pair, clock, "bms", CHARGE_LIMIT_CURRENT=100_000)
    say(pair, clock, "bms2", CHARGE_LIMIT_CURRENT=50_000)
    view = pair.view()
    assert [m.value for m in view.of(A).all(Quantity.CHARGE_LIMIT_CURRENT)] == [100_000]
    assert [m.value for m in view.of(B).all(Quantity.CHARGE_LIMIT_CURRENT)] == [50_000]
    assert len(view.all(Quantity.CHARGE_LIMIT_CURRENT)) == 2


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 50_000)), min_size=1, max_size=4))
def test_a_weighed_share_lies_between_its_parts(parts: list[tuple[int, int]]) -> None:
    found = [Measured(soc, Quality.GOOD, 0, "d") for soc, _ in parts]
    whole = combined(Quantity.BATTERY_SOC, found, [weight for _, weight in parts])
    assert min(s for s, _ in parts) <= whole.value <= max(s for s, _ in parts)
