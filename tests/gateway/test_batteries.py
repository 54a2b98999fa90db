"""One target to several batteries: the one whose limits are not known is left to itself, the others go on."""

import asyncio

from gateway.model import Cause, Quality, Quantity, ServiceKind
from tests.sim.fleet import A, B, Fleet, play


def own(f: Fleet, name: str) -> bool:
    """Whether it is under its own control."""
    return not f.inverters[name].active


def test_one_of_unknown_limits_is_in_its_fallback_and_the_other_does_it_all() -> None:
    async def script(f: Fleet) -> None:
        await f.give(4000, 120)
        await asyncio.sleep(10)
        f.bms[B].quality[Quantity.DISCHARGE_LIMIT_CURRENT] = Quality.ABSENT
        await asyncio.sleep(6)
        assert f.told() == {A: 4000, B: 0} and own(f, B)
        assert f.control.status.causes == ()  # nothing is short
        f.bms[B].quality[Quantity.DISCHARGE_LIMIT_CURRENT] = Quality.GOOD
        await asyncio.sleep(10)
        assert f.told() == {A: 2000, B: 2000}

    play(script)


def test_what_the_other_cannot_do_is_missing_for_that_reason_too() -> None:
    async def script(f: Fleet) -> None:
        f.bms[B].quality[Quantity.BATTERY_SOC] = Quality.INVALID
        await f.give(11_000, 60)
        await asyncio.sleep(12)
        assert f.told()[A] == 9000 and own(f, B)
        assert {Cause.STALE_LIMIT, Cause.BMS} <= set(f.control.status.causes)

    play(script)


def test_a_limit_of_the_other_direction_takes_no_battery_away() -> None:
    async def script(f: Fleet) -> None:
        f.bms[B].quality[Quantity.CHARGE_LIMIT_CURRENT] = Quality.ABSENT
        await f.give(4000, 60)
        await asyncio.sleep(10)
        assert f.told() == {A: 2000, B: 2000}

    play(script)


def test_one_that_has_no_room_holds_nothing_and_stays_ours() -> None:
    async def script(f: Fleet) -> None:
        f.bms[B].values[Quantity.DISCHARGE_LIMIT_CURRENT] = 0
        await f.give(4000, 60)
        await asyncio.sleep(10)
        assert f.told() == {A: 4000, B: 0} and not own(f, B)

    play(script)


def test_all_of_unknown_limits_are_in_their_fallback() -> None:
    async def script(f: Fleet) -> None:
        await f.give(4000, 60)
        await asyncio.sleep(10)
        for bms in f.bms.values():
            bms.quality[Quantity.BATTERY_SOC] = Quality.INVALID
        await asyncio.sleep(4)
        assert own(f, A) and own(f, B)
        assert f.control.status.causes == (Cause.STALE_LIMIT,)

    play(script)


def test_what_one_does_by_its_own_control_counts_at_the_grid_and_is_no_delivery() -> None:
    async def script(f: Fleet) -> None:
        parameters = {"import_w": 30_000, "export_w": 3000}
        await f.give(kind=ServiceKind.GRID_LIMIT, seconds=300, parameters=parameters)
        f.bms[B].quality[Quantity.DISCHARGE_LIMIT_CURRENT] = Quality.ABSENT
        f.inverters[B].own_w = 2000
        await f.give(8000, 120)
        await asyncio.sleep(15)
        assert own(f, B)
        assert f.meter.measure()[0] >= -3000
        assert f.told()[A] == 2000  # 1 kW to the house, 3 kW to the grid, less the 2 kW of the other
        await asyncio.sleep(110)

    fleet = play(script)
    (told,) = (d for d in fleet.deliveries if d.requested_wh > 200)
    assert 1800 < told.power_mean_w < 2200
