"""Devices with a timer of their own, by the real driver over a socket: what a gateway leaves behind."""

from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from rig.site import loop_ms

from drivers.modbus import PLUGIN
from gateway.clock import SystemClock
from gateway.config import find_profile
from gateway.errors import DeviceRefused
from gateway.site import Device
from tests.rig.raw import running

CLOCK = SystemClock(assume_synchronised=True)
# device, unit, seconds that it lasts when so many are armed, a register and a value that it refuses
DEVICES = [
    ("alpha_ess_smile", 85, 90, 0x0885, 99),
    ("solax_g4", 1, 120, 0x7C, 9),
]
UNTOLD = {"solax_g4"}  # it says that it obeys, not at what power


@asynccontextmanager
async def gateway(rig, kind, unit):
    """The driver of a gateway that has just come up, and its link."""
    _, profile = find_profile(kind, Path("nowhere"), {"modbus": PLUGIN})
    link = PLUGIN.open_link(f"tcp://127.0.0.1:{rig.where()['tcp']}", CLOCK)
    device = Device("inverter", kind, "modbus", profile.role, link.url, profile.table(), unit=unit)
    try:
        driver = PLUGIN.driver(device, device.profile, link, CLOCK)
        await driver.connect()
        yield driver, link
    finally:
        await link.close()


@pytest.mark.parametrize(("kind", "unit", "lasts_s", "address", "refused"), DEVICES)
async def test_a_command_outlives_its_gateway_by_its_time_and_no_more(kind, unit, lasts_s, address, refused):
    async with running(device=kind, soc_bp=6_000) as rig:
        async with gateway(rig, kind, unit) as (driver, _):
            await driver.arm(lasts_s)
            await driver.write_power(-1_500)
        rig.plant.advance(written_ms := loop_ms())
        async with gateway(rig, kind, unit) as (driver, _):  # the next process finds it, and takes it over
            back = await driver.read_back()
            assert (back.power_w, back.active) == (None if kind in UNTOLD else -1_500, True)
            rig.plant.advance(written_ms + 1000 * lasts_s - 5_000)
            assert rig.plant.state.order.kind == "battery"
            rig.plant.advance(written_ms + 1000 * lasts_s + 5_000)
            assert rig.plant.state.order.kind == "self"
            assert not (await driver.read_back()).active


@pytest.mark.parametrize(("kind", "unit", "lasts_s", "address", "refused"), DEVICES)
async def test_the_next_process_hands_back_what_it_finds(kind, unit, lasts_s, address, refused):
    async with running(device=kind, soc_bp=6_000) as rig:
        async with gateway(rig, kind, unit) as (driver, _):
            await driver.arm(lasts_s)
            await driver.write_power(1_200)
        async with gateway(rig, kind, unit) as (driver, _):
            await driver.release()
            rig.plant.advance(loop_ms() + 100)
            assert rig.plant.state.order.kind == "self" and not (await driver.read_back()).active


@pytest.mark.parametrize(("kind", "unit", "lasts_s", "address", "refused"), DEVICES)
async def test_what_the_device_refuses_changes_nothing(kind, unit, lasts_s, address, refused):
    async with running(device=kind, soc_bp=6_000) as rig, gateway(rig, kind, unit) as (driver, link):
        await driver.arm(lasts_s)
        await driver.write_power(-900)
        with pytest.raises(DeviceRefused):
            await link.write(unit, address, (refused,), timeout_s=2)
        back = await driver.read_back()
        assert (back.power_w, back.active) == (None if kind in UNTOLD else -900, True)
