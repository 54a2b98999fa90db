"""bleak's own BlueZ backend against a small org.bluez on a private D-Bus: scan, connect, notify, its death.

What a kernel, a radio and the real bluetoothd do is not in it.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager

import pytest
import yaml

from drivers.ble import PLUGIN
from gateway.clock import SystemClock
from gateway.errors import LinkError
from tests.drivers.ble_bench import ADDRESS, JBD, JBD_ANSWERS, device, profile, told
from tests.drivers.ble_bluez import HANG_UP
from tests.processes import ROOT
from tests.tools import need

BUS = """<busconfig><type>system</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>"""
READY_S = 20
ANSWERS = {asked.hex(): said.hex() for asked, said in JBD_ANSWERS.items()}

FAKE = (sys.executable, "-m", "tests.drivers.ble_bluez", ADDRESS, json.dumps(ANSWERS))


@contextmanager
def started(*words: str, ready: str, **environment: str):
    """A program that says when it is ready; ended afterwards if it still runs."""
    process = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | environment,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert ready in line, f"{words[0]} said {line!r}"
        yield process
    finally:
        process.kill()
        process.wait(READY_S)
        process.stdout.close()


@pytest.fixture
def bluez(tmp_path, monkeypatch):
    """The bus daemon and the service on it, as processes that a test may end."""
    daemon = need("dbus-daemon")
    config, path = tmp_path / "bus.conf", tmp_path / "bus"
    config.write_text(BUS.format(path=path))
    address = f"unix:path={path}"
    with ExitStack() as stack:
        bus = stack.enter_context(
            started(
                daemon, f"--config-file={config}", "--nofork", "--nopidfile", "--print-address", ready="unix:"
            )
        )
        service = stack.enter_context(started(*FAKE, ready="on the bus", DBUS_SYSTEM_BUS_ADDRESS=address))
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield bus, service


def made(clock):
    table = profile("jbd_ble").table()
    link = PLUGIN.open_link(f"ble://{ADDRESS}", clock)
    return PLUGIN.driver(device(table), table, link, clock), link


async def test_a_board_is_found_read_lost_and_found_again(bluez):
    driver, link = made(SystemClock())
    await driver.connect()
    for _ in range(3):
        assert told(await driver.read()).items() >= JBD["told"].items()
    await link.send(HANG_UP)
    with pytest.raises(LinkError, match="the connection ended"):
        await link.receive()
    assert link.counters.lost == 1
    await driver.connect()
    assert told(await driver.read()).items() >= JBD["told"].items()
    await driver.close()
    assert (link.counters.connected, link.counters.stuck) == (2, 0)


async def test_a_connection_that_a_killed_gateway_left_behind_is_taken_over(bluez):
    """The board does not advertise while it is connected, so no scan would find it."""
    killed, _ = made(SystemClock())
    await killed.connect()
    driver, link = made(SystemClock())
    await driver.connect()
    assert told(await driver.read()).items() >= JBD["told"].items()
    await driver.close()
    await killed.close()
    assert link.counters.stuck == 0


@pytest.mark.parametrize("which", ["bus", "service"])
async def test_neither_the_death_of_bluez_nor_of_d_bus_hangs_or_ends_the_gateway(bluez, which):
    process = bluez[0] if which == "bus" else bluez[1]
    driver, _ = made(SystemClock())
    await driver.connect()
    process.send_signal(signal.SIGKILL)
    async with asyncio.timeout(30):
        for _ in range(2):
            with pytest.raises(LinkError) as said:
                await driver.read()
            assert "\n" not in str(said.value)
        await driver.close()
        with pytest.raises(LinkError):
            await driver.connect()
        await driver.close()


async def test_a_bluetooth_service_that_is_started_again_is_used_again(bluez):
    driver, _ = made(SystemClock())
    await driver.connect()
    bluez[1].kill()
    with pytest.raises(LinkError):
        await driver.read()
    await driver.close()
    with started(*FAKE, ready="on the bus"):
        async with asyncio.timeout(60):
            while True:  # as the device's task does
                try:
                    await driver.connect()
                    break
                except LinkError:
                    await asyncio.sleep(0.2)
            assert told(await driver.read()).items() >= JBD["told"].items()
        await driver.close()


def gridseal(folder, *words: str):
    """The whole program, as it is run, with a site of one battery."""
    site = {
        "site": {
            "id": "ble-1",
            "limits": {"charge": "5 kW", "discharge": "5 kW", "grid import": "9 kW", "grid export": "5 kW"}
            | {"ramp": "1 kW/s"},
        },
        "devices": {"bms": {"profile": "jbd_ble", "link": f"ble://{ADDRESS}"}},
    }
    (folder / "site.yaml").write_text(yaml.safe_dump(site))
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_gridseal_reads_and_records_a_site_with_a_bluetooth_battery(bluez, tmp_path):
    points = json.loads(gridseal(tmp_path, "read", "--json", "site.yaml", "bms"))["points"]
    assert {name: points[name]["value"] for name in JBD["told"]} == JBD["told"]
    gridseal(tmp_path, "capture", "site.yaml", "bms", "--for", "2 s", "--mask", "-o", "bms.jsonl")
    assert ADDRESS not in (tmp_path / "bms.jsonl").read_text()
    assert "readings are as recorded" in gridseal(tmp_path, "replay", "bms.jsonl")


async def test_an_adapter_that_is_not_there_says_how_to_see_which_are(bluez):
    table = profile("jbd_ble").table()
    link = PLUGIN.open_link(f"ble://{ADDRESS}?adapter=hci5", SystemClock())
    driver = PLUGIN.driver(device(table), table, link, SystemClock())
    with pytest.raises(LinkError, match=r"hci5.* not found .*bluetoothctl list"):
        await driver.connect()


async def test_no_d_bus_at_all_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    driver, _ = made(SystemClock())
    with pytest.raises(LinkError, match="install dbus and bluez"):
        await driver.connect()
