"""What a battery says of itself, in a whole site: curves, slow recovery, doubts, and a wrong sign.

The rules themselves are tested in test_derate, test_recovery, test_plausible and test_follow; this is that
they are asked, of the right devices, and that a person is told.
"""

from dataclasses import replace

import pytest

from gateway.model import Cause, Limits, Quality, Quantity
from gateway.plausible import AGAIN_MS
from gateway.site import Curve, Site
from tests.gateway.control_bench import CYCLE_MS
from tests.sim.mocks import SPEC, link_lost, site
from tests.sim.world import World, play

WARM = Curve(Quantity.BATTERY_TEMPERATURE, discharge=((3000, 10_000), (4000, 2000)))
FULL_CELLS = Curve(Quantity.BATTERY_CELL_MAX, charge=((3400, 10_000), (3600, 0)))


def derated(*curves: Curve, device: str = "bms", **more: object) -> Site:
    base = site()
    own = tuple(replace(d, derating=curves, **more) if d.name == device else d for d in base.devices)
    return replace(base, devices=own)


async def held(w: World, power_w: int, within_s: float = 30) -> None:
    """Until exactly this power flows and nothing moves it any more."""
    for _ in range(int(within_s)):
        await w.wait(1)
        if w.inverter.power_now_w() == power_w:
            return
    raise AssertionError(f"{w.inverter.power_now_w()} W, {w.status.causes}")


def test_a_curve_follows_the_temperature_of_its_own_device() -> None:
    async def script(w: World) -> None:
        await w.crash()
        w.inverter.values[Quantity.BATTERY_TEMPERATURE] = 4000  # another sensor: not the curve's
        w.inverter.quality[Quantity.BATTERY_TEMPERATURE] = Quality.GOOD
        await w.restart()
        await w.wait(2)
        await w.give(6000, 300)
        await held(w, 6000)
        w.bms.values[Quantity.BATTERY_TEMPERATURE] = 4000
        await w.wait(3)
        assert w.inverter.power_now_w() == 1800  # a fifth of what the BMS allows: 180 A at 50 V
        assert Cause.TEMPERATURE in w.status.causes
        w.bms.quality[Quantity.BATTERY_TEMPERATURE] = Quality.ABSENT
        await w.wait(3)
        assert w.inverter.power_now_w() == 0
        assert Cause.STALE_LIMIT in w.status.causes

    play(script, at=derated(WARM))


def test_a_curve_over_cells_closes_one_direction_until_they_are_measured() -> None:
    async def script(w: World) -> None:
        await w.give(-3000, 60)
        await w.wait(5)
        assert w.inverter.writes == []  # the battery was reached and says nothing of its cells
        assert w.status.causes == (Cause.STALE_LIMIT,)
        await w.give(3000, 60)
        await held(w, 3000)
        await w.crash()
        w.bms.values[Quantity.BATTERY_CELL_MAX] = 3500
        w.bms.quality[Quantity.BATTERY_CELL_MAX] = Quality.GOOD
        await w.restart()
        await w.wait(2)
        await w.give(-6000, 60)
        await held(w, -4000)  # half of 160 A at 50 V
        assert w.status.causes == (Cause.CELL,)

    play(script, at=derated(FULL_CELLS))


def test_a_limit_that_fell_comes_back_slowly() -> None:
    async def script(w: World) -> None:
        await w.give(8000, 600)
        await held(w, 8000)
        w.bms.values[Quantity.DISCHARGE_LIMIT_CURRENT] = 20_000
        await w.wait(3)
        assert w.inverter.power_now_w() == 1000
        w.bms.values[Quantity.DISCHARGE_LIMIT_CURRENT] = 180_000
        w.back_ms = w.clock.mono_ms()
        await w.wait(10)
        assert w.status.causes == (Cause.RECOVERY,)
        assert 2000 < w.inverter.power_now_w() <= 1000 + 200 * 11
        await held(w, 8000, 40)

    w = play(script)
    for ms, power_w in w.inverter.writes:
        if ms > w.back_ms:
            assert power_w <= 1000 + 200 * (ms - w.back_ms + 2 * CYCLE_MS) / 1000


def test_a_short_silence_is_no_fall() -> None:
    """What is not known closes the battery and is no lower limit: the ramp alone brings the power back."""

    async def script(w: World) -> None:
        await w.give(8000, 600)
        await held(w, 8000)
        w.bms.quality[Quantity.DISCHARGE_LIMIT_CURRENT] = Quality.ABSENT
        await held(w, 0, 4)
        w.bms.quality[Quantity.DISCHARGE_LIMIT_CURRENT] = Quality.GOOD
        await held(w, 8000, 9)  # 2 kW/s

    play(script)


