"""Drivers of register-map profiles against a device in memory: polls, refusals, what a plan says."""

import pytest

from drivers.modbus import PLUGIN
from drivers.modbus.driver import SLOW_MS, request_ms
from drivers.modbus.profile import ModbusProfile
from drivers.modbus.table import Table
from drivers.modbus.url import parse
from gateway.driver import Actuator, Named
from gateway.errors import DeviceRefused, LinkError
from gateway.model import Quality
from gateway.site import Device
from tests.drivers.modbus_memory import HandClock, Memory, made, shipped

SMALL = {
    "driver": "modbus",
    "role": "battery",
    "vendor": "V",
    "model": "M",
    "sources": ["a", "b"],
    "proof": "simulated",
    "identity": {"serial": {"address": 90, "count": 3}},
    "points": {
        "battery_power_w": {"address": 10, "type": "s16", "negate": True},
        "battery_soc_bp": {"address": 12, "type": "u16", "scale": 10, "absent": [0xFFFF], "max": 10000},
        "grid_power_w": {"address": 20, "type": "s32"},
        "battery_charged_wh": {"address": 30, "type": "u32", "scale": 10, "poll": "slow"},
    },
}


def small(**more: object) -> Table:
    return ModbusProfile.model_validate(SMALL | more).table()


def values(sample) -> dict[str, tuple[int, Quality]]:
    return {r.point.name: (r.value, r.quality) for r in sample.readings()}


async def test_fast_points_each_time_slow_points_when_due() -> None:
    link, clock = Memory({}), HandClock()
    link.put(1, 10, -300, 0, 555)
    link.put(1, 30, 1, 2)
    link.put(1, 90, 0x4142, 0x4331, 0)
    driver = made(small(), link, clock)
    assert not isinstance(driver, Actuator) and not driver.pushed
    assert await driver.connect() == {"vendor": "V", "model": "M", "serial": "ABC1"}
    first = await driver.read()
    assert values(first) == {
        "battery_power_w": (300, Quality.GOOD),
        "battery_soc_bp": (5550, Quality.GOOD),
        "grid_power_w": (0, Quality.GOOD),
    }
    clock.ms += SLOW_MS
    second = await driver.read()
    assert values(second)["battery_charged_wh"] == (655380, Quality.GOOD)
    assert second.points is driver.points and second.stamp.mono_ms == clock.ms
    clock.ms += SLOW_MS - 1
    third = await driver.read()
    assert third.points is first.points
    assert driver.points[: len(first.points)] == first.points


async def test_a_limit_between_two_watts_is_the_lower_a_measurement_the_nearer() -> None:
    link = Memory({(1, 40): 33_009, (1, 41): 33_009})
    tenths = {"type": "u16", "scale": "1/10"}
    points = {"charge_limit_w": {"address": 40, **tenths}, "pv_power_w": {"address": 41, **tenths}}
    sample = await made(small(points=points), link, HandClock()).read()
    assert sample.values == (3300, 3301)


async def test_a_sentinel_is_absent_and_an_impossible_value_invalid() -> None:
    link = Memory({(1, 12): 0xFFFF})
    driver = made(small(), link)
    assert values(await driver.read())["battery_soc_bp"] == (0, Quality.ABSENT)
    link.put(1, 12, 1001)
    assert values(await driver.read())["battery_soc_bp"] == (10010, Quality.INVALID)


async def test_a_refused_merged_read_costs_no_value_and_a_new_connect_asks_for_it_again() -> None:
    link = Memory({(1, a): a for a in (10, 12, 20, 21)}, sparse=True)
    clock = HandClock()
    driver = made(small(), link, clock)
    await driver.connect()
    sample = await driver.read()
    assert values(sample)["battery_power_w"] == (-10, Quality.GOOD)
    assert values(sample)["grid_power_w"][0] == 20 * 65536 + 21
    clock.ms += SLOW_MS
    assert values(await driver.read())["battery_charged_wh"] == (0, Quality.ABSENT)
    link.sparse = False  # other firmware: the whole block is there
    await driver.connect()
    link.log.clear()
    await driver.read()
    assert link.log == [("read", 1, 10, 12)]


async def test_a_device_that_has_none_of_the_points_is_the_wrong_device() -> None:
    with pytest.raises(DeviceRefused, match="is the profile the right one"):
        await made(small(), Memory({}, sparse=True)).connect()


