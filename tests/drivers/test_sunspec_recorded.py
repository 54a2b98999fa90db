"""Published readings of real devices, encoded by pysunspec2 and read back by the driver."""

import json
from pathlib import Path
from typing import Any

from sunspec2.device import Model

from drivers.sunspec.driver import SunSpec
from gateway.model import Quality
from tests.drivers.sunspec_image import BANK_802, Image, StepClock, device
from tests.drivers.test_sunspec_binding import profile

KOSTAL = Path(__file__).parents[1] / "recorded" / "sunspec_kostal_plenticore.json"


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
