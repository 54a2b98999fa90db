"""The command line as its user meets it: help, exit codes, one-line errors, check and read."""

import json

import pytest

from gateway import cli
from gateway.cli import schema
from tests.processes import ROOT, gridseal, rig

SITE = """\
site:
  id: here
  limits: {{charge: 5 kW, discharge: 5 kW, grid import: 17 kW, grid export: 5 kW}}
devices:
  inverter: {{profile: {profile}, link: "tcp://127.0.0.1:{port}", poll: {poll}, timeout: 300 ms}}
socket: control.sock
"""


def write(tmp_path, profile="sunspec", port=1, poll="1 s"):
    (tmp_path / "site.yaml").write_text(SITE.format(profile=profile, port=port, poll=poll))
    return tmp_path / "site.yaml"


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_has_a_help_that_teaches(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([verb, "--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert f"gridseal {verb}" in said.split("\n\n", 1)[1], "no example"


def test_the_top_level_help_names_every_verb(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(f"    {verb} " in said for verb in cli.VERBS)


@pytest.mark.parametrize("words", [[], ["fly"], ["check"], ["setpoint", "x", "--power", "3", "--for", "1 s"]])
def test_wrong_usage_is_exit_code_2(words, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 2
    assert "usage: gridseal" in capsys.readouterr().err


def test_a_setpoint_needs_an_end(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["setpoint", str(write(tmp_path)), "--power", "-3 kW"])
    assert ended.value.code == 2
    assert 'add --for "5 min"' in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["check", "run", "status"])
def test_a_missing_site_is_one_line(verb, tmp_path):
    done = gridseal(tmp_path, verb, "none.yaml")
    assert done.returncode == 1
    assert done.stderr == "gridseal: none.yaml: cannot be read: No such file or directory\n"


def test_status_and_setpoint_say_that_no_daemon_runs(tmp_path, capsys):
    path = str(write(tmp_path))
    for words in (["status", path], ["setpoint", path, "--stop"]):
        assert cli.main(words) == 1
        assert "no daemon runs here" in capsys.readouterr().err


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
    text = SITE.format(profile="huawei_luna2000", port=1, poll="100 ms")
    text = text.replace("tcp://127.0.0.1:1", "rtu:///dev/ttyUSB0?baud=9600")
    (tmp_path / "site.yaml").write_text(text)
    assert cli.main(["check", str(tmp_path / "site.yaml")]) == 1
    assert "poll slower or split the wire" in capsys.readouterr().out


def test_check_lists_every_error(tmp_path, capsys):
    path = write(tmp_path, profile="sunspek", poll="1 sec")
    assert cli.main(["check", str(path)]) == 1
    assert "site.yaml:5:59: '1 sec' has the unknown unit 'sec'" in capsys.readouterr().err
    path = write(tmp_path, profile="sunspek")
    assert cli.main(["check", str(path)]) == 1
    assert "did you mean 'sunspec'?" in capsys.readouterr().err


def test_read_shows_one_poll_of_the_rig(tmp_path, capsys):
    with rig(tmp_path, "--tcp", "0") as where:
        path = str(write(tmp_path, port=where["tcp"]))
        assert cli.main(["read", path, "inverter"]) == 0
        said = capsys.readouterr().out
        assert "battery_soc_bp" in said
        assert "GOOD" in said
        assert cli.main(["read", "--json", path, "inverter"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert 4000 < found["points"]["battery_soc_bp"]["value"] < 6000
        assert cli.main(["read", path, "invertor"]) == 1
        assert "has no device 'invertor'; it has: inverter" in capsys.readouterr().err


def test_read_of_a_device_that_is_not_there_is_one_line(tmp_path, capsys):
    assert cli.main(["read", str(write(tmp_path)), "inverter"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("gridseal: ")
    assert said.count("\n") == 1


def test_the_shipped_schemas_are_those_of_the_code():
    for name, found in schema.schemas().items():
        shipped = (ROOT / "config" / name).read_text()
        assert shipped == schema.render(found), f"run `make schema`: {name} is old"


def test_the_example_site_is_valid(tmp_path, capsys):
    assert cli.main(["check", str(ROOT / "config/site.example.yaml")]) == 0
    assert "meadow-lane-7" in capsys.readouterr().out


def test_check_notes_a_site_that_could_never_be_commanded(tmp_path, capsys):
    assert cli.main(["check", str(write(tmp_path, profile="sma_sunny_island"))]) == 0
    assert "add a meter" in " ".join(capsys.readouterr().out.split())
