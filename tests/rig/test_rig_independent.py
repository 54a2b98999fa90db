"""The rig judged by others: libmodbus in C, mbpoll, and pysunspec2's own client, over TCP and RTU."""

import asyncio
import re
import subprocess
from pathlib import Path

import pytest
from rig.modbus import READ_MAX
from rig.site import loop_ms
from sunspec2.modbus.client import SunSpecModbusClientDeviceRTU, SunSpecModbusClientDeviceTCP

from tests.rig.raw import running
from tests.tools import missing, need

SOURCE = Path(__file__).with_name("libmodbus_client.c")
TIMEOUT_S = 15


@pytest.fixture(scope="module")
def libmodbus(tmp_path_factory):
    """The C client, compiled."""
    gcc, config = need("gcc"), need("pkg-config")
    flags = subprocess.run(
        [config, "--cflags", "--libs", "libmodbus"], capture_output=True, text=True, check=False
    )
    if flags.returncode:
        missing("libmodbus-dev")
    program = tmp_path_factory.mktemp("libmodbus") / "client"
    subprocess.run([gcc, "-O1", "-Wall", str(SOURCE), "-o", str(program), *flags.stdout.split()], check=True)
    return program


async def output(*command):
    """What a program prints; it must end with 0."""
    child = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(TIMEOUT_S):
        text = (await child.communicate())[0].decode(errors="replace")
    assert child.returncode == 0, text
    return text


def place(rig, wire):
    return rig.where()["tcp" if wire == "tcp" else "pty"]


def registers(rig, unit, address, count):
    data = rig.bank.read(unit, "holding", address, count, loop_ms())
    return [int.from_bytes(data[i : i + 2]) for i in range(0, len(data), 2)]


@pytest.mark.parametrize("wire", ["tcp", "rtu"])
async def test_libmodbus_reads_what_is_there_and_is_refused_what_is_not(libmodbus, wire):
    async with running(tcp=0 if wire == "tcp" else None, pty=wire == "rtu") as rig:
        lines = (
            await output(
                *(libmodbus, wire, place(rig, wire), 1),
                *("r", 40000, 2, "r", 40002, 66, "r", 40000, READ_MAX, "r", 39999, 1, "i", 40000, 1),
            )
        ).splitlines()
        assert lines[0] == "21365 28243"
        assert lines[1] == " ".join(map(str, registers(rig, 1, 40002, 66)))
        assert len(lines[2].split()) == READ_MAX
        assert lines[3:] == ["error Illegal data address", "error Illegal function"]


@pytest.mark.parametrize("wire", ["tcp", "rtu"])
async def test_libmodbus_orders_a_charge_and_the_site_follows(libmodbus, wire):
    async with running(device="huawei_luna2000", tcp=0 if wire == "tcp" else None, pty=wire == "rtu") as rig:
        lines = await output(
            *(libmodbus, wire, place(rig, wire), 1),
            *("w", 47083, 2, "m", 47247, 2, 0, 1500, "w", 47100, 1, "m", 47247, 4, 0, 9, 0, 9),
            *("w", 47100, 9, "r", 47247, 4),
        )
        assert lines.splitlines() == ["ok"] * 4 + ["error Illegal data value", "0 9 0 9"]
        async with asyncio.timeout(10):
            while abs(rig.plant.state.battery_w + 1500) > 2:
                await asyncio.sleep(0.05)
        assert rig.plant.witness.writes == 4 and rig.plant.witness.refused == 1


async def test_libmodbus_meets_the_faults(libmodbus):  # wrong_unit is left out: it does not look on TCP
    async with running() as rig:
        seen = {}
        for kind in ("silence", "busy", "short", "truncated", "wrong_tag"):
            rig.control.answer(b'{"do":"fault","times":1,"kind":"%s"}' % kind.encode())
            seen[kind] = (await output(libmodbus, "tcp", place(rig, "tcp"), 1, "r", 40000, 2)).strip()
        assert seen["busy"] == "error Slave device or server is busy"
        assert all(text.startswith("error") for text in seen.values()), seen


async def test_mbpoll_reads_both_units_on_tcp():
    mbpoll = need("mbpoll")
    async with running() as rig:
        for unit in rig.bank.units:
            text = await output(
                *(mbpoll, "-m", "tcp", "-p", place(rig, "tcp"), "-a", unit, "-0", "-r", 40000, "-c", 4),
                *("-t", "4:hex", "-1", "127.0.0.1"),
            )
            assert re.findall(r"0x([0-9A-F]{4})", text) == ["5375", "6E53", "0001", "0042"]


