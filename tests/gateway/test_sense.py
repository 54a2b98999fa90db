"""From the process image to the envelope's inputs: every provider counts, and nothing is filled in."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import sense
from gateway.envelope import EVERYTHING, Bms, Memory
from gateway.house import House, Power
from gateway.lease import Hold, Phase
from gateway.meterlive import Heard
from gateway.model import Limits, Point, Quality, Quantity, Sample
from gateway.sense import Battery
from gateway.services import Inputs
from gateway.site import Device
from gateway.state import SiteState
from tests.gateway.stores import HandClock
from tests.sim.mocks import SPEC, site


class Bench:
    """A state to which devices say quantities."""

    def __init__(self, at=None):
        self.clock = HandClock(1_000_000)
        self.site = at or site()
        self.state = SiteState(self.site, self.clock)

    def say(self, device, quality=Quality.GOOD, **values):
        points = tuple(Point(device, Quantity[name].value) for name in values)
        self.state.declare(device, points, 1000)
        qualities = bytes([quality] * len(points))
        self.state.put(Sample(device, self.clock.now(), points, tuple(values.values()), qualities))
        return self

    @property
    def view(self):
        return self.state.view()


class Hand:
    def __init__(self, hold):
        self.hold = hold

    def quantise(self, power_w):
        return power_w // 10 * 10


def hold(phase=Phase.HELD, spec=SPEC, **more):
    return Hold("inverter", phase, online=True, spec=spec, **more)


ALL = frozenset({"inverter", "bms", "meter"})


def moment(bench, hand, reach=EVERYTHING, house_w=None, devices=ALL):
    own = bench.view.of(devices)
    return sense.moment(own, bench.site, bench.site.limits, hand, devices, reach, house_w)


def house_w(bench, batteries):
    """The first thing that is made of what is measured: nothing was remembered."""
    holds = [Battery(devices, Hold(min(devices), Phase.RELEASED, online=True)) for devices in batteries]
    return sense.house(House(), bench.view, holds).power_w


def test_the_house_is_what_the_grid_would_carry_without_the_battery():
    bench = Bench().say("meter", GRID_POWER=4000).say("inverter", BATTERY_POWER=-3000)
    assert house_w(bench, [ALL]) == 1000


@pytest.mark.parametrize("quality", [q for q in Quality if q is not Quality.GOOD])
def test_a_house_of_which_a_part_is_not_good_is_unknown(quality):
    grid_bad = Bench().say("meter", quality, GRID_POWER=4000).say("inverter", BATTERY_POWER=-3000)
    battery_bad = Bench().say("meter", GRID_POWER=4000).say("inverter", quality, BATTERY_POWER=-3000)
    no_battery = Bench().say("meter", GRID_POWER=4000)
    for bench in (grid_bad, battery_bad, no_battery, Bench()):
        assert house_w(bench, [ALL]) is None


def test_the_house_is_told_what_each_battery_does_and_was_told():
    bench = Bench().say("meter", GRID_POWER=4000)
    bench.clock.mono += 100
    bench.say("inverter", BATTERY_POWER=-3000)
    found = sense.house(House(), bench.view, [Battery(ALL, hold(power_w=-2000, since_ms=1_000_050))])
    assert found.flows == {"inverter": (Power(1_000_050, -2000, told=True), Power(1_000_100, -3000))}
    under_way = sense.house(
        House(), bench.view, [Battery(ALL, hold(Phase.WRITTEN, power_w=-2000, since_ms=1))]
    )
    assert under_way.flows["inverter"][-1] == Power(1_000_100, -2000, told=True)
    unsure = sense.house(House(), bench.view, [Battery(ALL, hold(Phase.UNKNOWN, power_w=-2000, since_ms=1))])
    assert {power.power_w for power in unsure.flows["inverter"]} == {-3000, -2000, 0}
    free = sense.house(
        House(), bench.view, [Battery(ALL, hold(Phase.RELEASED, power_w=0, since_ms=1_000_050))]
    )
    assert free.flows == {"inverter": (Power(1_000_050, 0, told=True), Power(1_000_100, -3000))}


def test_of_a_discharge_that_is_measured_with_its_losses_what_was_told_counts():
    bench = Bench().say("meter", GRID_POWER=-1000).say("inverter", BATTERY_POWER=5125)
    found = sense.house(House(), bench.view, [Battery(ALL, hold(Phase.RELEASED), excess_bp=250)])
    assert found.power_w == 4000
    bench = Bench().say("meter", GRID_POWER=9000).say("inverter", BATTERY_POWER=-4875)
    found = sense.house(House(), bench.view, [Battery(ALL, hold(Phase.RELEASED), excess_bp=250)])
    assert found.power_w == 4125


def test_the_meter_is_heard_beside_what_all_commanded_batteries_do():
    bench = Bench().say("meter", GRID_POWER=4000, GRID_IMPORTED=77).say("inverter", BATTERY_POWER=-3000)
    assert sense.metered(bench.view, [Battery(ALL, hold())]) == Heard(
        "meter", 1_000_000, 4000, (77, None), -3000
    )
    for batteries in (
        [],
        [Battery(ALL, hold(Phase.RELEASED))],
        [Battery(ALL, hold()), Battery(frozenset(), hold())],
    ):
        assert sense.metered(bench.view, batteries).battery_w is None
    assert sense.metered(Bench().view, []) is None


def test_a_meter_that_is_not_believed_is_shown_to_no_law():
    bench = Bench().say("meter", GRID_POWER=4000)
    assert sense.inputs(bench.view, None, [], metered=False).grid_w is None


def test_what_the_laws_see_ages_away():
    bench = Bench().say("meter", GRID_POWER=4000, GRID_FREQUENCY=49_950).say("inverter", BATTERY_POWER=500)
    assert sense.inputs(bench.view, house_w(bench, [ALL]), [ALL]) == Inputs(
        49_950, 4500, 500, 4000, now_ms=bench.clock.mono
    )
    bench.clock.mono += 60_000
    assert sense.inputs(bench.view, house_w(bench, [ALL]), [ALL]) == Inputs(now_ms=bench.clock.mono)


def test_a_battery_that_is_not_ours_to_command_belongs_to_the_house():
    a, b = frozenset({"inverter", "bms"}), frozenset({"second"})
    more = (*site().devices, Device("second", "m", "mock", "inverter", "mock://s", None))
    bench = Bench(replace(site(), devices=more, batteries=(a, b)))
    bench.say("meter", GRID_POWER=4000).say("inverter", BATTERY_POWER=-3000).say("second", BATTERY_POWER=500)
    assert house_w(bench, [a, b]) == 1500
    assert house_w(bench, [a]) == 1000
    assert house_w(bench, []) == 4000
    bench.clock.mono += 5001  # the meter's last word is too old, whatever its poll
    assert house_w(bench, []) is None


def test_limits_are_those_of_the_battery_that_is_asked_about():
    a, b = frozenset({"inverter", "bms"}), frozenset({"second"})
    more = (*site().devices, Device("second", "m", "mock", "inverter", "mock://s", None))
    bench = Bench(replace(site(), devices=more, batteries=(a, b)))
    bench.say("bms", CHARGE_LIMIT_CURRENT=100_000).say("second", CHARGE_LIMIT_POWER=3000)
    assert sense.bms(bench.view.of(a), bench.site, a) == Bms((100_000,), (), (), (), True)
    assert sense.bms(bench.view.of(b), bench.site, b) == Bms((), (), (3000,), (), True)


def test_the_nameplate_is_the_inverters_or_unknown():
    assert sense.nameplate(None) is None
    assert sense.nameplate(replace(SPEC, charge_max_w=1, discharge_max_w=2)) == Limits(1, 2)


def test_every_provider_of_a_limit_is_given_on_with_its_gaps():
    bench = Bench()
    bench.say("bms", CHARGE_LIMIT_CURRENT=100_000, DISCHARGE_LIMIT_CURRENT=120_000)
    bench.say("inverter", CHARGE_LIMIT_CURRENT=90_000, DISCHARGE_LIMIT_POWER=5000)
    assert sense.bms(bench.view, bench.site, ALL) == Bms((100_000, 90_000), (120_000,), (), (5000,), True)
    bench.say("inverter", Quality.ABSENT, CHARGE_LIMIT_CURRENT=0, DISCHARGE_LIMIT_POWER=0)
    found = sense.bms(bench.view, bench.site, ALL)
    assert (found.charge_ma, found.discharge_w) == ((100_000, None), (None,))
    bench.clock.mono += 5001
    assert sense.bms(bench.view, bench.site, ALL).charge_ma == (None, None)


def test_a_battery_that_was_never_reached_is_not_a_site_without_one():
    bench = Bench().say("inverter", BATTERY_POWER=0)
    assert not sense.bms(bench.view, bench.site, ALL).reached
    bench.say("bms", BATTERY_SOC=5000)
    assert sense.bms(bench.view, bench.site, ALL).reached
    alone = replace(site(), devices=(Device("inverter", "m", "mock", "inverter", "mock://", None),))
    assert sense.bms(Bench(alone).view, alone, ALL).reached  # an inverter that is its own battery
    two = replace(site(), devices=(*site().devices, Device("b2", "m", "mock", "battery", "mock://2", None)))
    half = Bench(two).say("bms", BATTERY_SOC=5000)
    assert not sense.bms(half.view, two, ALL | {"b2"}).reached


def test_a_moment_holds_all_that_the_decision_depends_on():
    bench = Bench()
    bench.say("bms", BATTERY_VOLTAGE=51_000, BATTERY_SOC=6000, BATTERY_TEMPERATURE=2150)
    bench.say("meter", GRID_POWER=700).say("inverter", BATTERY_POWER=300)
    hand = Hand(hold())
    found = moment(bench, hand, Limits(0, 3000), 1000)
    assert (found.now_ms, found.cycle_ms, found.site) == (1_000_000, 1000, bench.site.limits)
    assert (found.nameplate, found.contract) == (Limits(10_000, 10_000), Limits(0, 3000))
    assert (found.voltage_mv, found.soc_bp, found.temperature_cc) == (51_000, 6000, 2150)
    assert (found.house_w, found.step_w) == (1000, 10)
    assert found.quantise(1234) == 1230
    assert found.temperature_expected


def test_a_moment_before_anything_was_reached_knows_nothing():
    hand = Hand(Hold("inverter", Phase.UNKNOWN, online=False))
    found = moment(Bench(), hand)
    unknown = (found.nameplate, found.voltage_mv, found.soc_bp, found.temperature_cc, found.house_w)
    assert unknown == (None,) * 5
    assert (found.step_w, found.bms.reached, found.temperature_expected) == (1, False, False)


def test_a_temperature_that_was_declared_and_is_lost_is_still_expected():
    bench = Bench().say("bms", Quality.ABSENT, BATTERY_TEMPERATURE=0)
    found = moment(bench, Hand(hold()))
    assert (found.temperature_cc, found.temperature_expected) == (None, True)


@given(st.sampled_from(Phase), st.integers(-5000, 5000), st.booleans(), st.booleans())
def test_what_the_device_did_replaces_what_was_meant(phase, flow, full, empty):
    bench = Bench().say("inverter", BATTERY_POWER=flow)
    before = Memory(900_000, 800_000, 1, full, empty)
    found = sense.remember(before, hold(phase, since_ms=950_000), bench.view, 990_000)
    assert (found.full, found.empty) == (full, empty)
    if phase in (Phase.WRITTEN, Phase.HELD):
        assert (found.changed_ms, found.rest_ms, found.direction) == (950_000, 800_000, 1)
    elif abs(flow) > sense.FLOW_W:  # its own control: a flow is a direction, and no rest
        assert (found.changed_ms, found.rest_ms, found.direction) == (
            990_000,
            1_000_000,
            1 if flow > 0 else -1,
        )
    else:  # it rests since it was let go; what it did before is not forgotten
        assert (found.changed_ms, found.rest_ms, found.direction) == (990_000, 950_000, 1)


@pytest.mark.parametrize(("flow", "direction"), [(100, 0), (-100, 0), (101, 1), (-101, -1)])
def test_idling_has_no_direction(flow, direction):
    bench = Bench().say("inverter", BATTERY_POWER=flow)
    found = sense.remember(Memory(1, 1, 0), hold(Phase.RELEASED), bench.view, 5)
    assert found.direction == direction


def test_an_unmeasured_flow_is_neither_a_direction_nor_a_rest():
    bench = Bench().say("inverter", Quality.INVALID, BATTERY_POWER=5000)
    found = sense.remember(Memory(1, 1, -1), hold(Phase.RELEASED), bench.view, 5)
    assert (found.direction, found.rest_ms) == (-1, 1_000_000)
