"""Control beside a meter that is not read when the battery is: nothing swings, no limit is passed."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model import Cause, ServiceKind
from tests.gateway.control_bench import few
from tests.sim import fleet
from tests.sim.fleet import A, B, Fleet
from tests.sim.mocks import LIMITS, MockInverter, link_lost, site
from tests.sim.world import World, play

lags = st.sampled_from([0, 0.1, 0.4, 0.7, 0.95])


@given(lags, lags, st.sampled_from([500, 1000, 4000, 20_000]), st.integers(-1500, 2000), st.booleans())
@few
def test_invariant_01_an_order_beyond_the_grids_limit_comes_to_rest_at_it(
    meter_s: float, inverter_s: float, ramp: int, house_w: int, charge: bool
) -> None:
    limits = replace(LIMITS, import_w=6000, export_w=5000, ramp_w_per_s=ramp)

    async def script(w: World) -> None:
        w.meter.delay_s, w.inverter.delay_s = 0.02 + meter_s, 0.02 + inverter_s / 6  # a few exchanges a cycle
        await w.wait(3)
        await w.give(-10_000 if charge else 10_000, 120)
        await w.wait(60)
        assert Cause.GRID in w.status.causes
        w.rest_ms = w.clock.mono_ms()
        await w.wait(30)

    w = play(script, at=site(limits), house_w=house_w)
    grid = [house_w - power for _, power in w.inverter.writes]
    assert -limits.export_w <= min(grid) <= max(grid) <= limits.import_w
    assert {power for ms, power in w.inverter.writes if ms > w.rest_ms} <= {w.inverter.register_w}
    reached = grid[-1] - limits.import_w if charge else grid[-1] + limits.export_w
    assert abs(reached) < 10


@pytest.mark.parametrize("meter_s", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(
    ("kind", "parameters", "grid_w"),
    [
        (ServiceKind.PEAK_SHAVING, {"import_w": 2000}, 2000),
        (ServiceKind.SELF_CONSUMPTION, {}, 0),
    ],
)
def test_a_service_at_the_meter_finds_its_power_and_stays_there(
    kind: ServiceKind, parameters: dict[str, int], grid_w: int, meter_s: float
) -> None:
    async def script(w: World) -> None:
        w.meter.delay_s = meter_s
        await w.wait(3)
        await w.give(kind=kind, parameters=parameters, seconds=120)
        w.begin_ms = w.clock.mono_ms()
        for house_w in (4500, 7000):
            w.meter.house_w = house_w
            await w.wait(20)
            assert abs(house_w - w.inverter.power_now_w() - grid_w) < 10

    w = play(script, house_w=3000)
    powers = [power for ms, power in w.inverter.writes if ms > w.begin_ms]
    assert all(later >= before for before, later in pairwise(powers))  # never a step back


def mutable(inverter: MockInverter) -> None:
    """Once `mute` is set, what is written arrives and its answer does not."""
    arrived = inverter.write_power
    inverter.mute = False

    async def write_power(power_w: int) -> None:
        await arrived(power_w)
        if inverter.mute:
            raise link_lost()

    inverter.write_power = write_power


events = st.lists(
    st.tuples(
        st.sampled_from(["order", "order", "shared", "slow", "mute"]),
        st.sampled_from([A, B]),
        st.integers(-12_000, 12_000),
        st.integers(1, 15),
    ),
    min_size=1,
    max_size=8,
)


@given(events, st.integers(-5000, 5000))
@settings(max_examples=20, deadline=None)
def test_invariant_01_at_no_write_do_several_batteries_break_the_grids_limit(
    history: list[tuple[str, str, int, int]], house_w: int
) -> None:
    """For a house that does not change: what it does between two readings nobody can know."""
    limits = replace(fleet.LIMITS, import_w=6000, export_w=5500)

    async def script(f: Fleet) -> None:
        f.meter.house_w = house_w
        for inverter in f.inverters.values():
            mutable(inverter)
        await asyncio.sleep(3)
        for what, name, figure, seconds in history:
            inverter = f.inverters[name]
            if what == "slow":
                inverter.delay_s = abs(figure) / 6000
            elif what == "mute":
                inverter.mute = figure > 0
            else:
                await f.control.submit(f.order(figure, 40, shared=what == "shared", origin=str(figure % 3)))
            await asyncio.sleep(seconds)

    played = fleet.play(script, limits=limits)
    for at_ms, power_w in played.sums:
        assert -limits.export_w <= house_w - power_w <= limits.import_w, at_ms
