"""Outside tools that tests talk to. A missing one skips the test by name; CI turns that into a failure."""

import os
import shutil
from typing import NoReturn

import pytest


def need(tool: str) -> str:
    """The path of an installed program, or skip. In CI (GRIDSEAL_NO_SKIP=1) a missing tool fails."""
    for folder in (None, "/usr/sbin:/usr/local/sbin:hardware-in-loop/contracts/node_modules/.bin"):
        if found := shutil.which(tool, path=folder):
            return found
    missing(tool)


def missing(tool: str) -> NoReturn:
    if os.environ.get("GRIDSEAL_NO_SKIP"):
        pytest.fail(f"{tool} is missing: .ci/run must install it")
    pytest.skip(f"needs {tool}")
