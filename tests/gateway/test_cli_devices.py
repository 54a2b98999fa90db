"""`gridseal devices`: the page is that of the profiles, and what it says of proof and setpoints is so."""

import pytest

from gateway import cli
from gateway.cli import devices
from gateway.driver import find_plugins
from gateway.errors import ConfigError
from gateway.model import CommandClass, SetpointSpec
from tests.processes import ROOT


@pytest.fixture(scope="module")
def found():
    return devices.entries(find_plugins())


def test_the_shipped_page_is_that_of_the_profiles(capsys):
    assert cli.main(["devices"]) == 0
    assert (ROOT / "docs/devices.md").read_text() == capsys.readouterr().out, "run `make schema`: it is old"


@pytest.mark.parametrize(
    ("words", "titles"),
    [
        (["HUAWEI"], ["## Huawei SUN2000 with LUNA2000"]),
        (["sunspec_meter"], ["## SunSpec meter (models 201-204, 211-214)"]),
        (["rec", "bms"], None),  # sold by another name: it is among what the profile fits as well
    ],
)
def test_a_technician_asks_for_one_device(capsys, words, titles):
    assert cli.main(["devices", *words]) == 0
    said = capsys.readouterr().out
    headings = [line for line in said.splitlines() if line.startswith("## ")]
    assert headings == titles if titles else "pylontech_can" in said
    assert "# Devices" not in said.splitlines()


def test_a_device_that_is_none_is_told(capsys):
    assert cli.main(["devices", "perpetuum", "mobile"]) == 1
    assert "no device is called perpetuum mobile" in capsys.readouterr().err


def test_every_shipped_profile_is_on_it_once(found):
    shipped = sorted(path.stem for path in (ROOT / "drivers/profiles").glob("*.yaml"))
    assert sorted(entry.name for entry in found) == shipped
    titles = [title for entry in found for title in (entry.title, *entry.profile.also)]
    assert len({*titles}) == len(titles) > len(shipped), "two profiles for one device"
    assert {f"| {t} | `{e.name}` |" for e in found for t in e.profile.also} <= {
        " | ".join(row.split(" | ")[:2]) + " |" for row in devices.page(found).splitlines()
    }


def test_what_is_called_recorded_names_its_recordings_and_nothing_else_does(found):
    for entry in found:
        assert not (entry.profile.recorded and entry.profile.proof == "simulated"), entry.name
        if entry.plugin.kind in ("modbus", "can"):
            assert entry.profile.recorded or entry.profile.proof != "recorded", entry.name


def test_an_inverter_is_commanded_with_an_end_or_called_read_only(found):
    rows = {row.split("`")[1]: row for row in devices.page(found).split("\n| ")[2:]}
    for entry in found:
        spec = entry.plan.setpoint
        if entry.profile.role == "inverter" and spec is None:
            assert "| read only |" in rows[entry.name]
        if spec is not None and spec.timeout_s:
            assert f"ends after {spec.timeout_s}" in rows[entry.name]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            SetpointSpec(CommandClass.SELF_EXPIRING, 1, 1, timeout_s=60, refresh_s=20),
            "self-expiring: ends after 60 s, refreshed each 20 s",
        ),
        (
            SetpointSpec(CommandClass.WATCHDOG, 1, 1, timeout_s=10, refresh_s=3, ends_s=60),
            "watchdog: ends after 10 to 60 s, refreshed each 3 s",
        ),
        (SetpointSpec(CommandClass.LATCHING, 1, 1), "latching: stays until it is ended"),
        (
            SetpointSpec(CommandClass.LATCHING_EEPROM, 1, 1, refresh_s=30, writes_per_day=50),
            "latching-eeprom: stays until it is ended, refreshed each 30 s and wears its memory",
        ),
    ],
)
def test_a_setpoint_is_told_by_what_ends_it(spec, said):
    assert devices.setpoint(spec) == said


def test_a_driver_family_without_a_link_to_plan_for_is_named(monkeypatch):
    monkeypatch.setattr(devices, "LINKS", ())
    with pytest.raises(ConfigError, match=r"^[a-z]+: no link here to plan for"):
        devices.entries(find_plugins())