@pytest.mark.parametrize("baud", [0, 9600])
async def test_mbpoll_reads_and_writes_on_rtu(baud):
    mbpoll = need("mbpoll")
    async with running(device="sma_sunny_island", tcp=None, pty=True, baud=baud) as rig:
        common = (mbpoll, "-m", "rtu", "-b", 9600, "-P", "none", "-a", 3, "-0", "-B", "-1")
        text = await output(*common, "-r", 40149, "-t", "4:int", place(rig, "rtu"), "--", -2000, 802)
        assert "Written 2 references" in text
        assert rig.bank.value("power_w") == -2000 and rig.bank.value("active") == 802
        await asyncio.sleep(0.6)
        text = await output(*common, "-r", 30775, "-t", "3:int", place(rig, "rtu"))
        assert re.search(r"\[30775\]:\s+-2000", text), text


def values(device, model):
    return device.models[model][0].points


def agree(device, rig):
    """Every scaled value of interest against the physics, with nothing moving in between."""
    s = rig.plant.state
    assert values(device, 1)["SN"].cvalue == rig.plant.serial
    pairs = [
        (values(device, 103)["W"], s.battery_ac_w, 0),
        (values(device, 103)["Hz"], s.frequency_mhz / 1000, 0.006),
        (values(device, 103)["PhVphA"], s.grid_mv / 1000, 0.06),
        (values(device, 124)["ChaState"], s.soc * 100, 0.006),
        (values(device, 203)["W"], s.grid_w, 0),
        (values(device, 701)["W"], s.battery_ac_w, 0),
        (values(device, 701)["Hz"], s.frequency_mhz / 1000, 0),
        (values(device, 713)["SoC"], s.soc * 100, 0.006),
        (values(device, 713)["WHAvail"], s.stored_j / 3600, 10),
        (values(device, 802)["V"], s.voltage_v, 0.006),
        (values(device, 802)["A"], s.current_a, 0.06),
        (values(device, 802)["W"], s.battery_w, 0.6),
        (values(device, 802)["AChaMax"], s.charge_limit_a, 0.11),
        (values(device, 120)["WRtg"], rig.plant.spec.ac_max_w, 0),
        (values(device, 702)["WChaRteMaxRtg"], rig.plant.spec.charge_max_w, 0),
        (device.models[714][0].groups["Prt"][0].points["DCW"], s.battery_w, 0.6),
    ]
    for point, expected, slack in pairs:
        assert point.cvalue == pytest.approx(expected, abs=slack or 1e-9), point.pdef["name"]


@pytest.mark.parametrize("wire", ["tcp", "rtu"])
async def test_pysunspec2_scans_the_rig_and_agrees_with_the_physics(wire):
    async with running(tcp=0 if wire == "tcp" else None, pty=wire == "rtu", soc_bp=6_543, seed=7) as rig:
        rig.served.now_ms = lambda: 10**12  # beyond everything: time stands still for the registers
        rig.plant.advance(loop_ms() + 10_000)
        rig.plant._next_ms = 10**13

        def scan():
            device = (
                SunSpecModbusClientDeviceTCP(1, "127.0.0.1", place(rig, wire), timeout=TIMEOUT_S)
                if wire == "tcp"
                else SunSpecModbusClientDeviceRTU(1, place(rig, wire), baudrate=9600, timeout=1)
            )
            try:
                device.scan()
            finally:
                device.close()
            return device

        device = await asyncio.to_thread(scan)
        models = [number for number in device.models if isinstance(number, int)]
        assert models == [1, 103, 120, 121, 123, 124, 160, 203, 701, 702, 704, 713, 714, 715, 802]
        agree(device, rig)


async def test_pysunspec2_orders_a_discharge_and_reads_the_timer_back():
    async with running() as rig:

        def order():
            device = SunSpecModbusClientDeviceTCP(1, "127.0.0.1", place(rig, "tcp"), timeout=TIMEOUT_S)
            try:
                device.scan()
                control = device.models[704][0]
                for name, value in (("WSetRvrtTms", 30), ("WSetMod", 1), ("WSet", 2500), ("WSetEna", 1)):
                    control.points[name].cvalue = value
                    control.points[name].write()
                control.read()
                return control.points["WSet"].cvalue, control.points["WSetRvrtRem"].cvalue
            finally:
                device.close()

        power, remaining = await asyncio.to_thread(order)
        assert power == 2500 and 25 <= remaining <= 30
        async with asyncio.timeout(10):
            while rig.plant.state.battery_ac_w != 2500:
                await asyncio.sleep(0.05)
