"""The command line as its user meets it: help, exit codes, one-line errors."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway import cli
from gateway.cli import schema
from tests.gateway.cli_bench import write
from tests.processes import ROOT, environment, gridseal


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
    listed = {line.split()[0] for line in said.splitlines() if line.startswith("    ") and line.strip()}
    assert set(cli.VERBS) <= listed


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


def test_charging_may_be_written_without_a_space(tmp_path, capsys):
    path = str(write(tmp_path))
    for power in ("-3kW", "-3 kW", "-2.5kW", "+3kW", "-3000W"):
        assert cli.main(["setpoint", path, "--power", power, "--for", "5min"]) == 1
        assert "no daemon runs here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--power", "-3"], "'-3' has no unit"),
        (["--stop", "--for", "5 min"], "a stop lasts until --release"),
        (["--release", "--for", "5 min"], "--for goes with --power"),
        (["--stop", "-x"], "unrecognized arguments: -x"),
    ],
)
def test_what_a_setpoint_cannot_be_is_wrong_usage(tmp_path, capsys, words, says):
    with pytest.raises(SystemExit) as ended:
        cli.main(["setpoint", str(write(tmp_path)), *words])
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def output_to(folder, stdout, *words):
    """`gridseal words` with this standard output: exit code and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", *words],
        check=False, cwd=folder, env=environment(), timeout=30,
        stdout=stdout, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_output_on_a_full_disk_is_one_line(tmp_path, options):
    with open("/dev/full", "wb") as full:
        code, said = output_to(tmp_path, full, "check", *options, str(write(tmp_path)))
    assert (code, said) == (1, "gridseal: output: No space left on device\n")


def test_without_any_output_the_exit_code_still_speaks(tmp_path):
    script = 'exec "$0" -m gateway.cli check --json "$1" >&-'
    words = ["sh", "-c", script, sys.executable, str(write(tmp_path))]
    done = subprocess.run(
        words, check=False, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_folder_that_may_not_be_entered_is_one_line(tmp_path, capsys, monkeypatch):
    """As root nothing is forbidden, so the answer of the kernel is made here."""

    def forbidden(path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", forbidden)
    assert cli.main(["export", "/closed/store.db"]) == 1
    assert capsys.readouterr().err == "gridseal: /closed/store.db: Permission denied\n"


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


CHAIN_ONLY = ("aiohttp", "coincurve", "eth_abi", "eth_account", "sha3")
WITHOUT_EXTRA = f"""\
import sys
sys.modules.update(dict.fromkeys({CHAIN_ONLY}))
from gateway.cli import main
sys.exit(main())
"""


def without_extra(folder, *words):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRA, *words],
        check=False, cwd=folder, capture_output=True, text=True, timeout=30,
    )  # fmt: skip


@pytest.mark.parametrize("words", [["--help"], *([verb, "--help"] for verb in cli.VERBS), ["--version"]])
def test_help_needs_no_extra(words, tmp_path):
    done = without_extra(tmp_path, *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert "gridseal" in done.stdout


@pytest.mark.parametrize(
    "words", [["keys", "new", "key.json"], ["keys", "show", "key.json"], ["verify", "records.jsonl"]]
)
def test_what_needs_the_extra_says_so_in_one_line(words, tmp_path):
    done = without_extra(tmp_path, *words)
    assert done.returncode == 1
    assert done.stderr.endswith('is not installed: pip install "gridseal[chain]"\n')
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_schemas_go_into_a_folder_that_is_there(tmp_path, capsys):
    assert cli.main(["schema", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err == (
        f"gridseal: {tmp_path}/none/site.schema.json: cannot be written: No such file or directory\n"
    )
    assert cli.main(["schema", str(tmp_path)]) == 0
    assert (tmp_path / "site.schema.json").read_text() == (ROOT / "config/site.schema.json").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "first steps:"),
        (["stauts", "site.yaml"], "there is no verb 'stauts'; did you mean status?"),
        (["xyzzy"], "there is no verb 'xyzzy'; there are: run, relay, check"),
    ],
)
def test_a_verb_that_is_none_is_told_with_the_one_that_was_meant(capsys, words, said):
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 2 and said in capsys.readouterr().err
