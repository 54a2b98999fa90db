"""One commanded battery: what it may be doing, also when it was lost, its part of a division, its faults."""

import asyncio
from dataclasses import replace

import pytest

from gateway.journal import Journal
from gateway.lease import Hold, Phase, Proven
from gateway.member import Member, ramped, worst
from gateway.model import Cause, ClockTrust, Limits, ReadBack, Stamp
from gateway.site import SiteLimits
from tests.gateway.envelope_bench import moment
from tests.gateway.test_sense import Bench
from tests.sim.mocks import SPEC, MemoryStore

ALL = frozenset({"inverter", "bms", "meter"})
NOW = Stamp(1_000_000, 1_790_000_000_000, ClockTrust.TRUSTED)


class Hand:
    """What a member sees of a device."""

    def __init__(self, name: str = "inverter", spec=SPEC) -> None:
        self.hold = Hold(name, Phase.RELEASED, online=True, spec=spec, ends_s=30)
        self.granted, self.cleared = 0, False

    def quantise(self, power_w: int) -> int:
        return power_w

    def grant(self, writes: int) -> None:
        self.granted += writes

    def clear(self) -> None:
        self.cleared = True

    def change(self, **changes: object) -> None:
        self.hold = replace(self.hold, **changes)


class Desk:
    def __init__(self, name: str = "inverter", spec=SPEC) -> None:
        self.bench = Bench()
        self.journal = Journal(MemoryStore())
        self.hand = Hand(name, spec)
        self.member = Member(self.hand, self.bench.site, self.journal, self.bench.clock.mono)

    def watch(self, after_ms: int = 1000, **said: int) -> str:
        """A cycle `after_ms` later, in which the battery says `said`."""
        self.bench.clock.mono += after_ms
        if said:
            self.bench.say("inverter", **said)
        return self.member.watch(self.bench.view, self.bench.clock.now())

    def may_do(self) -> Limits:
        return self.member.may_do(self.bench.clock.mono)


@pytest.mark.parametrize(
    ("proven", "sign"), [(Proven("2026-11-27"), -1), (Proven("2026-11-27"), 1), (None, -1)]
)
def test_a_meter_that_turned_since_it_was_proven_is_a_fault_in_words(
    proven: Proven | None, sign: int
) -> None:
    desk, faults = Desk(), set()
    desk.hand.change(phase=Phase.HELD, proven=proven, spec=replace(SPEC, settle_s=1))
    for s in range(400):
        power_w = 2000 if s // 30 % 2 else -2000
        desk.hand.change(power_w=power_w)
        desk.bench.say("meter", GRID_POWER=sign * (500 - power_w))
        desk.bench.say("inverter", BATTERY_POWER=power_w)
        desk.bench.clock.mono += 1000
        faults.add(desk.member.watch(desk.bench.view, desk.bench.clock.now(), free=True))
    turned = {
        "the meter meter now counts the other way than when commissioned on 2026-11-27: check its wiring and "
        "its profile, then run gridseal commission"
    }
    assert faults - {""} == (turned if proven and sign < 0 else set())
    desk.member.clear()
    assert not desk.watch(), "a person has dealt with it"


def test_what_it_holds_is_what_it_may_be_doing() -> None:
    desk = Desk()
    desk.watch()
    assert desk.may_do() == Limits(0, 0)
    desk.hand.change(phase=Phase.HELD, power_w=-3000)
    desk.watch()
    assert desk.may_do() == Limits(3000, 0)
    desk.hand.change(power_w=2000)
    desk.watch()
    assert desk.may_do() == Limits(0, 2000)


def test_a_power_under_way_counts_beside_the_one_before_it_until_it_was_read_back() -> None:
    desk = Desk()
    desk.hand.change(phase=Phase.HELD, power_w=5000)
    desk.watch()
    desk.hand.change(phase=Phase.WRITTEN, power_w=1000)
    desk.watch()
    assert desk.may_do() == Limits(0, 5000)
    desk.hand.change(power_w=-2000)
    desk.watch()
    assert desk.may_do() == Limits(2000, 5000)
    desk.hand.change(phase=Phase.HELD)
    desk.watch()
    assert desk.may_do() == Limits(2000, 0)


def test_a_power_whose_answer_was_lost_between_two_cycles_counts_as_arrived() -> None:
    desk = Desk()
    desk.watch()
    desk.hand.change(phase=Phase.UNKNOWN, online=False, power_w=3000, power_writes=1)
    desk.watch(600_000)  # only now is it seen: it may have been written just before
    assert desk.may_do() == Limits(0, 3000)
    desk.watch(33_000)
    assert desk.may_do() == Limits(0, 3000)
    desk.watch(1)
    assert desk.may_do() == Limits(0, 0)


