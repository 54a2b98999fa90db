"""Writes a file that holds a secret: new, of mode 0600, durable. It refuses to overwrite anything."""

import os
from pathlib import Path

from gateway.errors import ConfigError


def write_new(path: Path, content: bytes) -> None:
    """Write a file that did not exist, readable by its owner alone, and make it durable. Root makes it for
    the folder's owner: the daemon runs as another, and could not read its own key."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigError(f"{path}: exists already; it is not overwritten")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}")
    with os.fdopen(handle, "wb") as file:
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(handle, owner.st_uid, owner.st_gid)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
