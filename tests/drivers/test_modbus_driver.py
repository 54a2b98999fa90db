"""Drivers of register-map profiles against a device in memory: polls, refusals, setpoints, read-back."""

from collections.abc import Mapping, Sequence

import pytest
import yaml

from drivers.modbus import PLUGIN
from drivers.modbus.driver import SLOW_MS, request_ms
from drivers.modbus.profile import ModbusProfile
from drivers.modbus.url import parse
from gateway.driver import Actuator, Driver
from gateway.errors import DeviceRefused, LinkError
from gateway.model import ClockTrust, CommandClass, Quality, ReadBack, Stamp
from gateway.site import Device


class HandClock:
    ms = 1000

    def mono_ms(self) -> int:
        return self.ms

    def now(self) -> Stamp:
        return Stamp(self.ms, self.ms, ClockTrust.TRUSTED)


class Memory:
    """A RegisterLink that is its own device: (unit, address) -> register, one table. `log` is the bus."""

    url = "tcp://memory"

    def __init__(self, registers: Mapping[tuple[int, int], int], *, sparse: bool = False) -> None:
        self.registers = dict(registers)
        self.sparse = sparse  # refuse reads that touch a register it does not have
        self.log: list[tuple] = []
        self.fail_write_at = -1

    async def read(self, unit: int, table: str, address: int, count: int, *, timeout_s: float) -> bytes:
        self.log.append(("read", unit, address, count))
        places = [(unit, address + n) for n in range(count)]
        if self.sparse and any(p not in self.registers for p in places):
            raise DeviceRefused("illegal data address", 2)
        return b"".join(self.registers.get(p, 0).to_bytes(2, "big") for p in places)

    async def write(
        self, unit: int, address: int, registers: Sequence[int], *, timeout_s: float, single: bool = False
    ) -> None:
        self.log.append(("write", unit, address, tuple(registers), single))
        if address == self.fail_write_at:
            raise LinkError("no answer")
        self.registers |= {(unit, address + n): r for n, r in enumerate(registers)}

    async def close(self) -> None:
        pass

    def put(self, unit: int, address: int, *values: int) -> None:
        self.registers |= {(unit, address + n): v & 0xFFFF for n, v in enumerate(values)}

    @property
    def written(self) -> list[int]:
        return [entry[2] for entry in self.log if entry[0] == "write"]


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


def small(**more: object) -> ModbusProfile:
    return ModbusProfile.model_validate(SMALL | more)


def shipped(name: str) -> ModbusProfile:
    return ModbusProfile.model_validate(yaml.safe_load((PLUGIN.profiles / f"{name}.yaml").read_text("utf-8")))


def made(profile: ModbusProfile, link: Memory, clock: HandClock | None = None, **more: object) -> Driver:
    device = Device("inv", "small", "modbus", profile.role, "tcp://memory", profile, **more)  # type: ignore[arg-type]
    return PLUGIN.driver(device, profile, link, clock or HandClock())


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


async def test_a_sentinel_is_absent_and_an_impossible_value_invalid() -> None:
    link = Memory({(1, 12): 0xFFFF})
    driver = made(small(), link)
    assert values(await driver.read())["battery_soc_bp"] == (0, Quality.ABSENT)
    link.put(1, 12, 1001)
    assert values(await driver.read())["battery_soc_bp"] == (10010, Quality.INVALID)


async def test_a_refused_merged_read_falls_back_to_its_parts_and_stays_so() -> None:
    link = Memory({(1, a): a for a in (10, 12, 20, 21)}, sparse=True)
    clock = HandClock()
    driver = made(small(), link, clock)
    await driver.connect()
    link.log.clear()
    sample = await driver.read()
    assert values(sample)["battery_power_w"] == (-10, Quality.GOOD)
    assert values(sample)["grid_power_w"][0] == 20 * 65536 + 21
    assert link.log == [("read", 1, 10, 1), ("read", 1, 12, 1), ("read", 1, 20, 2)]
    clock.ms += SLOW_MS
    assert values(await driver.read())["battery_charged_wh"] == (0, Quality.ABSENT)


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


async def test_huawei_from_arming_to_release() -> None:
    link = Memory({})
    link.put(1, 37046, 0, 5000, 0, 4500)
    inverter = made(shipped("huawei_luna2000"), link)
    assert isinstance(inverter, Actuator) and inverter.setpoint.charge_max_w == 0
    await inverter.connect()
    spec = inverter.setpoint
    assert (spec.command_class, spec.charge_max_w, spec.discharge_max_w) == (
        CommandClass.SELF_EXPIRING,
        5000,
        4500,
    )
    assert spec.refresh_s * 3 <= spec.timeout_s
    link.log.clear()
    assert await inverter.arm(spec.timeout_s) == 120
    await inverter.write_power(-2500)
    assert link.written == [47083, 47246, 47083, 47247, 47100]
    assert await inverter.read_back() == ReadBack(-2500, True, 120)
    await inverter.write_power(1800)
    assert await inverter.read_back() == ReadBack(1800, True, 120)
    await inverter.write_power(0)
    assert await inverter.read_back() == ReadBack(0, True, 120)
    await inverter.release()
    assert await inverter.read_back() == ReadBack(0, False, 120)