@pytest.mark.parametrize(("held", "may_do"), [
    (None, Limits(0, 0)),
    (ReadBack(4000, active=True), Limits(0, 4000)),
    (ReadBack(-4000, active=True), Limits(4000, 0)),
    (ReadBack(4000, active=False), Limits(0, 0)),
    (ReadBack(SPEC.step_w, active=True), Limits(0, 0)),
    (ReadBack(None, active=True), Limits(SPEC.charge_max_w, SPEC.discharge_max_w)),
])  # fmt: skip
def test_one_that_does_not_take_the_fallback_keeps_what_it_was_read_to_hold(
    held: ReadBack | None, may_do: Limits
) -> None:
    desk = Desk()
    desk.hand.change(phase=Phase.HELD, power_w=4000)
    desk.watch()
    desk.hand.change(phase=Phase.RELEASED, power_w=0, read_back=held, fault="does not take the fallback")
    desk.watch()
    assert desk.may_do() == may_do
    desk.hand.change(fault="")  # without a fault what was read is of before the fallback
    desk.watch()
    assert desk.may_do() == Limits(0, 0)


def test_one_that_was_lost_keeps_it_until_its_own_timer_has_surely_ended_it() -> None:
    desk = Desk()
    desk.hand.change(phase=Phase.HELD, power_w=2000)
    desk.watch()
    desk.hand.change(phase=Phase.UNKNOWN, online=False)
    desk.watch(33_000)  # 30 s of its timer, 3 s of settling
    assert desk.may_do() == Limits(0, 2000)
    desk.watch(1)
    assert desk.may_do() == Limits(0, 0)


def test_without_a_timer_it_keeps_it_until_it_is_reached_again() -> None:
    desk = Desk()
    desk.hand.change(phase=Phase.HELD, power_w=2000, ends_s=0)
    desk.watch()
    desk.hand.change(phase=Phase.UNKNOWN, online=False)
    desk.watch(86_400_000)
    assert desk.may_do() == Limits(0, 2000)
    desk.hand.change(phase=Phase.RELEASED, online=True, power_w=0)
    desk.watch()
    assert desk.may_do() == Limits(0, 0)


def test_why_it_can_take_no_order() -> None:
    desk = Desk()
    assert desk.member.away() is None
    desk.hand.change(online=False)
    assert desk.member.away() is Cause.OFFLINE
    worn = Desk(spec=replace(SPEC, writes_per_day=100))
    assert worn.member.away() is Cause.BUDGET
    worn.watch()
    assert asyncio.run(worn.journal.drain(1))
    worn.hand.change(allowance=worn.hand.granted)
    assert worn.hand.granted == 10
    assert worn.member.away() is None


def test_a_fault_of_the_hand_is_told_and_cleared_with_it() -> None:
    desk = Desk()
    desk.hand.change(fault="refused a setpoint")
    assert desk.watch() == "refused a setpoint"
    desk.member.clear()
    assert desk.hand.cleared


@pytest.mark.parametrize(
    ("measured_w", "said"), [(0, "holds 4000 W but the battery does 0 W"), (-4000, "the sign is wrong")]
)
def test_a_battery_that_does_not_follow_is_a_fault_in_words(measured_w: int, said: str) -> None:
    desk = Desk()
    desk.hand.change(phase=Phase.HELD, power_w=4000)
    found = [desk.watch(BATTERY_POWER=measured_w) for _ in range(30)]
    assert found[0] == ""
    assert said in found[-1]


def test_its_share_is_its_room_and_its_energy_inside_the_sites_bounds() -> None:
    desk = Desk()
    desk.bench.say("bms", BATTERY_SOC=6000, BATTERY_CAPACITY=10_000, BATTERY_VOLTAGE=50_000)
    desk.watch(0)
    view = desk.bench.view.of(ALL)
    share = desk.member.share(moment(site=SiteLimits(9000, 9000, 17_000, 5000, 2000)), view)
    assert (share.full_wh, share.empty_wh) == (5000, 3500)  # to 10 % and to 95 %
    assert share.room.charge_w > 0
    desk.bench.clock.mono += 60_000
    share = desk.member.share(moment(), desk.bench.view.of(ALL))
    assert (share.full_wh, share.empty_wh) == (0, 0)  # not known


def test_the_worst_of_the_others_is_what_they_hold_or_are_about_to() -> None:
    a, b, c = Desk("a"), Desk("b"), Desk("c")
    for desk, power_w in ((a, 3000), (b, -1000), (c, 500)):
        desk.hand.change(phase=Phase.HELD, power_w=power_w)
        desk.watch()
    members = [desk.member for desk in (a, b, c)]
    now_ms = a.bench.clock.mono
    assert worst(members, {}, a.member, now_ms) == Limits(1000, 500)
    assert worst(members, {"b": 2000, "c": 100}, a.member, now_ms) == Limits(1000, 2500)
    assert worst(members, {"a": -700}, c.member, now_ms) == Limits(1700, 3000)


def test_the_ramp_is_shared_like_the_target() -> None:
    limits = SiteLimits(1, 1, 1, 1, 2000)
    assert ramped(limits, 3000, 4000).ramp_w_per_s == 1500
    assert ramped(limits, -1000, -4000).ramp_w_per_s == 500
    assert ramped(limits, 4000, 4000) is limits
    assert ramped(limits, 0, 0) is limits
