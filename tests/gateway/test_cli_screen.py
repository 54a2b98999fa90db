"""A reader that has seen enough (`| head`) is no error, whoever draws: Rich would make it exit code 1."""

import os
import subprocess
import sys

import pytest

from tests.gateway.cli_bench import write
from tests.processes import environment


@pytest.mark.parametrize(
    "words", [["check", "site.yaml"], ["keys", "--help"], ["check", os.fsdecode(b"\xff.yaml")]]
)
def test_a_terminal_that_knows_few_characters_gets_no_traceback(tmp_path, words):
    write(tmp_path)
    told = {**environment(), "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "gateway.cli", *words]
    done = subprocess.run(command, check=False, env=told, timeout=30, capture_output=True, cwd=tmp_path)
    assert b"Traceback" not in done.stderr and (done.stdout + done.stderr).isascii()
    assert done.returncode == (b".yaml: cannot be read" in done.stderr)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_reader_that_has_left_is_no_error(tmp_path, options):
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-m", "gateway.cli", "check", *options, str(write(tmp_path))]
    with os.fdopen(writer, "wb") as out:
        done = subprocess.run(
            words, check=False, env=environment(), timeout=30, stdout=out, stderr=subprocess.PIPE
        )
    assert (done.returncode, done.stderr) == (0, b"")
