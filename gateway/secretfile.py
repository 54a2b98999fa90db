"""Writes a file that holds a secret: new, of mode 0600, durable, and there whole or not at all. It refuses to
overwrite anything."""

import os
from contextlib import suppress
from pathlib import Path

from gateway.errors import ConfigError


def write_new(path: Path, content: bytes) -> None:
    """Write a file that did not exist, readable by its owner alone, and make it durable. Root makes it for
    the folder's owner: the daemon runs as another, and could not read its own key."""
    draft, made = path.with_name(f".{path.name}.new"), False
    try:
        draft.unlink(missing_ok=True)  # of a stop halfway
        _write(draft, content)
        os.link(draft, path)  # unlike a rename it never replaces
        made = True
        draft.unlink()
        _sync(path.parent)
    except FileExistsError:
        _away(draft)
        raise ConfigError(f"{path}: exists already; it is not overwritten")
    except OSError as error:
        if made:
            _away(path)
        raise ConfigError(f"{path}: cannot be written: {error.strerror}")


def _away(path: Path) -> None:
    """As far as the disk still lets us: one that turned read-only is told of by what failed before."""
    with suppress(OSError):
        path.unlink()


def _sync(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(handle, owner.st_uid, owner.st_gid)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
