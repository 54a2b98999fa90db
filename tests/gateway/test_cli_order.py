"""`gridseal order`: every service in words, sent over the local socket; mistakes told before that."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main
from gateway.uplink.local import LocalServer
from tests.gateway.cli_bench import write


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write(tmp_path)


async def ordered(site: Path, *words: str, admitted: bool = True) -> tuple[int, dict[str, Any]]:
    """The exit code of `gridseal order`, and what the daemon was asked."""
    asked: dict[str, Any] = {}

    async def submit(request: dict[str, Any]) -> dict[str, Any]:
        asked.update(request)
        return {"admitted": admitted, "reason": "", "id": request["id"], "message": "so be it"}

    server = LocalServer(site.parent / "control.sock", {"submit": submit})
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.run())
        while not (site.parent / "control.sock").exists():
            await asyncio.sleep(0.01)
        code = await asyncio.to_thread(main, ["order", str(site), *words])
        task.cancel()
    return code, asked


async def test_an_order_is_sent_in_canonical_units(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, asked = await ordered(
        site, "frequency", "power=5 kW", "--preset", "fcr", "soc_target=50 %", "--for", "4 h",
        "soc_power=500 W", "--in", "10 min", "--share",
    )  # fmt: skip
    assert (code, capsys.readouterr().out) == (0, "so be it\n")
    assert (asked["kind"], asked["duration_ms"], asked["delay_ms"]) == ("frequency", 14_400_000, 600_000)
    assert asked["shared"] is True
    assert (asked["parameters"]["power_w"], asked["parameters"]["full_mhz"]) == (5000, 200)
    assert asked["parameters"]["soc_target_bp"] == 5000


async def test_a_refusal_is_exit_code_1_and_json_if_wished(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _ = await ordered(site, "reserve", "soc=40 %", "--for", "1 h", "--json", admitted=False)
    assert code == 1
    assert json.loads(capsys.readouterr().out)["message"] == "so be it"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["reserve", "--for", "1 h"], "reserve needs soc"),
        (["reserve", "soc", "--for", "1 h"], "parameters are WORD=VALUE"),
        (["reserve", "soc=40", "--for", "1 h"], "has no unit"),
        (["reserve", "soc=40 %"], "--for"),
        (["reserve", "soc=40 %", "--for", "1 h", "more"], "unrecognized arguments: more"),
        (["reserve", "soc=40 %", "--for", "1 h", "--force=1"], "unrecognized arguments: --force=1"),
        (["telepathy", "--for", "1 h"], "invalid choice"),
        (["reserve", "soc=40 %", "--preset", "fcr", "--for", "1 h"], "has no presets"),
        (["frequency", "--preset", "best", "--for", "1 h"], "invalid choice"),
    ],
)
def test_a_mistake_is_told_before_anything_is_sent(
    site: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["order", str(site), *words])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
