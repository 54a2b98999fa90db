"""What a disk that fails means, in a line for whoever has to see to it. It decides nothing.

An error of SQLite carries its code, one of the system its number; which of them comes depends on the call
that happened to fail. SQLite has one code for all a disk does, so the file system is asked whether it became
read-only. What none of them tells is said as it came.
"""

import errno
import os
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

_FULL = "the disk under {path} is full: free some space, or lower store.size"
_READ_ONLY = (
    "the disk under {path} takes no writes any more ({error}): its file system became read-only, as after an"
    " error; look at the kernel's log, check it, and replace a card that is worn out"
)
_FAILS = (
    "the disk under {path} fails ({error}): look at the kernel's log, and replace the card; until then"
    " nothing is acknowledged"
)
_DAMAGED = "the database {path} is damaged ({error}): the next start puts it away and begins a new one"
_OTHER = "the database {path} failed: {error}"

_BY_ERRNO: Mapping[int, str] = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EROFS: _READ_ONLY,
    errno.EIO: _FAILS,
}
_BY_CODE: Mapping[int, str] = {  # SQLite's, without what it adds to them
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_IOERR: _FAILS,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}


def of_disk(error: OSError) -> bool:
    """Whether the disk is to blame, and not where it was looked for or by whom."""
    return error.errno in _BY_ERRNO


def is_read_only(folder: Path) -> bool:
    """Whether its file system takes no writes; the kernel turns one so when it finds it broken."""
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def explain(path: Path, error: Exception, read_only: Callable[[Path], bool] = is_read_only) -> str:
    """One line about an error of the database at `path` or of the disk under it."""
    if isinstance(error, OSError):
        return _BY_ERRNO.get(error.errno or 0, _OTHER).format(path=path, error=error.strerror or error)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    said = _BY_CODE.get(code, _OTHER)
    if code == sqlite3.SQLITE_IOERR and read_only(path.parent):
        said = _READ_ONLY
    return said.format(path=path, error=error)
