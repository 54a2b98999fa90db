"""The command line as its user meets it: help, exit codes, one-line errors."""

import pytest

from gateway import cli
from gateway.cli import schema
from tests.gateway.cli_bench import write
from tests.processes import ROOT, gridseal


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


def test_the_shipped_schemas_are_those_of_the_code():
    for name, found in schema.schemas().items():
        shipped = (ROOT / "config" / name).read_text()
        assert shipped == schema.render(found), f"run `make schema`: {name} is old"
