"""Every shipped register map: its sources, its read plan, what a missing limit is, and its setpoint from
arming to release on a device in memory. What is special about one is in test_modbus_actuator_shipped."""

import pytest
import yaml

from drivers.command import Setpoint
from drivers.modbus import PLUGIN
from drivers.modbus.codec import Field, encode
from drivers.modbus.plan import BLOCK_MAX
from drivers.modbus.profile import ModbusProfile
from drivers.modbus.table import Step, Table
from gateway.driver import Actuator
from gateway.model import CommandClass, Quality
from gateway.site import Device
from tests.drivers.modbus_memory import HandClock, Memory, made

ENDS_BY_SILENCE = {"kostal_plenticore"}  # handing back is a 0 that nobody renews
NAMEPLATE_W = 5_000  # what a device that is asked for its nameplate says here


def load() -> dict[str, ModbusProfile]:
    found = {}
    for file in PLUGIN.profiles.iterdir():
        if file.name.endswith(".yaml"):
            data = yaml.safe_load(file.read_text("utf-8"))
            if data["driver"] == "modbus" and data["role"] != "relay":
                found[file.name.removesuffix(".yaml")] = ModbusProfile.model_validate(data)
    return dict(sorted(found.items()))


PROFILES = load()
COMMANDED = [name for name, profile in PROFILES.items() if profile.setpoint]
STATED = [n for n in COMMANDED if isinstance(PROFILES[n].table().setpoint.charge_max, Field)]


def table(name: str) -> Table:
    found = PROFILES[name].table()
    assert isinstance(found, Table)
    return found


def setpoint(name: str) -> Setpoint[Step, Field]:
    found = table(name).setpoint
    assert found is not None
    return found


def put(link: Memory, field: Field, value: int) -> None:
    link.put(1 if field.unit is None else field.unit, field.address, *encode(field, value))


@pytest.mark.parametrize("name", PROFILES)
def test_it_says_where_its_facts_are_from(name: str) -> None:
    profile = PROFILES[name]
    assert len(profile.sources) >= 2 or "one source" in profile.notes
    assert profile.proof != "recorded" or profile.recorded
    assert profile.setpoint or profile.role != "inverter" or "read only" in profile.notes.lower()
    if profile.setpoint:
        assert profile.enable, "who commands a device must first allow it"


@pytest.mark.parametrize("name", PROFILES)
def test_no_energy_is_good_below_zero(name: str) -> None:
    for field in (*table(name).fast, *table(name).slow):
        counts = field.name.split("/")[0].endswith("_wh")
        assert not counts or field.type[0] == "u" or (field.low is not None and field.low >= 0), field.name


@pytest.mark.parametrize("name", PROFILES)
def test_its_reads_fit_and_leave_out_what_is_forbidden(name: str) -> None:
    plan = PLUGIN.plan(
        Device("d", name, "modbus", PROFILES[name].role, "tcp://h:502", table(name)), table(name)
    )
    assert {p.name for p in plan.points} == set(PROFILES[name].points) | set(PROFILES[name].sums)
    assert plan.lines and all(line.bus_ms > 0 for line in plan.lines)
    assert len(plan.lines) <= 30, "a poll of so many requests takes longer than it may"
    driver = made(table(name), Memory({}))
    for reader in ((driver._reads if isinstance(driver, Actuator) else driver)._fast,):
        for block in reader.blocks:
            assert block.count <= BLOCK_MAX
            for bad in table(name).forbidden:
                assert bad.table != block.table or bad.last < block.address or bad.first >= block.end


@pytest.mark.parametrize("name", PROFILES)
async def test_what_a_device_does_not_have_is_absent_and_its_limits_allow_nothing(name: str) -> None:
    link = Memory({}, sparse=True)
    driver = made(table(name), link)
    readings = (await driver.read()).readings()
    assert {r.quality for r in readings} == {Quality.ABSENT}
    if name in STATED:
        assert isinstance(driver, Actuator) and driver.setpoint.charge_max_w == 0


@pytest.mark.parametrize("name", COMMANDED)
async def test_a_setpoint_from_arming_to_release(name: str) -> None:
    link, model = Memory({}), setpoint(name)
    for stated in (model.charge_max, model.discharge_max):
        if isinstance(stated, Field):
            put(link, stated, NAMEPLATE_W)
    inverter = made(table(name), link, HandClock())
    assert isinstance(inverter, Actuator)
    obeying(name, link)
    await inverter.connect()
    spec = inverter.setpoint
    assert spec.charge_max_w > 0 and spec.discharge_max_w > 0
    assert not spec.timeout_s or 0 < 3 * spec.refresh_s <= spec.timeout_s
    assert (spec.command_class is CommandClass.LATCHING_EEPROM) <= (spec.writes_per_day > 0)
    timer_s = await inverter.arm(spec.timeout_s)
    assert timer_s >= spec.timeout_s if model.arm else timer_s == 0
    for power_w in (-1_500, 0, 1_200, -spec.charge_max_w, spec.discharge_max_w):
        wanted = inverter.quantise(power_w)
        assert abs(wanted) <= abs(power_w) and abs(wanted - power_w) < spec.step_w
        await inverter.write_power(wanted)
        mirror(name, link)
        back = await inverter.read_back()
        untold = any(not held.told for held in model.held)
        assert back.active
        assert back.power_w is None if untold else abs(back.power_w - wanted) <= 1
    await inverter.release()
    mirror(name, link)
    back = await inverter.read_back()
    assert back.power_w == 0 and (name in ENDS_BY_SILENCE or not back.active)


def obeying(name: str, link: Memory) -> None:
    """What an installer has set in the device or how it is built, and no write of ours changes."""
    if name == "kostal_plenticore":
        link.put(1, 1080, 2)
    if name == "victron_gx_3p":
        link.put(1, 28, 3)  # phases


def mirror(name: str, link: Memory) -> None:
    """Devices that show what they were told elsewhere than where it was written."""
    if name == "solax_g4":
        link.put(1, 0x100, link.registers[1, 0x7C])
    if name == "sma_sunny_island":
        link.registers |= {(1, 44425 + n): link.registers[1, 40149 + n] for n in range(4)}
