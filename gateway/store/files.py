"""The database as files: opened, made, recognised, set aside. Nothing of ours is ever deleted.

A new database is made beside its name and renamed into place, synced with its directory, so a file that
stands at the path was complete once. One that cannot be used is renamed with its write-ahead log, the log
first: a log left beside a new database would be replayed into it.
"""

import contextlib
import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import StoreError
from gateway.store import faults, meta, records, schema
from gateway.store.schema import Damaged

BUSY_MS = 5000  # another program (an export, sqlite3 by hand) may hold the file this long
CACHE_KIB = 1024  # hot pages are few: the newest leaves and the upper index pages
PAGE_BYTES = 1024  # a commit of some samples dirties a few; measured: a third less written than with 4096
CHECKPOINT_PAGES = 4000  # 4 MB of log: the same few pages are written to the database once, not each second
WAL_BYTES_MAX = 8 * 2**20  # what a checkpoint leaves of the log
ASIDE_MAX = 1000
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_UNWRITABLE = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY})
_HEADER = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class OpenReport:
    """How the database was found. `set_aside` names the file put away and `reason` why."""

    boot: int
    created: bool
    migrated: bool = False
    set_aside: Path | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What `find` had to do to arrive at a usable connection. `last_known`: the last sequence that could
    still be read from the database put away, 0 for none."""

    created: bool = False
    migrated: bool = False
    set_aside: Path | None = None
    reason: str = ""
    last_known: int = 0


def lock(path: Path) -> int:
    """Hold the database for this process; returns the descriptor to close. StoreError when it is taken."""
    if not path.parent.is_dir():
        raise StoreError(f"{path.parent} is not a directory: create it, or change store.path")
    try:
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if faults.of_disk(error):
            raise StoreError(faults.explain(path, error)) from error
        raise StoreError(
            f"{path}.lock cannot be made: {error.strerror}; give {path.parent} to the user that gridseal runs"
            " as, or change store.path"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StoreError(f"{path} is in use by another gridseal: stop that one first") from None
    return descriptor


def find(path: Path) -> tuple[sqlite3.Connection, Found]:
    """Open the database at `path`, or set it aside and begin a new one. Errors: StoreError, sqlite3.Error,
    OSError; these mean the disk or the installation, and leave the file where it is.
    """
    aside, reason = None, ""
    if path.exists():
        try:
            conn, migrated = _open_checked(path)
            if meta.get(conn, "id"):
                return conn, Found(migrated=migrated)
            return conn, _begun(path, None, "")  # made by a start that was cut before its first commit
        except Damaged as damage:
            reason, aside = str(damage), set_aside(path)
    elif Path(f"{path}-wal").exists():
        reason, aside = "its log was there without it", set_aside(path)
    _make(path)
    conn, _ = _open_checked(path)
    return conn, _begun(path, aside, reason)


def _begun(path: Path, aside: Path | None, reason: str) -> Found:
    """A new database. One that was put away is told of with it, also by the start after one that was cut
    between the two."""
    if aside is None and (aside := _newest_aside(path)):
        reason = "a start that put it away was cut short"
    return Found(True, False, aside, reason, _last_known(aside) if aside else 0)


def _connect(path: Path) -> sqlite3.Connection:
    conn = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    try:
        conn.execute("PRAGMA trusted_schema = OFF")
        conn.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    except sqlite3.Error:  # the file is no database: the first statement is what looks into it
        conn.close()
        raise
    return conn


def make_durable(conn: sqlite3.Connection) -> None:
    """WAL and full sync, each asserted: a switch that fails raises nothing and returns the old mode."""
    _assert_pragma(conn, "journal_mode", "WAL", "wal")
    conn.execute("PRAGMA synchronous = FULL")
    _assert_pragma(conn, "synchronous", "", 2)
    conn.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    conn.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_MAX}")


def _assert_pragma(conn: sqlite3.Connection, name: str, wanted: str, expected: str | int) -> None:
    (found,) = conn.execute(f"PRAGMA {name} = {wanted}" if wanted else f"PRAGMA {name}").fetchone()
    if found != expected:
        raise StoreError(
            f"the disk under the database refuses {name} {expected} (it gives {found}):"
            " a commit would not be durable; put store.path on a local file system"
        )


def is_database(path: Path) -> bool:
    """Whether `path` is one by its content, or was one by its name."""
    if path.suffix == ".db" or ".aside-" in path.name:
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(_HEADER)) == _HEADER
    except OSError:
        return False


def connect_readonly(path: Path) -> sqlite3.Connection:
    """For exports, while a daemon may run. StoreError when there is no database, or it is not ours."""
    if not path.is_file():
        raise StoreError(f"{path}: there is no database here")
    with contextlib.ExitStack() as on_error:
        try:
            conn = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_MS / 1000, isolation_level=None
            )
            on_error.callback(conn.close)
            if schema.check_version(conn) < schema.VERSION:
                raise StoreError(
                    f"{path} is of an older Gridseal: start this one once, it brings it up to date"
                )
            schema.check_tables(conn)
        except (sqlite3.Error, Damaged) as error:
            raise StoreError(f"{path} cannot be read: {error}{_way_out(error)}") from error
        on_error.pop_all()
        return conn


def _way_out(error: Exception) -> str:
    """Even a reader of the log needs an index file beside it, which SQLite makes."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _UNWRITABLE:
        return ""
    return "; copy it, with its -wal if there is one, to a folder where you may write, and read it there"


