"""The reading driver over a register image: identity, fast and slow polls, refusals, and chains that move."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.sunspec.driver import SLOW_MS, SunSpec
from gateway.driver import Actuator
from gateway.errors import DeviceRefused, FrameError, LinkError
from gateway.model import Quality, Sample
from tests.drivers.sunspec_image import (
    BANK_802,
    COMMON,
    INVERTER_103,
    METER_203,
    NAMEPLATE_120,
    PORTS_714,
    STORAGE_124,
    STORAGE_713,
    Image,
    StepClock,
    device,
    model_bytes,
)
from tests.drivers.test_sunspec_binding import profile

HYBRID = (COMMON, INVERTER_103, NAMEPLATE_120, STORAGE_124, STORAGE_713, PORTS_714)


def driver(image: Image, role: str = "inverter", **options: Any) -> tuple[SunSpec, StepClock]:
    clock, stated = StepClock(), profile(role, **options)
    return SunSpec(device(stated), stated, image, clock), clock


def values(sample: Sample) -> dict[str, int | None]:
    return {r.point.name: r.value if r.quality is Quality.GOOD else None for r in sample.readings()}


async def test_a_hybrid_is_identified_and_read() -> None:
    reader, _ = driver(Image.of(*HYBRID))
    assert await reader.connect() == {
        "vendor": "Gridseal Test", "model": "Hybrid 10", "serial": "000042", "firmware": "1.2.3",
    }  # fmt: skip
    sample = await reader.read()
    found = values(sample)
    expected = {
        "inverter_power_w": -3500, "battery_power_w": -3255, "battery_soc_bp": 5530, "battery_soh_bp": 9870,
        "pv_power_w": 2700, "grid_frequency_mhz": 50012, "grid_voltage_mv": 230_100,
        "battery_voltage_mv": 400_900, "battery_current_ma": -8120, "charge_limit_w": 3300,
        "discharge_limit_w": 7000, "inverter_temperature_cc": 4120, "battery_temperature_cc": 2530,
        "battery_capacity_wh": 10240, "battery_available_wh": 5120, "inverter_heatsink_cc": -50,
        "inverter_rating_w": 10_000,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected
    assert sample.points is reader.points and not reader.pushed
    assert reader.nameplate_w == (6000, 7000)
    assert not isinstance(reader, Actuator)


async def test_points_for_people_come_once_a_minute_and_are_no_evidence() -> None:
    reader, clock = driver(Image.of(*HYBRID))
    await reader.connect()
    first, second = await reader.read(), await reader.read()
    clock.at_ms += SLOW_MS - 1
    third = await reader.read()
    clock.at_ms += 1
    fourth = await reader.read()
    assert first.points is fourth.points is reader.points and second.points is third.points
    assert all(p.evidence for p in second.points) and len(second.points) < len(first.points)
    assert {p.name for p in first.points if not p.evidence} == {p.name for p in first.points} - {
        p.name for p in second.points
    }
    assert fourth.stamp.mono_ms == clock.at_ms


async def test_a_poll_costs_as_few_reads_as_the_models_allow() -> None:
    image = Image.of(*HYBRID)
    reader, _ = driver(image)
    await reader.connect()
    await reader.read()
    image.log.clear()
    await reader.read()
    assert [kind for kind, _, _ in image.log] == ["read", "read"]


async def test_a_scale_factor_that_changes_is_used_at_once() -> None:
    image = Image.of(COMMON, INVERTER_103)
    reader, _ = driver(image)
    await reader.connect()
    assert values(await reader.read())["inverter_power_w"] == -3500
    at = image.find(103)
    image.registers[at + 15] = 1  # W_SF
    assert values(await reader.read())["inverter_power_w"] == -35000
    image.registers[at + 15] = 0x8000
    assert values(await reader.read())["inverter_power_w"] is None


async def test_a_value_that_becomes_absent_and_comes_back() -> None:
    image = Image.of(COMMON, INVERTER_103, STORAGE_713)
    reader, _ = driver(image)
    await reader.connect()
    at = image.find(713)
    image.registers[at + 4] = 0xFFFF  # SoC
    sample = await reader.read()
    soc = next(r for r in sample.readings() if r.point.name == "battery_soc_bp")
    assert (soc.value, soc.quality) == (0, Quality.ABSENT)
    image.registers[at + 4] = 100
    assert values(await reader.read())["battery_soc_bp"] == 1000


async def test_gen24_charging() -> None:
    modules = model_bytes(
        160,
        {"DCW_SF": 0, "DCWH_SF": 0, "N": 4, "L": 88},
        {"module": [{"DCW": 900}, {"DCW": 800}, {"DCW": 1500, "DCWH": 10}, {"DCW": 0, "DCWH": 20}]},
    )
    reader, _ = driver(Image.of(COMMON, INVERTER_103, modules, STORAGE_124), battery_dc="160-34")
    found = values(await reader.read())  # connects by itself
    assert (found["battery_power_w"], found["pv_power_w"]) == (-1500, 1700)
    assert (found["battery_charged_wh"], found["battery_discharged_wh"]) == (10, 20)


async def test_meter_and_battery_roles() -> None:
    meter, _ = driver(Image.of(COMMON, METER_203), "meter")
    found = values(await meter.read())
    assert (found["grid_power_w"], found["grid_imported_wh"], found["grid_exported_wh"]) == (
        -4510,
        50000,
        40000,
    )
    bank, _ = driver(Image.of(COMMON, BANK_802), "battery", bank_positive="discharge")
    found = values(await bank.read())
    assert (found["battery_power_w"], found["battery_current_ma"]) == (-640, -12500)
    assert (found["charge_limit_ma"], found["discharge_limit_ma"]) == (50_000, 100_000)
    assert (found["battery_cell_min_mv"], found["battery_alarms_flags"]) == (3301, 4)


async def test_a_float_inverter() -> None:
    floats = model_bytes(113, {"W": -1234.5, "Hz": 49.987, "PhVphA": 229.5, "TmpCab": 40.25, "St": 4})
    reader, _ = driver(Image.of(COMMON, floats))
    found = values(await reader.read())
    assert (found["inverter_power_w"], found["grid_frequency_mhz"]) == (-1235, 49987)
    assert (found["grid_voltage_mv"], found["inverter_temperature_cc"]) == (229_500, 4025)
    assert found["inverter_reactive_var"] is None


async def test_a_refused_merged_read_falls_back_to_its_parts() -> None:
    image = Image.of(COMMON, INVERTER_103, NAMEPLATE_120, STORAGE_124)
    reader, _ = driver(image)
    await reader.connect()
    points = reader.points
    image.log.clear()
    await reader.read()
    ((_, address, count),) = image.log
    assert isinstance(count, int)
    image.refuse.add((address, count))
    with pytest.raises(DeviceRefused):
        await reader.read()
    image.log.clear()
    assert values(await reader.read())["battery_soc_bp"] == 5730
    assert len(image.log) == 3 and reader.points is points


async def test_a_device_that_never_reads_two_models_at_once_costs_one_miss() -> None:
    """However many reads were planned across models: three misses in a row would end the session."""
    filler = model_bytes(160, {"N": 6}, {"module": [{"ID": n} for n in range(6)]})
    temperatures = model_bytes(803, {"NStr": 0, "ModTmpMax": 301, "ModTmpMin": 250, "ModTmp_SF": -1})
    image = Image.of(COMMON, INVERTER_103, STORAGE_713, filler, BANK_802, temperatures)
    bounds = [image.find(713), image.find(803)]
    reader, _ = driver(image, bank_positive="discharge")
    await reader.connect()
    whole = image.read

    async def one(unit: int, table: str, address: int, count: int, *, timeout_s: float) -> bytes:
        if any(address < at < address + count for at in bounds):
            raise DeviceRefused("illegal data address", 2)
        return await whole(unit, table, address, count, timeout_s=timeout_s)

    image.log.clear()
    await reader.read()
    assert sum(any(a < at < a + n for at in bounds) for _, a, n in image.log if isinstance(n, int)) == 2
    image.read = one  # type: ignore[method-assign]
    with pytest.raises(DeviceRefused):
        await reader.read()
    assert values(await reader.read())["battery_soc_bp"] == 5530


async def test_a_sample_is_as_old_as_its_first_byte_and_no_older_than_a_scan() -> None:
    image = Image.of(COMMON, INVERTER_103, STORAGE_713)
    reader, clock = driver(image)
    whole = image.read

    async def slow(unit: int, table: str, address: int, count: int, *, timeout_s: float) -> bytes:
        clock.at_ms += 100
        return await whole(unit, table, address, count, timeout_s=timeout_s)

    image.read = slow  # type: ignore[method-assign]
    await reader.connect()
    scan_ms = clock.at_ms
    assert (await reader.read()).stamp.mono_ms == scan_ms < clock.at_ms
    await reader.close()
    before_ms = clock.at_ms
    sample = await reader.read()
    assert sample.stamp.mono_ms == clock.at_ms - 100 > before_ms  # one block, after the scan


async def test_a_busy_device_keeps_its_plan() -> None:
    image = Image.of(COMMON, INVERTER_103, NAMEPLATE_120)
    reader, _ = driver(image)
    await reader.connect()

    async def busy(*_: object, **__: object) -> bytes:
        raise DeviceRefused("busy", 6)

    image.log.clear()
    answers, image.read = image.read, busy  # type: ignore[method-assign, assignment]
    with pytest.raises(DeviceRefused):
        await reader.read()
    image.read = answers  # type: ignore[method-assign]
    await reader.read()
    assert len(image.log) == 1


async def test_a_model_that_is_listed_and_refused_is_left_out() -> None:
    image = Image.of(COMMON, INVERTER_103, STORAGE_713)
    at = image.find(713)
    image.refuse.add((at, 9))
    reader, _ = driver(image)
    await reader.connect()
    assert "battery_soc_bp" not in {p.name for p in reader.points}
    image.refuse.clear()

    async def failing(unit: int, table: str, address: int, count: int, *, timeout_s: float) -> bytes:
        if (address, count) == (at, 9):
            raise DeviceRefused("device failure", 4)
        return await Image.read(image, unit, table, address, count, timeout_s=timeout_s)

    image.read = failing  # type: ignore[method-assign]
    with pytest.raises(DeviceRefused):
        await reader.connect()


async def test_a_chain_that_moved_is_scanned_again() -> None:
    image = Image.of(COMMON, INVERTER_103, STORAGE_713)
    reader, _ = driver(image)
    await reader.connect()
    moved = Image.of(COMMON, model_bytes(122, {}), INVERTER_103, STORAGE_713)
    image.registers = moved.registers
    with pytest.raises(FrameError, match="no longer the same SunSpec model"):
        await reader.read()
    assert not reader.connected
    assert values(await reader.read())["battery_soc_bp"] == 5530


async def test_a_short_answer_of_the_link_is_no_reading() -> None:
    image = Image.of(COMMON, INVERTER_103)
    reader, _ = driver(image)
    await reader.connect()
    whole = image.read

    async def short(unit: int, table: str, address: int, count: int, *, timeout_s: float) -> bytes:
        return (await whole(unit, table, address, count, timeout_s=timeout_s))[:-2]

    image.read = short  # type: ignore[method-assign]
    with pytest.raises(FrameError, match="bytes for"):
        await reader.read()


async def test_a_long_model_is_fetched_in_parts() -> None:
    measure = model_bytes(701, {"W": 77, "W_SF": 0, "TotWhInj": 10**12, "TotWh_SF": -1})
    image = Image.of(COMMON, measure)
    reader, _ = driver(image)
    found = values(await reader.read())
    assert (found["inverter_power_w"], found["inverter_energy_out_wh"]) == (77, 10**11)


@pytest.mark.parametrize(("registers", "left"), [(0, {}), (20, {"vendor": "Gridseal Test"})])
async def test_a_common_model_cut_short_names_what_it_has(registers: int, left: dict[str, str]) -> None:
    short = COMMON[:2] + registers.to_bytes(2) + COMMON[4 : 4 + 2 * registers]
    reader, _ = driver(Image.of(short, INVERTER_103))
    assert await reader.connect() == left


@given(st.sampled_from(HYBRID[1:]), st.integers(0, 160))
async def test_a_model_cut_short_loses_points_and_nothing_else(model: bytes, registers: int) -> None:
    """Whatever length a device states for one of its models: it is read, or it is no inverter."""
    short = model[:2] + registers.to_bytes(2) + (model[4:] + bytes(320))[: 2 * registers]
    reader, _ = driver(Image.of(COMMON, *(short if m is model else m for m in HYBRID[1:])))
    found = values(await reader.read())
    assert found["grid_frequency_mhz" if model is not INVERTER_103 else "battery_soc_bp"] is not None


async def test_a_wrong_role_and_a_silent_device_say_so() -> None:
    reader, _ = driver(Image.of(COMMON, METER_203))
    with pytest.raises(LinkError, match="is no inverter: it has the models 1, 203"):
        await reader.connect()
    reader, _ = driver(Image(), base=1000)
    with pytest.raises(FrameError, match="no SunSpec map at 1000"):
        await reader.read()


async def test_close_forgets_the_chain() -> None:
    image = Image.of(COMMON, INVERTER_103)
    reader, _ = driver(image)
    await reader.connect()
    await reader.close()
    assert not reader.connected
    image.log.clear()
    await reader.read()
    assert image.log[0] == ("read", 40000, 2)


async def test_the_serial_number_alone_is_three_reads_whoever_answered_before() -> None:
    image = Image.of(*HYBRID)
    reader, _ = driver(image)
    assert await reader.serial_number() == "000042"
    assert [entry[0] for entry in image.log] == ["read"] * 3 and not reader.connected
    await reader.connect()
    another = Image.of(COMMON.replace(b"000042", b"000043"), METER_203, base=0)
    reader._link = another  # another device answers there now
    assert await reader.serial_number() == "000043"


@pytest.mark.parametrize("image", [Image.of(), Image.of(METER_203), Image()])
async def test_what_is_no_sunspec_device_has_no_serial_number(image: Image) -> None:
    with pytest.raises(FrameError):
        await driver(image)[0].serial_number()
