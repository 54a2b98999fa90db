"""What `gridseal check` says of an OPC UA device, and what it refuses, without device and library."""

import subprocess
import sys
from dataclasses import replace

import pytest

from drivers.opcua import PLUGIN
from gateway.errors import ConfigError
from gateway.site import Device
from tests.drivers.test_opcua_profile import PROFILE, changed, model

READING = "opc.tcp://plc"
TRUSTED = f"opc.tcp://plc?mode=encrypt&server=sha256:{'ab' * 32}"


def plan(url, text=PROFILE, **more):
    table = model(text).table()
    return PLUGIN.plan(Device("ess", "ess5", "opcua", "inverter", url, table, **more), table)


def test_a_device_that_takes_setpoints_needs_a_link_that_knows_whom_it_speaks_to():
    with pytest.raises(
        ConfigError, match=r"ess5 takes setpoints.*mode=encrypt&server=sha256.*control: false"
    ):
        plan(READING)
    assert plan(READING, control=False).setpoint is None
    assert plan(TRUSTED).setpoint.discharge_max_w == 5000
    assert plan(TRUSTED).setpoint.charge_max_w == 0  # only the device knows it


def test_an_open_link_is_said_to_be_one():
    notes = " ".join(plan(READING, control=False).notes)
    assert "nobody is authenticated" in notes and "no setpoints" in notes
    assert "nobody is authenticated" not in " ".join(plan(TRUSTED).notes)
    assert "not encrypted" in " ".join(plan(TRUSTED.replace("encrypt", "sign")).notes)


def test_what_is_asked_and_what_is_told():
    asked = plan(TRUSTED)
    assert [line.text for line in asked.lines] == [
        "read 4 nodes: s=Battery.SoC … s=Grid.Power",
        "read 1 node: g=09087e75-8e5e-499b-954f-f2a9603db28a, every 4 s",
    ]
    told = plan(TRUSTED, changed(updates="subscribed"))
    assert told.lines[0].text.startswith("hear 4 nodes") and told.lines[0].text.endswith("if they changed")
    assert len(asked.points) == 5 and sum(line.points for line in told.lines) == 5


def test_long_tables_are_asked_in_parts():
    points = {f"p{n}_w": {"node": f"i={n}", "type": "Int32"} for n in range(250)}
    lines = plan(READING, changed(points=points, setpoint=None)).lines
    assert [line.points for line in lines] == [100, 100, 50]


def test_notes_tell_what_a_person_should_know():
    notes = " ".join(plan(TRUSTED, changed(enable="turn on remote control")).notes)
    assert "before: turn on remote control" in notes and "nameplate power is read" in notes


def test_a_check_loads_neither_the_library_nor_what_would_open_a_link():
    code = (
        "import sys; from drivers.opcua import PLUGIN; import drivers.opcua.plan, drivers.opcua.profile;"
        "assert not [m for m in sys.modules if m.split('.')[0] in ('asyncua', 'cryptography')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_without_the_library_the_extra_is_named():
    code = (
        "import sys; sys.modules['asyncua'] = None\n"
        "from drivers.opcua import PLUGIN; from gateway.errors import ConfigError\n"
        f"try: PLUGIN.open_link({READING!r}, None)\n"
        "except ConfigError as error: print(error)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], check=True, timeout=60, capture_output=True, text=True
    )
    assert said.stdout == 'OPC UA needs the library asyncua: pip install "gridseal[opcua]"\n'


def test_the_measured_time_goes_before_the_profiles():
    device = Device("ess", "ess5", "opcua", "inverter", TRUSTED, None, timer_s=9)
    table = model().table()
    assert PLUGIN.plan(replace(device, profile=table), table).setpoint.timeout_s == 9
