"""Profiles of Bluetooth batteries: what ships, what is refused, and what `check` says of them."""

import pickle

import pytest
from pydantic import ValidationError

from drivers.ble import PLUGIN, foreign, radio
from drivers.ble.profile import BleProfile
from drivers.ble.table import Gatt, Write
from drivers.bms.values import Allowance
from gateway import yamlfile
from gateway.errors import ConfigError
from tests.drivers.ble_bench import device, profile
from tests.processes import ROOT

SHIPPED = sorted(
    f.name.removesuffix(".yaml") for f in PLUGIN.profiles.iterdir() if f.name.endswith("_ble.yaml")
)


def made(**changes) -> BleProfile:
    plain = profile("jbd_ble").model_dump(mode="json") | changes
    return BleProfile.model_validate({key: value for key, value in plain.items() if value is not None})


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_makes_a_plain_table_and_a_plan(name):
    table = profile(name).table()
    assert pickle.loads(pickle.dumps(table)) == table
    plan = PLUGIN.plan(device(table), table)
    assert plan.points and plan.setpoint is None and 0 < plan.bus_ms < 2000
    assert all(len(uuid) == 36 for uuid in (table.gatt.service, table.gatt.notify, table.gatt.to))
    assert "not proven on real radio hardware" in profile(name).notes.lower()


def test_a_board_that_streams_is_planned_for_by_what_it_repeats():
    table = profile("jk_ble").table()
    (line,) = PLUGIN.plan(device(table), table).lines
    assert line.text == "hear status" and line.bus_ms < 600
    (line,) = PLUGIN.plan(device(profile("jbd_ble").table()), profile("jbd_ble").table()).lines
    assert line.text == "ask basic information, cell voltages"


def test_what_a_profile_says_is_in_its_table():
    whole = "0000fff1-0000-1000-8000-00805f9b34fb"
    table = made(
        gatt={"service": "fff0", "notify": whole, "write": "fff2", "mode": "no-response"},
        streams=["cell voltages"],
        allowance={"charge_ma": 1, "discharge_ma": 2},
        negate_current=True,
    ).table()
    assert table.gatt == Gatt(
        "0000fff0-0000-1000-8000-00805f9b34fb",
        whole,
        "0000fff2-0000-1000-8000-00805f9b34fb",
        Write.NO_RESPONSE,
    )
    assert table.streams == ("cell voltages",) and table.allowance == Allowance(1, 2) and table.negate


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"family": "seplos_v2"}, "'seplos_v2' is none of jbd"),
        ({"family": "jk_ble", "allowance": None, "streams": ["cells"]}, "jk_ble has no request 'cells'"),
        ({"family": "jk_ble"}, "jk_ble states its limits itself: leave out allowance"),
        ({"family": "acme"}, "'acme' is none of jbd.* and not like aiobmsble:"),
        ({"family": "aiobmsble:../x"}, "not like aiobmsble:"),
        ({"family": "aiobmsble:jbd_bms"}, "leave out gatt and streams"),
        ({"family": "aiobmsble:jbd_bms", "gatt": None, "streams": ["x"]}, "leave out gatt and streams"),
        ({"gatt": None}, "jbd needs gatt"),
        ({"streams": ["cells"]}, "jbd has no request 'cells'; it has: basic information, cell voltages"),
        ({"allowance": None}, "jbd states no limits: write the pack's own as allowance"),
        ({"gatt": {"service": "FF00", "notify": "ff01", "write": "ff02"}}, "pattern"),
        ({"gatt": {"service": "ff00", "notify": "ff1", "write": "ff02"}}, "pattern"),
        ({"allowance": {"charge_ma": -1, "discharge_ma": 1}}, "greater than or equal to 0"),
        ({"role": "inverter"}, "battery"),
        ({"pin": 1234}, "Extra inputs"),
    ],
)
def test_what_cannot_be_right_is_refused(changes, says):
    with pytest.raises(ValidationError, match=says):
        made(**changes)


def test_the_example_of_the_page_is_a_profile():
    text = (ROOT / "docs/bluetooth.md").read_text().split("```yaml\n")[1].split("```")[0]
    found = yamlfile.validate(yamlfile.parse(text, "seplos.yaml"), BleProfile)
    assert found.table().gatt is None and found.table().allowance == Allowance(50_000, 50_000)


def test_derating_is_over_what_the_family_tells():
    curve = {"charge": [[0, 0], [1000, 100]]}
    assert made(derating={"battery_temperature_cc": curve}).curves()
    foreign_too = {"family": "aiobmsble:jbd_bms", "gatt": None}
    assert made(derating={"battery_cell_min_mv": curve}, **foreign_too).curves()


def test_a_site_without_bleak_is_told_what_to_install_before_it_runs(monkeypatch):
    monkeypatch.setattr(radio, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r'needs the library bleak: pip install "gridseal\[ble\]"'):
        PLUGIN.place("ble://A4:C1:38:00:11:22")


FOREIGN = {"family": "aiobmsble:seplos_bms", "gatt": None}


@pytest.mark.parametrize(
    ("python", "spec", "says"),
    [
        ((3, 11, 9), "x", "aiobmsble:seplos_bms: aiobmsble needs Python 3.12 or newer, and this is 3.11"),
        ((3, 12, 0), None, r'needs the library aiobmsble: pip install "gridseal\[ble\]"'),
    ],
)
def test_a_family_of_aiobmsble_that_cannot_run_here_is_told(monkeypatch, python, spec, says):
    table = made(**FOREIGN).table()
    monkeypatch.setattr(foreign, "version_info", python)
    monkeypatch.setattr(foreign, "find_spec", lambda _name: spec)
    with pytest.raises(ConfigError, match=says):
        PLUGIN.plan(device(table), table)


def test_a_module_that_aiobmsble_does_not_have_is_named_with_the_nearest(monkeypatch):
    monkeypatch.setattr(foreign, "version_info", (3, 12, 0))
    monkeypatch.setattr(foreign, "find_spec", lambda _name: "there")
    monkeypatch.setattr(foreign, "modules", lambda: ["seplos_bms", "daly_bms"])
    table = made(family="aiobmsble:seplos_bsm", gatt=None).table()
    with pytest.raises(ConfigError, match="no module 'seplos_bsm'; did you mean aiobmsble:seplos_bms"):
        PLUGIN.plan(device(table), table)
    good = made(**FOREIGN).table()
    plan = PLUGIN.plan(device(good), good)
    assert "aiobmsble asks (seplos_bms)" in plan.lines[0].text and len(plan.points) == plan.lines[0].points
