"""The token that opens changes over HTTP: made on the device, 32 random bytes, readable by its owner alone.

There is no default and nothing prints it but `gridseal token`. It refuses a file that others may read.
"""

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

from gateway.errors import ConfigError
from gateway.secretfile import write_new

TOKEN_BYTES = 32
_FORM = re.compile(r"[0-9a-f]{64}")


def load_or_make(path: Path, entropy: Callable[[int], bytes] = os.urandom) -> str:
    """The device's token; made when there is none yet. ConfigError when the file cannot be used."""
    return load(path) if path.exists() else make(path, entropy)


def make(path: Path, entropy: Callable[[int], bytes] = os.urandom) -> str:
    token = entropy(TOKEN_BYTES).hex()
    write_new(path, token.encode() + b"\n")
    return token


def load(path: Path) -> str:
    """ConfigError says what is wrong with the file, never what is in it."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(2 * TOKEN_BYTES + 2)
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the token: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"{path}: others may read the token: chmod 600 {path}, or make a new one")
    text = raw.decode("ascii", "replace").strip()
    if not _FORM.fullmatch(text):
        raise ConfigError(f"{path}: is no token: delete it and make one with `gridseal token`")
    return text