async def test_the_device_s_timer_is_set_to_what_was_armed_whatever_was_measured() -> None:
    inverter = made(shipped("huawei_luna2000"), link := Memory({}), timer_s=200)
    assert isinstance(inverter, Actuator) and inverter.setpoint.timeout_s == 200
    await inverter.write_power(0)
    assert link.registers[1, 47083] == 2
    await inverter.arm(300)
    await inverter.write_power(0)
    assert link.registers[1, 47083] == 5


async def test_victron_uses_two_units_and_writes_the_stored_mode_only_once() -> None:
    link = Memory({(100, 2902): 1})
    inverter = made(shipped("victron_gx"), link, unit=227)
    assert isinstance(inverter, Actuator)
    await inverter.connect()
    for power_w in (-1000, -1200):
        await inverter.write_power(power_w)
        assert await inverter.read_back() == ReadBack(power_w, True, 0)
    writes = [entry[1:4] for entry in link.log if entry[0] == "write"]
    assert writes == [(100, 2902, (3,)), (227, 37, (1000,)), (227, 37, (1200,))]
    assert await inverter.arm(60) == 0
    await inverter.release()
    assert await inverter.read_back() == ReadBack(0, False, 0)
    assert link.registers[100, 2902] == 1 and link.registers[227, 37] == 0


async def test_sma_gives_back_what_it_was_told_or_says_nothing() -> None:
    link = Memory({})
    inverter = made(shipped("sma_sunny_island"), link, unit=3)
    assert isinstance(inverter, Actuator)
    await inverter.write_power(-3000)
    assert [e for e in link.log if e[0] == "write"] == [("write", 3, 40149, (0xFFFF, 62536, 0, 802), False)]
    link.put(3, 44425, 0xFFFF, 62536, 0, 802)  # it shows there what it holds
    assert await inverter.read_back() == ReadBack(-3000, True)
    await inverter.release()
    link.put(3, 44425, 0, 0, 0, 803)
    assert await inverter.read_back() == ReadBack(0, False)
    link.put(3, 44427, 0xFFFF, 0xFFFF)
    with pytest.raises(LinkError, match="does not give back its mode"):
        await inverter.read_back()
    link.put(3, 44425, 0x8000, 0, 0, 802)
    with pytest.raises(LinkError, match="does not give back its setpoint"):
        await inverter.read_back()


async def test_solaredge_arms_stored_settings_once_and_needs_remote_mode() -> None:
    link = Memory({})
    inverter = made(shipped("solaredge_storedge"), link)
    assert isinstance(inverter, Actuator)
    assert await inverter.arm(90) == 90
    assert link.written == [57348, 57349, 57354, 57355]
    assert await inverter.arm(90) == 90
    assert len(link.written) == 4
    for power_w in (-1500, 1501, 0):
        await inverter.write_power(power_w)
        assert await inverter.read_back() == ReadBack(power_w, True, 90)
    link.put(1, 57348, 1)
    assert not (await inverter.read_back()).active
    await inverter.release()
    assert link.registers[1, 57357] == 7


async def test_a_failing_step_ends_the_sequence() -> None:
    link = Memory({})
    inverter = made(shipped("huawei_luna2000"), link)
    assert isinstance(inverter, Actuator)
    link.fail_write_at = 47247
    with pytest.raises(LinkError):
        await inverter.write_power(-1000)
    assert link.written == [47246, 47083, 47247]
    assert (1, 47100) not in link.registers


async def test_a_power_that_was_not_quantised_is_a_bug() -> None:
    inverter = made(shipped("victron_gx"), Memory({}))
    assert isinstance(inverter, Actuator)
    assert inverter.quantise(-40000) == -32767 or inverter.quantise(-40000) == -32768
    with pytest.raises(ValueError, match="can hold"):
        await inverter.write_power(50000)


async def test_a_measured_time_out_beats_the_profile_s() -> None:
    inverter = made(shipped("sma_sunny_island"), Memory({}), timer_s=24)
    assert isinstance(inverter, Actuator)
    assert (inverter.setpoint.timeout_s, inverter.setpoint.refresh_s) == (24, 8)


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
