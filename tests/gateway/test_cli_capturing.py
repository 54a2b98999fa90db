"""`gridseal capture` against the rig: by itself, through the daemon, masked, bounded, interrupted."""

import asyncio
import io
import os
import signal
import time

import pytest

from gateway import cli, config
from gateway.capturefile import Writer, read
from gateway.cli.capturing import Job, captured
from gateway.driver import find_plugins
from gateway.errors import ConfigError
from gateway.replay import replay
from tests.gateway.cli_bench import write
from tests.processes import process, rig

SERIAL = "RIG"  # every serial number of the rig begins with it


def faithful(path):
    found = asyncio.run(replay(read(path), find_plugins()))
    assert found.faithful and len(found.samples) == found.recorded > 0
    return found


def test_by_itself_masked_then_through_the_daemon(tmp_path, capsys):
    with rig(tmp_path, "--tcp", "0") as where:
        path = write(tmp_path, port=where["tcp"], poll="200 ms")
        path.write_text(path.read_text() + "store: {path: store.db}\n")
        site = str(path)
        whole, masked, through = (tmp_path / f"{n}.jsonl" for n in ("whole", "masked", "through"))
        assert cli.main(["capture", site, "inverter", "--for", "2 s", "-o", str(whole)]) == 0
        assert "hold" in capsys.readouterr().out  # the serial numbers it holds are said
        assert cli.main(["capture", site, "inverter", "--for", "2 s", "--mask", "-o", str(masked)]) == 0
        assert "--mask" not in capsys.readouterr().out
        with process("-m", "gateway.cli", "run", site, folder=tmp_path, log="daemon.log"):
            reached(tmp_path / "daemon.log")
            assert cli.main(["capture", site, "inverter", "--for", "2 s", "-o", str(through)]) == 0
    assert SERIAL in faithful(whole).identity["serial"]
    assert SERIAL.encode().hex() in whole.read_text() and SERIAL.encode().hex() not in masked.read_text()
    assert "127.0.0.1" not in masked.read_text()
    assert faithful(masked).identity["serial"].startswith("X")
    assert SERIAL in faithful(through).identity["serial"]  # the connect before it is in it
    assert read(through).header["by"] == "daemon" and read(through).events[0]["ms"] < 0
    assert not list(tmp_path.glob("*.part"))


def reached(log):
    """Until the daemon has its device; the test's own time-out is the bound."""
    while "inverter: online" not in log.read_text():
        time.sleep(0.1)


def test_a_device_that_does_not_answer_gives_a_file_that_says_so(tmp_path, capsys):
    path = tmp_path / "nothing.jsonl"
    assert cli.main(["capture", str(write(tmp_path)), "inverter", "--for", "1 s", "-o", str(path)]) == 1
    assert "NO READINGS" in capsys.readouterr().out
    assert {"connect"} < set().union(*read(path).events)
    assert cli.main(["replay", str(path)]) == 1
    assert "never answered" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nobody"], "has no device 'nobody'"),
        (["inverter", "-o", "/nowhere/x.jsonl"], "cannot be written"),
    ],
)
def test_what_cannot_be_captured_is_one_line(tmp_path, capsys, words, message):
    assert cli.main(["capture", str(write(tmp_path)), *words]) == 1
    assert message in capsys.readouterr().err


def job(tmp_path, **changes):
    site = config.load(write(tmp_path))
    told = {"for_ms": 60_000, "size": 10**9, "mask": None, **changes}
    return Job(site, site.devices[0], find_plugins(), {"driver": "sunspec"}, **told)


def makes(file):
    return lambda header: Writer(file, header)


async def test_ctrl_c_and_size_end_it_with_a_whole_file(tmp_path):
    asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGINT)
    file = io.BytesIO()
    done = await captured(job(tmp_path), makes(file), lambda *_: None)
    assert done.why == "interrupted" and b'"type":"end"' in file.getvalue()
    done = await captured(job(tmp_path, size=10), makes(io.BytesIO()), lambda *_: None)
    assert done.why == "size"


async def test_a_daemon_with_another_profile_is_not_believed(tmp_path, monkeypatch):
    async def ask(*_):
        return {"profile_digest": "00"}

    monkeypatch.setattr("gateway.cli.capturing.ask", ask)
    with pytest.raises(ConfigError, match="start it again"):
        await captured(job(tmp_path), makes(io.BytesIO()), lambda *_: None)
