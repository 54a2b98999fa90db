"""`gridseal prices`: a price list read strictly, planned, and ordered slot by slot."""

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main
from gateway.uplink.local import LocalServer
from tests.gateway.cli_bench import write

PRICES = """\
start,price
2026-11-27T00:00+01:00,100
2026-11-27T01:00+01:00,300
2026-11-27T02:00+01:00,300
2026-11-27T03:00+01:00,100
"""
AT = 1_795_734_000_000  # the first of them


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "prices.csv").write_text(PRICES)
    return write(tmp_path)


def planned(site: Path, capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    command = [
        "prices",
        str(site),
        str(site.parent / "prices.csv"),
        "--energy",
        "8 kWh",
        "--dry-run",
        "--json",
    ]
    assert main([*command, *words]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_cheap_energy_goes_in_before_dear_energy_goes_out(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    charge, discharge = planned(site, capsys)[:2]
    assert (charge["start_ms"], charge["end_ms"], charge["power_w"]) == (AT, AT + 3_600_000, -5000)
    assert discharge["start_ms"] == AT + 3_600_000
    assert 0 < discharge["power_w"] <= 4500  # 5 kWh less the losses


def test_what_does_not_pay_is_left(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert planned(site, capsys, "--wear", "500") == []
    assert (
        main(["prices", str(site), str(site.parent / "prices.csv"), "--energy", "8 kWh", "--wear", "500"])
        == 0
    )
    assert "nothing to do" in capsys.readouterr().out


def test_what_is_stored_may_be_used_first(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = planned(site, capsys, "--stored", "8 kWh")
    assert found[0]["power_w"] > 0
    assert found[-1]["power_w"] < 0


async def test_each_slot_is_an_order_of_the_schedule(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[dict[str, Any]] = []

    async def submit(request: dict[str, Any]) -> dict[str, Any]:
        asked.append(request)
        return {"admitted": len(asked) == 1, "reason": "", "id": request["id"], "message": f"no {len(asked)}"}

    server = LocalServer(site.parent / "control.sock", {"submit": submit})
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.run())
        while not (site.parent / "control.sock").exists():
            await asyncio.sleep(0.01)
        words = ["prices", str(site), str(site.parent / "prices.csv"), "--energy", "8 kWh"]
        code = await asyncio.to_thread(main, words)
        task.cancel()
    assert code == 1  # one of them was refused
    assert [r["begin_ms"] for r in asked[:2]] == [AT, AT + 3_600_000]
    assert all(r["source"] == "schedule" and r["kind"] == "fixed-power" for r in asked)
    out = capsys.readouterr().out
    assert "no 1" in out and "charge 5000 W" in out and "discharge" in out
    begins = datetime.fromtimestamp(AT / 1000).astimezone()
    assert f"{begins:%Y-%m-%d %H:%M} to " in out and f" {begins:%Z}  charge" in out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("start,price\n", "two rows at the least"),
        ("start,price\n2026-11-27T00:00+01:00,1\n", "two rows at the least"),
        ("begin,price\n2026-11-27T00:00+01:00,1\n", "row 2: write start as"),
        ("start,price\n2026-11-27T00:00,1\n", "row 2: 2026-11-27T00:00 has no time zone"),
        (PRICES.replace(",300", ",3.5", 1), "row 3: write start as"),
        (PRICES.replace("T03", "T02"), "one after the other"),
        ("start,price\n" + "2026-11-27T00:00+01:00,1\n" * 201, "at most 200 prices"),
        ("\0", "two rows at the least"),
    ],
)
def test_a_list_that_cannot_be_meant_is_told(
    site: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (site.parent / "prices.csv").write_text(text)
    assert main(["prices", str(site), str(site.parent / "prices.csv"), "--energy", "1 kWh"]) == 1
    message = capsys.readouterr().err
    assert said in message and message.count("\n") == 1


def test_a_list_that_is_not_there_is_told(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", str(site), str(site.parent / "none.csv"), "--energy", "1 kWh"]) == 1
    assert "cannot be read" in capsys.readouterr().err
