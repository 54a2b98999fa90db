"""`python -m rig`: one ready line, control on standard input, a clean end on SIGTERM, SIGINT and "stop"."""

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from rig.__main__ import parse

FOLDER = Path(__file__).parents[2] / "hardware-in-loop"


@asynccontextmanager
async def process(*arguments, stdin=asyncio.subprocess.PIPE):
    environment = {**os.environ, "PYTHONPATH": str(FOLDER), "PYTHONWARNINGS": "error"}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rig", *arguments),
        env=environment,
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(30):
            yield child, json.loads(await child.stdout.readline())
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


async def test_it_is_driven_on_standard_input(tmp_path):
    arguments = (
        "--device",
        "sma_sunny_island",
        "--tcp",
        "0",
        "--pty",
        "--slcan",
        "--seed",
        "7",
        "--soc",
        "80",
    )
    async with process(*arguments, "--control", str(tmp_path / "s")) as (child, ready):
        assert ready["ready"] and ready["units"] == [3] and ready["tcp"] > 0
        assert Path(ready["pty"]).exists() and Path(ready["slcan"]).exists()
        child.stdin.write(b'{"do":"state"}\n{"do":"stop"}\n')
        answers = [json.loads(await child.stdout.readline()) for _ in range(2)]
        assert answers[0]["battery_soc_bp"] == 8_000 and answers[1] == {"ok": True}
        assert await child.wait() == 0
        assert await child.stderr.read() == b""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signals_end_it_cleanly_and_a_closed_stdin_does_not(number):
    async with process(stdin=asyncio.subprocess.DEVNULL) as (child, ready):
        reader, writer = await asyncio.open_connection("127.0.0.1", ready["tcp"])
        child.send_signal(number)
        assert await child.wait() == 0
        assert await child.stderr.read() == b""
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()


@pytest.mark.parametrize("wrong", [["--soc", "101"], ["--speed", "0"], ["--device", "tesla"], ["--tcp", "x"]])
def test_bad_options_are_usage_errors(wrong, capsys):
    with pytest.raises(SystemExit) as end:
        parse(wrong)
    assert end.value.code == 2 and "error:" in capsys.readouterr().err


def test_without_wires_named_it_listens_on_tcp():
    assert parse([]).tcp == 0 and parse(["--pty"]).tcp is None and parse(["--tcp", "5", "--pty"]).tcp == 5
