"""Devices by the real driver over a socket: what a gateway leaves behind, and what the next one finds."""

from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from rig.site import loop_ms

from drivers.modbus import PLUGIN
from gateway.clock import SystemClock
from gateway.errors import DeviceRefused
from gateway.profilefile import load
from gateway.site import Device
from tests.rig.raw import running

CLOCK = SystemClock(assume_synchronised=True)
# device, unit, a register and a value that it refuses
TIMED = [("alpha_ess_smile", 85, 0x0885, 99), ("solax_g4", 1, 0x7C, 9)]
LATCHING = [("sigenergy", 247, 40031, 9)]
LASTS_S = 120
UNTOLD = {"solax_g4"}  # it says that it obeys, not at what power


@asynccontextmanager
async def gateway(rig, kind, unit):
    """The driver of a gateway that has just come up, and its link."""
    _, profile = load(kind, Path("nowhere"), {"modbus": PLUGIN})
    link = PLUGIN.open_link(f"tcp://127.0.0.1:{rig.where()['tcp']}", CLOCK)
    device = Device("inverter", kind, "modbus", profile.role, link.url, profile.table(), unit=unit)
    try:
        driver = PLUGIN.driver(device, device.profile, link, CLOCK)
        await driver.connect()
        yield driver, link
    finally:
        await link.close()


@pytest.mark.parametrize(("kind", "unit"), [device[:2] for device in TIMED])
async def test_a_command_outlives_its_gateway_by_its_time_and_no_more(kind, unit):
    async with running(device=kind, soc_bp=6_000) as rig:
        async with gateway(rig, kind, unit) as (driver, _):
            await driver.arm(LASTS_S)
            await driver.write_power(-1_500)
        rig.plant.advance(written_ms := loop_ms())
        async with gateway(rig, kind, unit) as (driver, _):  # the next process finds it, and takes it over
            back = await driver.read_back()
            assert (back.power_w, back.active) == (None if kind in UNTOLD else -1_500, True)
            rig.plant.advance(written_ms + 1000 * LASTS_S - 5_000)
            assert rig.plant.state.order.kind == "battery"
            rig.plant.advance(written_ms + 1000 * LASTS_S + 5_000)
            assert rig.plant.state.order.kind == "self"
            assert not (await driver.read_back()).active


@pytest.mark.parametrize(("kind", "unit"), [device[:2] for device in TIMED + LATCHING])
async def test_the_next_process_hands_back_what_it_finds(kind, unit):
    async with running(device=kind, soc_bp=6_000) as rig:
        async with gateway(rig, kind, unit) as (driver, _):
            await driver.arm(LASTS_S)
            await driver.write_power(1_200)
        async with gateway(rig, kind, unit) as (driver, _):
            await driver.release()
            rig.plant.advance(loop_ms() + 100)
            order = rig.plant.state.order
            assert order.kind == "self" and not (await driver.read_back()).active
            ends = (
                order.low_w or -rig.plant.spec.charge_max_w,
                order.high_w or rig.plant.spec.discharge_max_w,
            )
            assert ends == (-rig.plant.spec.charge_max_w, rig.plant.spec.discharge_max_w), (
                "no limit is left behind"
            )


@pytest.mark.parametrize(("kind", "unit", "address", "refused"), TIMED + LATCHING)
async def test_what_the_device_refuses_changes_nothing(kind, unit, address, refused):
    async with running(device=kind, soc_bp=6_000) as rig, gateway(rig, kind, unit) as (driver, link):
        await driver.arm(LASTS_S)
        await driver.write_power(-900)
        with pytest.raises(DeviceRefused):
            await link.write(unit, address, (refused,), timeout_s=2)
        back = await driver.read_back()
        assert (back.power_w, back.active) == (None if kind in UNTOLD else -900, True)