LEAPS = {
    "charge": (Quantity.BATTERY_SOC, 2500, "bms: the charge went from 50.00 % to 25.00 % at once"),
    "voltage": (Quantity.BATTERY_VOLTAGE, 100_000, "a battery voltage of 100.000 V cannot be"),
    "limit": (Quantity.DISCHARGE_LIMIT_CURRENT, 6_553_500, "is a register's word for none"),
}


@pytest.mark.parametrize("what", LEAPS)
def test_invariant_02_what_cannot_be_counts_as_unknown_until_it_was_plausible_for_a_while(what: str) -> None:
    quantity, wrong, words = LEAPS[what]

    async def script(w: World) -> None:
        await w.give(6000, 600)
        await held(w, 6000)
        good = w.bms.values[quantity]
        w.bms.values[quantity] = wrong
        await w.wait(3)
        assert w.inverter.power_now_w() == 0
        assert w.inverter.done()[-1] == "release"
        assert w.status.causes == (Cause.STALE_LIMIT,)
        (told,) = w.status.doubts
        assert words in told
        w.bms.values[quantity] = good
        await w.wait(AGAIN_MS / 1000 - 5)
        assert w.inverter.power_now_w() == 0
        await held(w, 6000, 20)
        assert w.status.doubts == ()

    play(script, at=derated(device="bms", cells=16))


def test_a_dropout_raises_no_doubt() -> None:
    async def script(w: World) -> None:
        await w.give(6000, 600)
        await held(w, 6000)
        for quantity in w.bms.quality:
            w.bms.quality[quantity] = Quality.ABSENT
        await w.wait(20)
        assert w.status.doubts == ()
        for quantity in w.bms.quality:
            w.bms.quality[quantity] = Quality.GOOD
        await held(w, 6000, 10)

    play(script)


@pytest.mark.parametrize("power_w", [3000, -3000])
def test_invariant_07_a_wrong_sign_is_latched_and_said_in_its_own_words(power_w: int) -> None:
    async def script(w: World) -> None:
        obeyed = w.inverter.measure
        w.inverter.measure = lambda: tuple(-v if n == 0 else v for n, v in enumerate(obeyed()))
        await w.give(power_w, 300)
        await w.wait(
            SPEC.settle_s + 7
        )  # ramp, settling and its patience, a poll; the general one has 10 s more
        told, did = ("discharge", "charge") if power_w > 0 else ("charge", "discharge")
        assert w.status.mode == "fault"
        assert w.status.fault.startswith(f"the sign is wrong: inverter was told to {told} with")
        assert f"the battery does {did} with" in w.status.fault
        assert "check the signs in the profile and the wiring" in w.status.fault
        await w.wait(1)
        assert not w.inverter.active
        w.inverter.measure = obeyed
        await w.give(power_w, 300)
        await w.wait(10)
        assert w.inverter.power_now_w() == 0  # latched
        w.control.clear()
        await held(w, power_w)

    play(script)


@pytest.mark.parametrize(("measured_s", "ends_s"), [(0, 30), (12, 30), (80, 80)])
def test_invariant_01_a_lost_battery_keeps_its_power_until_its_timer_has_surely_ended_it(
    measured_s: int, ends_s: int
) -> None:
    """The longest time that is known counts here, the shortest for the refresh."""

    async def script(w: World) -> None:
        (member,) = w.control._members
        await w.give(-3000, 600)
        await held(w, -3000)
        w.inverter.failure = w.inverter.write_failure = w.inverter.connect_failure = link_lost()
        await w.wait(3)
        lost_ms = w.clock.mono_ms() - 3000
        surely_ms = (ends_s + SPEC.settle_s) * 1000
        while w.clock.mono_ms() < lost_ms + surely_ms - 1000:
            assert member.may_do(w.clock.mono_ms()) == Limits(3000, 0)
            await w.wait(1)
        await w.wait(5)
        assert member.may_do(w.clock.mono_ms()) == Limits(0, 0)

    play(script, at=derated(device="inverter", timer_s=measured_s))


def test_invariant_02_the_grid_limit_needs_a_meter_of_the_last_seconds() -> None:
    """A seldom-asked meter is good on screens for a while longer; for the grid's limit it is not."""

    ages = []

    async def script(w: World) -> None:
        await w.give(3000, 600)
        for _ in range(60):
            await w.wait(1)
            found = w.state.view().get(Quantity.GRID_POWER)
            assert found.good is not None
            ages.append(found.age_ms)
            if w.inverter.power_now_w():
                assert found.age_ms <= 5000 + 2 * CYCLE_MS

    base = site()
    devices = tuple(replace(d, poll_ms=15_000) if d.name == "meter" else d for d in base.devices)
    w = play(script, at=replace(base, devices=devices))
    assert max(ages) > 12_000
    assert w.inverter.done().count("release") > 2  # the fallback, each time it grew old
