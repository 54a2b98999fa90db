"""The shipped profiles as commanded devices in memory: from arming to release, register by register."""

import pytest

from gateway.driver import Actuator
from gateway.errors import LinkError
from gateway.model import CommandClass, Quality, ReadBack
from tests.drivers.modbus_memory import Memory, made, shipped


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


TWO_INPUTS = {
    "sofar_g3": ((0x0604, 5000, -300, -150, 25), (0x060C, -300, -150)),
    "goodwe_et": ((35180, 5000, 30, 0, 1500), (35262, 5000, 30, 0, 1500)),
    "solaredge_storedge": ((57716, 0x8000, 0xC4BB), (57972, 0x8000, 0xC4BB)),  # -1500.0, low word first
}


@pytest.mark.parametrize("name", TWO_INPUTS)
@pytest.mark.parametrize("inputs", [1, 2])
async def test_both_battery_inputs_are_added_up_where_there_are_two(name: str, inputs: int) -> None:
    link = Memory({}, sparse=True)
    for address, *values in TWO_INPUTS[name][:inputs]:
        link.put(1, address, *values)
    found = {r.point.name: r for r in (await made(shipped(name), link).read()).readings()}
    for point, one in (("battery_power_w", 1_500), ("battery_current_ma", 3_000)):
        if point in found:
            assert (found[point].value, found[point].quality) == (inputs * one, Quality.GOOD)
