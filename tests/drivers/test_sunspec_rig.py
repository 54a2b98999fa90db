"""The whole way over real sockets: this driver on a link of drivers.modbus, against the rig's inverters."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from rig.site import Options, Rig, loop_ms

from drivers.modbus import PLUGIN as MODBUS
from drivers.sunspec import PLUGIN
from gateway.beside_model import ReactiveBack, ReactiveSpec
from gateway.clock import SystemClock
from gateway.driver import Actuator, Driver, ReactiveActuator
from gateway.model import Quality, ReadBack, Sample
from gateway.profilefile import load
from gateway.site import Device

CLOCK = SystemClock(assume_synchronised=True)


def good(sample: Sample) -> dict[str, int]:
    return {r.point.name: r.value for r in sample.readings() if r.quality is Quality.GOOD}


def driver(rig: Rig, link: Any, profile: str, **changes: Any) -> Driver:
    _, loaded = load(profile, Path("nowhere"), {"sunspec": PLUGIN})
    settings = loaded.table()
    device = Device(profile, profile, "sunspec", loaded.role, link.url, settings, **changes)
    return PLUGIN.driver(device, settings, link, CLOCK)


@pytest.mark.parametrize("kind", ["sunspec", "sunspec_124"])
async def test_reads_and_commands_agree_with_the_site(kind: str) -> None:
    async with Rig(Options(device=kind, soc_bp=6_200)) as rig:
        link = MODBUS.open_link(f"tcp://127.0.0.1:{rig.where()['tcp']}", CLOCK)
        try:
            inverter = driver(rig, link, "sunspec")
            assert isinstance(inverter, Actuator)
            assert (await inverter.connect())["model"] == "Rig storage"
            rig.plant.advance(loop_ms())
            first = good(await inverter.read())
            assert abs(first["battery_soc_bp"] - rig.plant.report()["battery_soc_bp"]) <= 10
            assert abs(first["grid_frequency_mhz"] - 50_000) < 500
            assert await inverter.arm(60) > 0
            power_w = inverter.quantise(-2500)
            await inverter.write_power(power_w)
            back = await inverter.read_back()
            assert (
                back.active and abs(back.power_w - power_w) <= inverter.setpoint.step_w and back.timer_s > 55
            )
            async with asyncio.timeout(10):
                while abs(rig.plant.report()["battery_ac_w"] + 2500) > 50:
                    await asyncio.sleep(0.1)
            charging = good(await inverter.read())
            report = rig.plant.report()
            assert abs(charging["battery_power_w"] - report["battery_power_w"]) < 100
            assert charging["battery_power_w"] < -2000
            await inverter.release()
            assert not (await inverter.read_back()).active
            meter = driver(rig, link, "sunspec_meter", unit=200)
            assert (await meter.connect())["model"] == "Rig meter"
            assert abs(good(await meter.read())["grid_power_w"] - rig.plant.report()["grid_power_w"]) < 3000
            bank = driver(rig, link, "sunspec_battery")
            assert good(await bank.read())["battery_alarms_flags"] == 0
        finally:
            await link.close()


async def test_the_device_reverts_by_itself_when_nobody_refreshes() -> None:
    async with Rig(Options()) as rig:
        link = MODBUS.open_link(f"tcp://127.0.0.1:{rig.where()['tcp']}", CLOCK)
        try:
            inverter = driver(rig, link, "sunspec")
            assert isinstance(inverter, Actuator)
            await inverter.connect()
            assert await inverter.arm(1) == 1
            await inverter.write_power(1500)
            assert await inverter.read_back() == ReadBack(1500, True, 1)
            async with asyncio.timeout(10):
                while (await inverter.read_back()).active:
                    await asyncio.sleep(0.1)
        finally:
            await link.close()


async def test_reactive_power_flows_and_ends_by_itself() -> None:
    async with Rig(Options()) as rig:
        link = MODBUS.open_link(f"tcp://127.0.0.1:{rig.where()['tcp']}", CLOCK)
        try:
            inverter = driver(rig, link, "sunspec")
            assert isinstance(inverter, ReactiveActuator)
            await inverter.connect()
            assert inverter.reactive == ReactiveSpec(6_000, 10_000, 60)
            assert await inverter.arm_reactive(3) > 0
            await inverter.write_reactive(-2_000)
            back = await inverter.read_reactive()
            assert (back.var, back.active) == (-2_000, True)
            async with asyncio.timeout(20):
                while rig.plant.report()["inverter_reactive_var"] != -2_000:
                    await asyncio.sleep(0.05)
                while rig.plant.report()["inverter_reactive_var"]:
                    await asyncio.sleep(0.05)
            assert await inverter.read_reactive() == ReactiveBack(0, False, 0)
            await inverter.arm_reactive(60)
            await inverter.write_reactive(1_500)
            async with asyncio.timeout(10):
                while rig.plant.report()["inverter_reactive_var"] != 1_500:
                    await asyncio.sleep(0.05)
            assert good(await inverter.read())["inverter_reactive_var"] == 1_500
            meter = driver(rig, link, "sunspec_meter", unit=200)
            async with asyncio.timeout(10):  # the house's own changes by the minute
                while good(await meter.read())["grid_reactive_var"] != rig.plant.state.load_var - 1_500:
                    await asyncio.sleep(0.05)
            await inverter.release_reactive()
            assert await inverter.read_reactive() == ReactiveBack(0, False, 0)
            assert rig.plant.witness.var_outside == 0 and rig.plant.witness.outside == 0
        finally:
            await link.close()
