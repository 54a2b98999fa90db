"""The independent Modbus server: Debian's libmodbus in a small C program, built when it is needed.

It owns nothing but the build. It refuses to stand in for a missing compiler or library: `Missing` names
what to install, and the caller skips.
"""

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("libmodbus_peer.c")


class Missing(Exception):
    """A tool or library that is not on this machine; the message is its name."""


def build(folder: Path) -> Path:
    """Compile it into `folder`; returns the program. Its arguments are in the C file's head."""
    gcc, config = _find("gcc"), _find("pkg-config")
    found = subprocess.run(
        [config, "--cflags", "--libs", "libmodbus"], capture_output=True, text=True, check=False
    )
    if found.returncode:
        raise Missing("libmodbus-dev")
    program = folder / "libmodbus_peer"
    subprocess.run([gcc, "-O2", "-Wall", str(SOURCE), "-o", str(program), *found.stdout.split()], check=True)
    return program


def _find(tool: str) -> str:
    if (path := shutil.which(tool)) is None:
        raise Missing(tool)
    return path
