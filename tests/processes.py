"""Real processes for tests: the rig, the daemon. Started on free ports, ended by their own pid."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
END_S = 30


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'hardware-in-loop'}"}


@contextlib.contextmanager
def process(*command: str, folder: Path, log: str) -> Iterator[subprocess.Popen[str]]:
    """A Python child (`python *command`) whose standard error goes to `folder/log`."""
    with (folder / log).open("ab") as errors:
        child = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=folder,
            env=environment(),
        )
    try:
        yield child
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
        try:
            child.communicate(timeout=END_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            raise


@contextlib.contextmanager
def rig(folder: Path, *options: str) -> Iterator[dict[str, Any]]:
    """`python -m rig` until the block ends; its ready line (ports, ptys, control socket)."""
    control = ("--control", str(folder / "rig.sock"))
    with process("-m", "rig", *control, *options, folder=folder, log="rig.log") as child:
        assert child.stdout
        line = child.stdout.readline()
        assert line, (folder / "rig.log").read_text()
        yield json.loads(line)


def gridseal(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`gridseal *words`, as its user would run it."""
    return subprocess.run(
        [sys.executable, "-m", "gateway.cli", *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        env={**environment(), "COLUMNS": "110"},
    )
