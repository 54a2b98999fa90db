"""The register-map devices under the gateway's own profiles: read, armed, commanded both ways, released."""

import asyncio
from pathlib import Path

import pytest
from rig.site import loop_ms

from drivers.modbus import PLUGIN
from gateway.clock import SystemClock
from gateway.model import Quality
from gateway.profilefile import load
from gateway.site import Device
from tests.rig.raw import running

CLOCK = SystemClock(assume_synchronised=True)
SLACK = {
    "battery_voltage_mv": 50,
    "battery_current_ma": 50,
    "grid_voltage_mv": 50,
    "grid_frequency_mhz": 5,
    "battery_soc_bp": 60,
}
COARSE = {("alpha_ess_smile", "grid_voltage_mv"): 501}  # whole volts
OWN = {"c0619a0b1c2d", "2211000001", "9010KETU000W0000", "A2270000001"}  # of twins that always say the same
UNTOLD = {"solax_g4"}  # it says that it obeys, not at what power
NAMEPLATES = {"charge_limit_w", "discharge_limit_w"}  # of the device; the report has the battery's


@pytest.mark.parametrize(
    ("kind", "unit", "timer_s", "released"),
    [
        ("victron_gx", 227, 0, "grid"),
        ("victron_gx_3p", 227, 0, "grid"),
        ("huawei_luna2000", 1, 60, "self"),
        ("sma_sunny_island", 3, 0, "self"),
        ("solaredge_storedge", 1, 60, "self"),
        ("deye_3p_lv", 1, 60, "self"),
        ("goodwe_et", 247, 0, "self"),
        ("sungrow_sh", 1, 0, "self"),
        ("solis_hybrid", 1, 0, "self"),
        ("sofar_g3", 1, 0, "self"),
        ("alpha_ess_smile", 85, 60, "self"),
        ("solax_g4", 1, 0, "self"),
        ("sigenergy", 247, 0, "self"),
        ("kostal_plenticore", 71, 0, "battery"),  # the 0 that hands back is held until it is too old
    ],
)
async def test_the_profile_and_the_device_understand_each_other(kind, unit, timer_s, released):
    _, profile = load(kind, Path("nowhere"), {"modbus": PLUGIN})
    async with running(device=kind, soc_bp=6_000) as rig:
        link = PLUGIN.open_link(f"tcp://127.0.0.1:{rig.where()['tcp']}", CLOCK)
        device = Device("inverter", kind, "modbus", profile.role, link.url, profile.table(), unit=unit)
        driver = PLUGIN.driver(device, device.profile, link, CLOCK)
        try:
            said = await driver.connect()
            assert said["serial"] in {rig.plant.serial, str(rig.plant.seed), *OWN}
            readings = (await driver.read()).readings()
            rig.plant.advance(loop_ms())
            truth = rig.plant.report()
            for reading in readings:
                assert reading.quality is Quality.GOOD, reading
                if (name := reading.point.name) in truth and name not in NAMEPLATES:
                    slack = COARSE.get((kind, name), SLACK.get(name, 10))
                    assert reading.value == pytest.approx(truth[name], abs=slack), name
            assert await driver.arm(60) == timer_s
            for power_w in (-1_500, 0, 1_200):
                await driver.write_power(driver.quantise(power_w))
                back = await driver.read_back()
                assert (back.power_w, back.active) == (None if kind in UNTOLD else power_w, True)
                async with asyncio.timeout(10):
                    while abs(rig.plant.report()["battery_power_w"] - power_w) > 50:  # AC or DC: 2.5 % apart
                        await asyncio.sleep(0.05)
            await driver.release()
            rig.plant.advance(loop_ms() + 200)
            assert rig.plant.state.order.kind == released
            assert (
                rig.plant.witness.writes > 3 and rig.plant.witness.outside == rig.plant.witness.refused == 0
            )
        finally:
            await link.close()
