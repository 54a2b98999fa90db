"""A triggered reserve through control: what its law remembers lives while the order acts."""

from dataclasses import replace

from gateway.model import CommandState, Quantity, ServiceKind, Source
from gateway.services import presets
from tests.sim.mocks import LIMITS, site
from tests.sim.world import World, play

FFR = dict(presets.of(ServiceKind.TRIGGERED, "nordic-ffr-49.6-long"))
QUICK = site(replace(LIMITS, ramp_w_per_s=20_000))


async def reserve(w: World, power_w: int = 5000, seconds: float = 600):
    return await w.give(kind=ServiceKind.TRIGGERED, seconds=seconds, parameters={**FFR, "power_w": power_w})


async def frequency(w: World, mhz: int, seconds: float) -> None:
    w.inverter.values[Quantity.GRID_FREQUENCY] = mhz
    await w.wait(seconds)


def test_a_drop_of_a_second_is_answered_for_its_whole_time_and_once() -> None:
    async def script(w: World) -> None:
        order = await reserve(w)
        await frequency(w, 49_650, 5)
        assert w.inverter.power_now_w() == 0
        await frequency(w, 49_590, 1.5)
        began = w.clock.mono_ms()
        await frequency(w, 49_900, 28)
        assert w.inverter.power_now_w() == 5000
        await w.wait(5)
        assert w.inverter.power_now_w() == 0 and w.inverter.active
        given = [ms for ms, power in w.inverter.writes if power == 5000]
        assert given[0] < began
        await frequency(w, 49_590, 3)
        assert w.inverter.power_now_w() == 5000
        assert w.state_of(order) is CommandState.RUNNING

    w = play(script, at=QUICK)
    assert all(power in (0, 5000) for _, power in w.inverter.writes), "nothing in between"


def test_a_higher_order_takes_the_battery_and_the_reserve_begins_anew() -> None:
    async def script(w: World) -> None:
        await reserve(w, seconds=900)
        await frequency(w, 49_590, 3)
        await w.give(-2000, 10, source=Source.GRID_LIMIT)
        await frequency(w, 49_900, 5)
        assert w.inverter.power_now_w() == -2000
        await w.wait(12)
        assert w.inverter.power_now_w() == 0

    play(script, at=QUICK)


def test_after_a_restart_nothing_is_remembered() -> None:
    async def script(w: World) -> None:
        await reserve(w)
        await frequency(w, 49_590, 5)
        await w.restart()
        await frequency(w, 49_900, 5)
        await reserve(w)
        await w.wait(5)
        assert w.inverter.power_now_w() == 0
        await frequency(w, 49_600, 4)
        assert w.inverter.power_now_w() == 5000

    play(script, at=QUICK)
