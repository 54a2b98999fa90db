"""`gridseal run`: loads the site, runs the daemon until it is stopped, says its failure in one line."""

from typing import ClassVar

import pytest

from gateway import apart, cli, daemon
from gateway.errors import StoreError
from tests.gateway.cli_bench import write


@pytest.fixture
def daemons(monkeypatch):
    """Daemons that were run; `failure` is what the next one ends with. The real one, and the process that
    reads the site for it: tests/system. That process alone: test_apart."""

    class Daemon:
        ran: ClassVar = []
        failure = None

        def __init__(self, site):
            self.site = site

        async def run(self):
            Daemon.ran.append(self.site)
            if Daemon.failure is not None:
                raise Daemon.failure

    monkeypatch.setattr(daemon, "Daemon", Daemon)
    monkeypatch.setattr(apart, "begin", lambda work: work)  # the tests have threads
    return Daemon


def test_it_runs_the_site_of_the_file_and_ends_well(daemons, tmp_path, capsys):
    assert cli.main(["run", str(write(tmp_path))]) == 0
    assert [(site.id, site.socket) for site in daemons.ran] == [("here", tmp_path / "control.sock")]
    assert capsys.readouterr() == ("", "")


def test_a_failed_store_is_exit_code_1_so_that_systemd_starts_it_again(daemons, tmp_path, capsys):
    daemons.failure = StoreError("the disk is full")
    assert cli.main(["run", str(write(tmp_path))]) == 1
    assert capsys.readouterr().err == "gridseal: the disk is full\n"


def test_a_bug_is_not_swallowed(daemons, tmp_path):
    daemons.failure = AssertionError("a bug")
    with pytest.raises(AssertionError, match="a bug"):
        cli.main(["run", str(write(tmp_path))])


def test_a_wrong_site_never_becomes_a_daemon(daemons, tmp_path, capsys):
    assert cli.main(["run", str(write(tmp_path, profile="sunspek"))]) == 1
    assert "did you mean 'sunspec'?" in capsys.readouterr().err
    assert daemons.ran == []
