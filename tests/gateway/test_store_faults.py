"""A disk that fails, in words: which fault it is and what to do, whoever of system and SQLite tells of it."""

import errno
import os
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import StoreError
from gateway.store import cursors, files
from gateway.store.faults import explain, is_read_only
from tests.gateway.stores import opened

PATH = Path("/var/lib/gridseal/store.db")
WORDS = {
    errno.ENOSPC: "is full: free some space, or lower store.size",
    errno.EDQUOT: "is full: free some space, or lower store.size",
    errno.EROFS: "became read-only, as after an error",
    errno.EIO: "replace the card; until then nothing is acknowledged",
}


def of_sqlite(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize("number", sorted(WORDS))
def test_what_the_system_says(number: int) -> None:
    said = explain(PATH, OSError(number, os.strerror(number)))
    assert WORDS[number] in said and str(PATH) in said


@pytest.mark.parametrize(
    ("code", "number"),
    [
        (sqlite3.SQLITE_FULL, errno.ENOSPC),
        (sqlite3.SQLITE_READONLY_DBMOVED, errno.EROFS),
        (sqlite3.SQLITE_IOERR_FSYNC, errno.EIO),
        (sqlite3.SQLITE_IOERR_WRITE, errno.EIO),
    ],
)
def test_what_sqlite_says(code: int, number: int) -> None:
    assert WORDS[number] in explain(PATH, of_sqlite(code))


def test_a_file_system_that_turned_read_only_is_told_from_a_disk_that_fails() -> None:
    """SQLite says the same of both."""
    error = of_sqlite(sqlite3.SQLITE_IOERR_WRITE)
    assert WORDS[errno.EROFS] in explain(PATH, error, lambda folder: folder == PATH.parent)
    assert WORDS[errno.EIO] in explain(PATH, error, lambda folder: False)
    assert WORDS[errno.ENOSPC] in explain(PATH, of_sqlite(sqlite3.SQLITE_FULL), lambda folder: True)


def test_whether_a_file_system_takes_writes_is_asked_of_the_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_read_only(tmp_path)
    assert not is_read_only(tmp_path / "none")
    flags = os.ST_RDONLY | os.ST_NOATIME
    monkeypatch.setattr(os, "statvfs", lambda folder: SimpleNamespace(f_flag=flags))
    assert is_read_only(tmp_path)


def test_damage_that_is_met_while_it_runs() -> None:
    said = explain(PATH, of_sqlite(sqlite3.SQLITE_CORRUPT_INDEX))
    assert "is damaged (disk I/O error): the next start puts it away" in said


@given(st.integers(0, 2**31 - 1), st.integers(0, 200))
def test_any_error_is_one_line_that_names_the_file(code: int, number: int) -> None:
    for error in (of_sqlite(code), OSError(number, "said"), OSError("said"), sqlite3.Error("said")):
        said = explain(PATH, error)
        assert str(PATH) in said and "\n" not in said and "{" not in said


async def test_the_store_says_it(tmp_path: Path) -> None:
    """Every later call hears the same."""

    def broken(conn: sqlite3.Connection) -> None:
        raise of_sqlite(sqlite3.SQLITE_IOERR_FSYNC)

    async with opened(tmp_path / "g.db") as (store, _):
        for fn in (broken, lambda conn: cursors.put(conn, "a", 1)):
            with pytest.raises(StoreError, match=r"g\.db fails \(disk I/O error\): look at the kernel's log"):
                await store.call(fn)


def test_a_disk_that_is_read_only_at_the_start_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(files.os, "open", refuse)
    with pytest.raises(StoreError, match=r"Read-only file system.*became read-only"):
        files.lock(tmp_path / "g.db")