async def test_a_dead_device_stays_a_link_error() -> None:
    class Dead(Memory):
        async def read(self, *_: object, **__: object) -> bytes:
            raise LinkError("no answer")

    driver = made(small(), Dead({}))
    for ask in (driver.connect, driver.read):
        with pytest.raises(LinkError, match="no answer"):
            await ask()


async def test_without_control_a_device_is_read_only() -> None:
    profile = shipped("sma_sunny_island")
    assert isinstance(made(profile, Memory({})), Actuator)
    driver = made(profile, Memory({}), control=False)
    assert not isinstance(driver, Actuator)
    device = Device("inv", "sma", "modbus", "inverter", "tcp://h", profile, control=False)
    assert PLUGIN.plan(device, profile).setpoint is None


def test_a_plan_is_worked_out_without_the_device() -> None:
    profile = small()
    plan = PLUGIN.plan(
        Device("inv", "small", "modbus", "battery", "rtu:///dev/x?baud=9600", profile), profile
    )
    assert [line.points for line in plan.lines] == [3, 1]
    assert plan.lines[0].text == "unit 1 holding 10..21" and "every 4 s" in plan.lines[1].text
    assert [p.name for p in plan.points][-1] == "battery_charged_wh" and plan.setpoint is None
    assert plan.bus_ms == pytest.approx(sum(line.bus_ms for line in plan.lines))


def test_bus_time_follows_the_baud_rate() -> None:
    # 8 + 5 + 250 characters of 11 bits, two silences of 3.5 characters, 2 ms turn-round
    assert request_ms(parse("rtu:///dev/x?baud=9600"), 125) == pytest.approx(
        263 * 11 / 9.6 + 7 * 11 / 9.6 + 2
    )
    assert request_ms(parse("rtu:///dev/x?baud=9600&gap=50"), 1) == pytest.approx(18.5 * 11 / 9.6 + 50 + 2)
    assert request_ms(parse("tcp://h"), 125) == 5 and request_ms(parse("tcp://h?gap=20"), 1) == 25


@pytest.mark.parametrize("name", ["small", "goodwe_et"])
async def test_the_serial_number_alone_is_one_read(name: str) -> None:
    table = small() if name == "small" else shipped(name)
    text = table.identity["serial"]
    link = Memory({})
    link.put(1, text.address, 0x4142, 0x4331, 0)
    driver = made(table, link, HandClock(), control=name != "small")
    assert isinstance(driver, Named)
    assert await driver.serial_number() == "ABC1"
    assert link.log == [("read", 1, text.address, text.count)]


@pytest.mark.parametrize(
    ("words", "registers", "said"),
    [
        ("big", (0x0012, 0xD687), "1234567"),
        ("little", (0xD687, 0x0012), "1234567"),
        ("big", (0xFFFF, 0xFFFE), "4294967294"),
        ("big", (0, 0), ""),
        ("little", (0xFFFF, 0xFFFF), ""),
    ],
)
async def test_a_serial_number_may_be_a_number(words: str, registers: tuple[int, int], said: str) -> None:
    link = Memory({})
    link.put(1, 10, 0, 0, 7, *[0] * 25)
    link.put(1, 90, *registers)
    table = small(identity={"serial": {"address": 90, "type": "u32", "words": words}})
    driver = made(table, link, HandClock())
    assert await driver.serial_number() == said
    assert link.log == [("read", 1, 90, 2)]
    assert (await driver.connect()).get("serial", "") == said


async def test_a_text_of_ones_is_none() -> None:
    link = Memory({})
    link.put(1, 90, 0xFFFF, 0xFFFF, 0xFFFF)
    assert await made(small(), link, HandClock()).serial_number() == ""
    link.put(1, 90, 0x4142, 0xFFFF, 0xFFFF)
    assert await made(small(), link, HandClock()).serial_number() == "AB"


async def test_a_device_that_lacks_its_serial_number_is_online_without_one() -> None:
    link = Memory({}, sparse=True)
    link.put(1, 10, 0, 0, 7)
    assert await made(small(), link, HandClock()).connect() == {"vendor": "V", "model": "M"}


async def test_a_profile_that_knows_no_serial_number_asks_for_none() -> None:
    link = Memory({})
    assert await made(small(identity={}), link, HandClock()).serial_number() == "" and link.log == []
