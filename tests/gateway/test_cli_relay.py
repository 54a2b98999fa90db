"""`gridseal relay`: reads its file, asks the running one, and says in one line what is wrong."""

import asyncio
import json
import threading
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.uplink.local import LocalServer

EXAMPLE = Path(__file__).parents[2] / "config/fleet.example.yaml"
FLEET = """\
chain:
  id: 10
  rpc: ["https://a.example", "https://b.example"]
  contract: "0x00000000000000000000000000000000000000aa"
key: key.json
socket: relayer.sock
sites:
  mill: {url: "http://mill:8470", gateway: "0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359"}
  farm: {url: "http://farm:8470", gateway: "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"}
"""


@pytest.fixture
def fleet(tmp_path):
    path = tmp_path / "fleet.yaml"
    path.write_text(FLEET)
    return path


def test_the_file_is_checked(fleet, capsys):
    assert main(["relay", "--check", str(fleet)]) == 0
    assert capsys.readouterr().out == "2 sites, 1 contract: good\n"
    fleet.write_text(FLEET.replace("key: key.json", "kay: key.json"))
    assert main(["relay", "--check", str(fleet)]) == 1
    assert "fleet.yaml:5:1: unknown key 'kay' (did you mean 'key'?)" in capsys.readouterr().err


def test_the_shipped_example_is_right(capsys):
    assert main(["relay", "--check", str(EXAMPLE)]) == 0
    assert capsys.readouterr().out == "2 sites, 1 contract: good\n"


def test_a_key_that_is_not_there_is_said_before_anything_runs(fleet, capsys):
    assert main(["relay", str(fleet)]) == 1
    said = capsys.readouterr().err
    assert "key.json" in said and said.count("\n") == 1


def test_none_runs(fleet, capsys):
    assert main(["relay", "--status", str(fleet)]) == 1
    assert "no relayer runs here" in (said := capsys.readouterr().err) and "relayer.sock" in said


@pytest.mark.parametrize(("trouble", "sites", "code"), [("", 0, 0), ("chain away", 0, 1), ("", 2, 1)])
def test_the_running_one_is_asked(fleet, capsys, trouble, sites, code):
    status = {"payer": "0xab", "trouble": trouble, "in_trouble": sites}
    ready, done = threading.Event(), threading.Event()

    async def serve():
        async def answer(_):
            return status

        async with asyncio.TaskGroup() as group:
            task = group.create_task(LocalServer(fleet.parent / "relayer.sock", {"status": answer}).run())
            while not (fleet.parent / "relayer.sock").exists():
                await asyncio.sleep(0.01)
            ready.set()
            while not done.is_set():
                await asyncio.sleep(0.01)
            task.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(30)
        assert main(["relay", "--status", str(fleet)]) == code
        assert json.loads(capsys.readouterr().out) == status
    finally:
        done.set()
        thread.join(30)
