"""`gridseal status`: what a daemon says, as a picture or as JSON, and the exit code that monitoring reads."""

import asyncio
import json
import threading

import pytest

from gateway import cli
from gateway.cli import status as verb
from gateway.uplink.local import LocalServer
from tests.gateway.cli_bench import write
from tests.gateway.test_cli_view import STATUS

WAIT_S = 20


class Daemon:
    """Answers `status` on a socket of its own, from a thread, as another process would."""

    def __init__(self, path):
        self.path, self.said = path, STATUS
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    async def _answer(self, _):
        return self.said

    async def _serve(self):
        self._task = self._loop.create_task(LocalServer(self.path, {"status": self._answer}).run())
        while not self.path.exists():
            await asyncio.sleep(0.001)
        self._ready.set()
        await asyncio.gather(self._task, return_exceptions=True)

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(WAIT_S)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(WAIT_S)
        self._loop.close()


@pytest.fixture
def site(tmp_path):
    return write(tmp_path)


@pytest.fixture
def daemon(site):
    with Daemon(site.parent / "control.sock") as found:
        yield found


def with_(**changes):
    return {**STATUS, **changes}


FAULTY = with_(control={**STATUS["control"], "fault": "does not follow"})
OFFLINE = with_(
    devices={**STATUS["devices"], "bms": {"online": False, "identity": "", "error": "silent", "found_at": ""}}
)


@pytest.mark.parametrize(("said", "code"), [(STATUS, 0), (FAULTY, 1), (OFFLINE, 1), (with_(devices={}), 0)])
def test_the_exit_code_says_whether_somebody_must_come(daemon, site, capsys, said, code):
    daemon.said = said
    assert cli.main(["status", str(site)]) == code
    shown = capsys.readouterr().out
    assert "meadow" in shown
    assert ("does not follow" in shown) == (said is FAULTY)
    assert ("silent" in shown) == (said is OFFLINE)


def test_a_trouble_that_mends_itself_is_no_reason_to_come():
    assert STATUS["troubles"]
    assert verb.healthy(STATUS)


def test_the_json_is_what_the_daemon_said(daemon, site, capsys):
    daemon.said = OFFLINE
    assert cli.main(["status", "--json", str(site)]) == 1
    assert json.loads(capsys.readouterr().out) == OFFLINE


def test_json_and_watch_exclude_each_other(site, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["status", "--json", "--watch", str(site)])
    assert ended.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


def test_without_a_daemon_there_is_one_line_and_exit_code_1(site, capsys):
    assert cli.main(["status", str(site)]) == 1
    assert capsys.readouterr().err.count("\n") == 1
