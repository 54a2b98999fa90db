"""`gridseal commission`: what it announces, asks, shows and tells; that its end is the test's end."""

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from gateway.cli import commission, main
from gateway.uplink.local import LocalServer
from tests.gateway.cli_bench import write

PLAN = {
    "device": "inverter", "power_w": 500, "orders": 16, "orders_max": 24, "patience_s": 95, "why": "",
    "channels": ["bms (battery power)", "meter (grid power)"],
}  # fmt: skip
RUNNING = {
    "state": "running", "step": "inverter charges with 500 W", "done": 4, "of": 16,
    "lines": ["found \x1b[2J"], "reason": "", "certificate": {},
}  # fmt: skip
BODY = json.dumps({"parts": [{"device": "inverter"}]})
PASSED = RUNNING | {"state": "passed", "certificate": {"digest": "0x" + "ab" * 32, "body": BODY}}
FAILED = RUNNING | {"state": "failed", "reason": "the house moved"}


async def asked(
    folder: Path, *words: str, end: dict[str, Any] = PASSED, plan: dict[str, Any] = PLAN
) -> tuple[int, list[dict[str, Any]]]:
    """The exit code, and what the daemon was asked."""
    requests: list[dict[str, Any]] = []

    async def answer(request: dict[str, Any]) -> dict[str, Any]:
        requests.append(request)
        watched = [r["step"] for r in requests].count("watch")
        return plan if request["step"] == "plan" else end if watched > 1 else RUNNING

    site = write(folder)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(LocalServer(folder / "control.sock", {"commission": answer}).run())
        while not (folder / "control.sock").exists():
            await asyncio.sleep(0.01)
        code = await asyncio.to_thread(main, ["commission", str(site), *words])
        task.cancel()
    return code, requests


async def test_it_says_what_it_will_do_and_shows_what_was_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, requests = await asked(tmp_path, "--yes", "--power", "500 W", "--device", "inverter")
    out = capsys.readouterr().out
    assert code == 0
    assert [r["step"] for r in requests] == ["plan", "begin", "watch", "watch"]
    assert all((r["power_w"], r["device"], r["patience_s"]) == (500, "inverter", -1) for r in requests)
    assert "inverter will be ordered to charge and to discharge with 500 W in turn, 16 to 24 times" in out
    assert "What must answer: bms (battery power), meter (grid power)." in out
    assert "Then it is left alone with 500 W in it, at most 95 s" in out
    assert "About 5 minutes." in out
    assert "commissioned" in out and "0x" + "ab" * 32 in out.replace("\n", "")
    assert "\x1b[2J" not in out, "what a device calls itself is never a control sequence"


@pytest.mark.parametrize("said", ["no\n", "", "y\n"])
async def test_without_a_yes_nothing_is_done(
    said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(said))
    code, requests = await asked(tmp_path)
    assert (code, [r["step"] for r in requests]) == (1, ["plan"])
    assert "nothing was done" in capsys.readouterr().err


async def test_a_yes_begins_it_and_a_failure_is_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Yes\n"))
    code, requests = await asked(
        tmp_path, "--without-timer", end=FAILED, plan=PLAN | {"patience_s": 0, "why": "asked"}
    )
    out = capsys.readouterr().out
    assert (code, requests[0]["patience_s"]) == (1, 0)
    assert "Its own fallback is not measured: asked." in out
    assert "NO CERTIFICATE" in out and "the house moved" in out


async def test_for_scripts_the_result_is_one_json_object(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, requests = await asked(tmp_path, "--yes", "--json", "--patience", "5 min")
    said = capsys.readouterr()
    assert (code, requests[0]["patience_s"]) == (0, 300)
    assert json.loads(said.out) == PASSED
    assert "in turn" in said.err


async def test_when_the_terminal_goes_the_test_ends() -> None:
    requests: list[str] = []
    watching = asyncio.Event()

    async def answer(request: dict[str, Any]) -> dict[str, Any]:
        requests.append(request["step"])
        return RUNNING

    async with asyncio.TaskGroup() as group:
        task = group.create_task(commission.watched(answer, lambda _: watching.set()))
        await watching.wait()
        task.cancel()
    assert requests == ["begin", "abort"]


def test_how_far_it_is_is_one_line_below_what_was_found() -> None:
    console = Console(file=io.StringIO(), width=80)
    console.print(commission.bar(RUNNING))
    lines = console.file.getvalue().splitlines()
    assert lines[0].startswith("found")
    assert lines[1].strip() == "▰▰▰▰▰▰▱▱▱▱▱▱▱▱▱▱▱▱▱▱▱▱▱▱ 4/16  inverter charges with 500 W"


@pytest.mark.parametrize(
    "words", [["--power", "0 W"], ["--patience", "soon"], ["--patience", "1 min", "--without-timer"]]
)
def test_mistakes_are_told_before_anything_is_asked(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["commission", "site.yaml", *words])
    assert left.value.code == 2
    assert "error" in capsys.readouterr().err
