"""Published registers and readings of real devices through the shipped profiles, as decoded by hand."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from sunspec2.device import Model

from drivers.sunspec import PLUGIN, commanded
from drivers.sunspec.commanded import Commanded
from drivers.sunspec.driver import SunSpec
from drivers.sunspec.profile import SunSpecProfile
from drivers.sunspec.settings import Settings
from gateway.model import Quality, ReadBack
from tests.drivers.sunspec_image import BANK_802, COMMON, INVERTER_103, Image, StepClock, device
from tests.drivers.test_sunspec_binding import profile

RECORDED = Path(__file__).parents[1] / "recorded"
KOSTAL = RECORDED / "sunspec_kostal_plenticore.json"
FRONIUS, METERS = (
    [pytest.param(case, id=case["name"]) for case in yaml.safe_load((RECORDED / f"{name}.yaml").read_text())]
    for name in ("sunspec_fronius", "sunspec_meters")
)
INVERTERS = [case for case in FRONIUS if "Meter" not in str(case.id)]


def shipped(kind: str, **options: Any) -> Settings:
    text = (PLUGIN.profiles / f"{kind}.yaml").read_text("utf-8")
    return SunSpecProfile.model_validate({**yaml.safe_load(text), **options}).table()


def image(case: dict) -> Image:
    """The registers of a capture, and none else."""
    found = Image()
    for read in case["reads"]:
        found.put(read["first"], bytes.fromhex(read["hex"]))
    return found


async def read(reader: SunSpec | Commanded, bad: dict[str, int] | None = None) -> dict[str, int]:
    """What is GOOD; `bad` is what must be INVALID."""
    readings = (await reader.read()).readings()
    assert {r.quality for r in readings} <= {Quality.GOOD, Quality.ABSENT, Quality.INVALID}
    assert {r.point.name: r.value for r in readings if r.quality is Quality.INVALID} == (bad or {})
    return {r.point.name: r.value for r in readings if r.quality is Quality.GOOD}


def encoded(model_id: int, points: dict[str, Any]) -> bytes:
    """Scale factors first, then the values as people read them, through pysunspec2."""
    model = Model(model_id, data={})
    for name, value in points.items():
        if name.endswith("_SF"):
            model.points[name].value = value
    for name, value in points.items():
        if value is not None and not name.endswith("_SF"):
            model.points[name].cvalue = value
    return bytes(model.get_mb())


async def test_a_kostal_plenticore_as_published() -> None:
    recorded = json.loads(KOSTAL.read_text("utf-8"))["models"]
    # The published part ends before Tmp_SF; one decimal place was printed, so it is taken as -1.
    inverter = encoded(103, {**recorded["103"], "Tmp_SF": -1})
    common = Model(1, data=recorded["1"]).get_mb()
    # Its 802 follows in the thread without values; any bank makes it a device with storage.
    reader = SunSpec(device(profile()), profile(), Image.of(common, inverter, BANK_802), StepClock())
    assert await reader.connect() == {"vendor": "KOSTAL", "model": "PLENTICORE plus7"}
    found = {r.point.name: (r.value, r.quality) for r in (await reader.read()).readings()}
    expected = {
        "inverter_power_w": 47,
        "inverter_reactive_var": 251,
        "inverter_apparent_va": 255,
        "inverter_energy_out_wh": 37_325_890,
        "inverter_temperature_cc": 2880,
        "grid_frequency_mhz": 50_000,
        "grid_voltage_mv": 219_800,
    }
    assert {name: found[name] for name in expected} == {n: (v, Quality.GOOD) for n, v in expected.items()}
    assert "pv_power_w" not in found  # its DC power of 70 W may be the battery's
    assert "inverter_dc_mv" not in found and found["inverter_state_code"] == (0, Quality.ABSENT)


@pytest.mark.parametrize("case", INVERTERS)
async def test_the_profile_of_any_inverter_reads_the_same(case: dict) -> None:
    profile = shipped("sunspec")
    reader = SunSpec(device(profile), profile, image(case), StepClock())
    await reader.connect()
    assert await read(reader) == case["good"]


@pytest.mark.parametrize("case", FRONIUS)
async def test_a_fronius_as_captured(case: dict) -> None:
    profile = shipped(case["profile"])
    reader = SunSpec(device(profile), profile, image(case), StepClock())
    said = await reader.connect()
    assert {key: said[key] for key in case["identity"]} == case["identity"]
    assert await read(reader) == case["good"]


@pytest.mark.parametrize("case", METERS)
async def test_a_meter_as_captured(case: dict) -> None:
    body = bytes.fromhex(case["hex"])
    model = case["model"].to_bytes(2) + (len(body) // 2).to_bytes(2) + body
    profile = shipped("sunspec_meter", **case.get("options", {}))
    reader = SunSpec(device(profile), profile, Image.of(COMMON, model), StepClock())
    await reader.connect()
    assert await read(reader, case.get("bad")) == case["good"]


async def test_the_meter_behind_a_solaredge_is_turned_and_nothing_of_the_inverter_called_pv() -> None:
    case = next(case for case in METERS if "SolarEdge" in str(case.id)).values[0]
    body, profile = bytes.fromhex(case["hex"]), shipped("solaredge_inverter")
    model = case["model"].to_bytes(2) + (len(body) // 2).to_bytes(2) + body
    reader = SunSpec(device(profile), profile, Image.of(COMMON, INVERTER_103, model), StepClock())
    await reader.connect()
    good = await read(reader)
    assert good | case["good"] == good
    assert not good.keys() & {"pv_power_w", "pv_energy_wh"} and "inverter_power_w" in good


@pytest.mark.parametrize("case", INVERTERS)
async def test_the_captured_storage_model_holds_a_power(case: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its registers, its scale factors; whether the inverter obeys is not in a capture."""
    monkeypatch.setattr(commanded, "TIMER_PAUSE_S", 0)
    profile, registers = shipped("fronius_gen24"), image(case)
    inverter = PLUGIN.driver(device(profile), profile, registers, StepClock())
    assert isinstance(inverter, Commanded)
    await inverter.connect()
    most_w = case["good"]["charge_limit_w"]
    assert (inverter.setpoint.charge_max_w, inverter.setpoint.discharge_max_w) == (most_w, most_w)
    assert not (await inverter.read_back()).active
    assert await inverter.arm(60) == 60
    power_w = inverter.quantise(-2_000)
    await inverter.write_power(power_w)
    assert await inverter.read_back() == ReadBack(power_w, True, 60)