def _open_checked(path: Path) -> tuple[sqlite3.Connection, bool]:
    """Open and verify. Damaged when the file must be set aside."""
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    _renew_log(path)
    conn = None
    try:
        conn = _connect(path)
        version = schema.check_version(conn)  # before anything is written: the file may be somebody else's
        make_durable(conn)
        migrated = schema.upgrade(conn, version)
        schema.check_tables(conn)
        _check_content(conn)
    except BaseException as error:
        if conn is not None:
            conn.close()
        if isinstance(error, sqlite3.Error) and is_damage(error):
            raise Damaged(f"it is damaged: {error}") from error
        raise
    return conn, migrated


def _renew_log(path: Path) -> None:
    """Write the log that a stop out of order left anew. After a sync that failed the kernel calls pages clean
    which it never wrote: the last process saw them, this one sees them too, and what is built on them is gone
    with the power. Beside and renamed, because a sector that is written may be lost.
    """
    log, draft = Path(f"{path}-wal"), Path(f"{path}-wal.new")
    draft.unlink(missing_ok=True)
    if not log.exists() or not log.stat().st_size:
        return
    with log.open("rb") as old, draft.open("xb") as file:
        os.fchmod(file.fileno(), 0o600)
        shutil.copyfileobj(old, file)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(log)
    sync_directory(path.parent)


def _check_content(conn: sqlite3.Connection) -> None:
    """The chain always; the pages all when the last stop was not in order, else all but the samples'.

    Reading 2 GiB of samples from a card takes half a minute, which an update need not wait for: a damaged
    page among them ends the daemon when it is met, and that is a stop out of order.
    """
    tables = [t.name for t in schema.TABLES if t.name != "sample"]
    checks = tables if meta.was_closed(conn) else [""]
    for name in checks:
        (verdict,) = conn.execute(f"PRAGMA quick_check({name or 1})").fetchone()
        if verdict != "ok":
            raise Damaged(f"it is damaged: {str(verdict).splitlines()[-1]}")
    if wrong := records.verify_chain(conn):
        raise Damaged(f"its chain of records is broken: {wrong}")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error means that the file's content is wrong (rather than the disk, a lock, our query)."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE


def _last_known(path: Path) -> int:
    """The sequence of the newest record that a database put away still gives; 0 when it gives none."""
    try:
        conn = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error:
        return 0
    try:
        (sequence,) = conn.execute("SELECT coalesce(max(sequence), 0) FROM record").fetchone()
    except sqlite3.Error:
        return 0  # unreadable is what it was put away for
    finally:
        conn.close()
    return int(sequence)


def _asides(path: Path) -> Iterator[Path]:
    """Every name that a database put away may have, the oldest first."""
    return (path.with_name(f"{path.name}.aside-{n}") for n in range(1, ASIDE_MAX))


def _newest_aside(path: Path) -> Path | None:
    return max(
        (p for p in _asides(path) if p.exists()), key=lambda p: int(p.name.rpartition("-")[2]), default=None
    )


def set_aside(path: Path) -> Path:
    """Rename the database and its log to the first free `<name>.aside-<n>`; returns the new path."""
    target = next((p for p in _asides(path) if not p.exists() and not Path(f"{p}-wal").exists()), None)
    if target is None:
        raise StoreError(
            f"{path} cannot be used, and {ASIDE_MAX} databases are set aside already: look there"
        )
    for suffix in ("-wal", "-shm", "-journal", ""):
        part = Path(f"{path}{suffix}")
        if part.exists():
            part.rename(f"{target}{suffix}")
    sync_directory(path.parent)
    return target


def _make(path: Path) -> None:
    """Create the database under a name of its own, sync it, and put it in its place."""
    draft = path.with_name(f"{path.name}.new")
    for leftover in (draft, Path(f"{draft}-journal")):  # of a stop during creation: never held anything
        leftover.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    conn = sqlite3.connect(draft, isolation_level=None)
    try:
        conn.execute("PRAGMA synchronous = EXTRA")
        conn.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        schema.create(conn)
    finally:
        conn.close()
    draft.rename(path)
    sync_directory(path.parent)


def sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
