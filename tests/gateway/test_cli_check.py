"""`gridseal check`: the plan, the bus, every error at once, and what makes a valid site useless."""

import json
from dataclasses import replace

import pytest

from gateway import cli, config
from gateway.cli import check
from gateway.driver import Plan, PlanLine
from gateway.evidence import setup
from gateway.model import CommandClass, Point, Quantity, SetpointSpec
from gateway.store import wear
from tests.gateway.cli_bench import write
from tests.plugin import MockPlugin
from tests.processes import ROOT

SPEC = SetpointSpec(CommandClass.LATCHING, 5000, 5000)


def test_check_shows_the_plan_and_the_bus(tmp_path, capsys):
    path = str(write(tmp_path, profile="huawei_luna2000"))
    assert cli.main(["check", path]) == 0
    said = capsys.readouterr().out
    assert "here: 1 devices, no errors" in said
    assert "holding" in said
    assert "busy" in said
    assert cli.main(["check", "--json", path]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["devices"]["inverter"]["commanded"] is True
    assert "battery_soc_bp" in found["devices"]["inverter"]["points"]
    assert found["notes"] == []


def test_check_finds_a_bus_that_cannot_keep_up(tmp_path, capsys):
    serial = "rtu:///dev/ttyUSB0?baud=9600"
    path = write(tmp_path, profile="huawei_luna2000", poll="100 ms", link=serial)
    assert cli.main(["check", str(path)]) == 1
    assert "poll slower or split the wire" in capsys.readouterr().out


def test_check_lists_every_error(tmp_path, capsys):
    path = write(tmp_path, profile="sunspek", poll="1 sec")
    assert cli.main(["check", str(path)]) == 1
    assert "site.yaml:5:59: '1 sec' has the unknown unit 'sec'" in capsys.readouterr().err
    path = write(tmp_path, profile="sunspek")
    assert cli.main(["check", str(path)]) == 1
    assert "did you mean 'sunspec'?" in capsys.readouterr().err


def test_check_notes_a_site_that_could_never_be_commanded(tmp_path, capsys):
    assert cli.main(["check", str(write(tmp_path, profile="sma_sunny_island"))]) == 0
    assert "add a meter" in " ".join(capsys.readouterr().out.split())


def test_packs_in_parallel_that_are_written_as_devices_are_told(tmp_path, capsys):
    """Of two batteries the power of one would have been paid."""
    path = write(tmp_path, profile="huawei_luna2000")
    packs = "".join(
        f'  pack{unit}: {{profile: pylontech_serial, link: "serial:///dev/a", unit: {unit}, poll: 4 s}}\n'
        for unit in (2, 3)
    )
    path.write_text(path.read_text().replace("devices:\n", f"devices:\n{packs}"))
    assert cli.main(["check", "--json", str(path)]) == 0
    (note,) = (n for n in json.loads(capsys.readouterr().out)["notes"] if "packs:" in n)
    assert note.startswith("pack2, pack3 are taken for one battery, heard 2 times")


def test_the_example_site_is_valid(tmp_path, capsys):
    assert cli.main(["check", str(ROOT / "config/site.example.yaml")]) == 0
    assert "meadow-lane-7" in capsys.readouterr().out


@pytest.fixture
def mocked(tmp_path):
    """A site of two devices on one wire, its plugins and their plan."""
    folder = tmp_path / "profiles"
    folder.mkdir()
    plugin = MockPlugin(folder)
    path = write(tmp_path, profile="mock", link="mock://a", poll="50 ms")
    entry = '  second: {profile: mock, link: "mock://a", poll: 100 ms, unit: 2, control: false}\n'
    path.write_text(path.read_text().replace("socket:", f"{entry}socket:"))
    site = config.load(path, {"mock": plugin})
    return site, {d.name: plugin.plan(d, d.profile) for d in site.devices}


def test_devices_of_one_wire_share_its_time(mocked):
    site, plans = mocked
    assert check.bus_load(site, plans) == {"mock://a": 12.5 / 50 + 12.5 / 100}
    elsewhere = replace(site.devices[1], link="mock://b")
    apart = replace(site, devices=(site.devices[0], elsewhere))
    assert check.bus_load(apart, plans) == {"mock://a": 12.5 / 50, "mock://b": 12.5 / 100}


@pytest.mark.parametrize(
    ("measured", "spec", "said"),
    [
        ((Quantity.GRID_POWER, Quantity.BATTERY_SOC), SPEC, ()),
        ((Quantity.BATTERY_SOC,), SPEC, ("add a meter",)),
        ((Quantity.GRID_POWER,), SPEC, ("state of charge",)),
        ((), SPEC, ("add a meter", "state of charge")),
        ((), None, ()),  # a site that only watches needs nothing
    ],
)
def test_warnings_name_the_measurement_that_orders_need(measured, spec, said):
    points = tuple(Point("a", quantity.value) for quantity in measured)
    found = check.warnings({"a": Plan((PlanLine("holding", 1.0, 1),), points, spec)})
    assert len(found) == len(said)
    assert all(words in text for words, text in zip(said, found, strict=True))


def test_the_json_says_who_is_commanded_and_what_is_noted(mocked):
    site, plans = mocked
    found = check._as_json(site, plans, check.bus_load(site, plans))
    assert json.loads(json.dumps(found)) == found
    assert {name: d["commanded"] for name, d in found["devices"].items()} == {
        "inverter": True,
        "second": False,
    }
    assert found["devices"]["second"]["notes"] == ["a note"]
    assert found["bus_load"] == {"mock://a": 0.375}


def test_an_ipv6_link_is_shown_whole(tmp_path, capsys):
    path = write(tmp_path, profile="huawei_luna2000", link="tcp://[fe80::1]:502")
    assert cli.main(["check", str(path)]) == 0
    assert "tcp://[fe80::1]:502: busy" in capsys.readouterr().out


def test_who_reaches_the_http_server_is_shown(tmp_path, capsys):
    path = write(tmp_path, profile="huawei_luna2000")
    path.write_text(path.read_text() + 'http: {bind: "::", tls: none, port: 80, token: t, pull: true}\n')
    assert cli.main(["check", str(path)]) == 0
    said = "".join(capsys.readouterr().out.split())
    assert "http://[::]:80:changesneedthetokenin" in said and "anybodymayfetchsignedrecords" in said


def test_what_a_records_configuration_is_over_can_be_printed(tmp_path, capsys):
    path = write(tmp_path)
    assert cli.main(["check", "--binding", str(path)]) == 0
    assert capsys.readouterr().out == setup.configuration(config.load(path)) + "\n"


def test_what_the_group_period_means_is_said_in_words(tmp_path, capsys):
    path = write(tmp_path, profile="sma_sunny_island", poll="500 ms")
    path.write_text(path.read_text() + "store: {path: s.db, commit: 10 s, endurance: 30 TB}\n")
    assert cli.main(["check", "--json", str(path)]) == 0
    found = json.loads(capsys.readouterr().out)
    (device,) = found["devices"].values()
    assert found["store"]["loss_ms"] == 10_000
    assert found["store"]["loss_readings"] == 20 * len(device["points"])
    assert found["store"]["day_bytes"] == wear.estimate(
        8640, 172_800, 172_800 * len(device["points"]), wear.DAY_MS
    )
    assert found["store"]["life_days"] == 30 * 10**12 // found["store"]["day_bytes"]
    assert cli.main(["check", str(path)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "loses at most the last 10 s of readings (about" in said
    assert "a day written, which the card bears for" in said


def test_polls_that_are_rarer_than_the_group_period_are_a_commit_each(mocked):
    site, plans = mocked
    slow = replace(site, devices=(replace(site.devices[0], poll_ms=60_000),))
    points = len(plans[site.devices[0].name].points)
    assert check.storing(slow, plans).day_bytes == wear.estimate(1440, 1440, 1440 * points, wear.DAY_MS)
    assert check.storing(slow, plans).life_days is None


def test_how_soon_a_frequency_is_answered_is_said_where_one_is_measured(tmp_path, capsys):
    path = write(tmp_path, profile="sma_sunny_island", poll="500 ms")
    assert cli.main(["check", "--json", str(path)]) == 0
    begins_ms = 550
    found = json.loads(capsys.readouterr().out)["frequency_response"]
    limits = config.load(path).limits
    whole_ms = begins_ms + max(limits.charge_w, limits.discharge_w) * 1000 // limits.ramp_w_per_s
    assert found == {"begins_ms": begins_ms, "whole_ms": whole_ms}
    assert cli.main(["check", str(path)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"the first write within 550 ms, all of the power after {whole_ms / 1000:.1f} s" in said


def test_and_not_where_none_is(mocked, capsys):
    site, plans = mocked
    assert check.answering(site, plans) is None
