"""The shape of the database: which tables there are, how they are made, brought up to date and recognised.

Each table module contributes its `TABLES`; this file turns them into STRICT tables without a null in
them. It refuses to guess: a file that is not ours, lacks a table or a column, or is newer than this
program is reported as such, and what to do with it is decided in files.py.

sqlite-utils does the migrations. It is imported only then: it costs 7 MB and a tenth of a second, which
a gateway that runs for months would carry for nothing.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gateway.errors import StoreError
from gateway.store import (
    certificates,
    commands,
    cursors,
    gaps,
    intents,
    meta,
    performance,
    records,
    samples,
    told,
)
from gateway.store.table import Table

if TYPE_CHECKING:
    from sqlite_utils import Database

APPLICATION_ID = 0x47534C31  # "GSL1" in the file's header: what `file` and we know it by

TABLES: tuple[Table, ...] = (
    *meta.TABLES,
    *samples.TABLES,
    *records.TABLES,
    *commands.TABLES,
    *cursors.TABLES,
    *gaps.TABLES,
    *intents.TABLES,
    *told.TABLES,
    *certificates.TABLES,
    *performance.TABLES,
)


def _second(db: "Database") -> None:
    for table in (*certificates.TABLES, *told.TABLES, *performance.TABLES):
        for statement in table.ddl():
            db.execute(statement)


# One function a version, in order; the first takes version 1 to 2. TABLES is always the newest shape.
STEPS: "tuple[Callable[[Database], None], ...]" = (_second,)
VERSION = 1 + len(STEPS)


class Damaged(Exception):
    """This database cannot be used as it is; the message says why. Caught where it is set aside."""


def create(conn: sqlite3.Connection) -> None:
    """Make every table in an empty database, as one transaction."""
    conn.execute("BEGIN IMMEDIATE")
    for table in TABLES:
        for statement in table.ddl():
            conn.execute(statement)
    conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    conn.execute(f"PRAGMA user_version = {VERSION}")
    conn.execute("COMMIT")


def check_version(conn: sqlite3.Connection) -> int:
    """The version found. Damaged when the file is not ours; StoreError when it is newer than we are."""
    (application,) = conn.execute("PRAGMA application_id").fetchone()
    (version,) = conn.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise Damaged("it is not a Gridseal database")
    if version > VERSION:
        raise StoreError(
            f"the database was written by a newer Gridseal (schema {version}, this program knows {VERSION}):"
            " install that version again, or give store.path another file"
        )
    return int(version)


def upgrade(
    conn: sqlite3.Connection, found: int, steps: "Sequence[Callable[[Database], None]]" = STEPS
) -> bool:
    """Bring an older database to the newest shape, in one transaction. True when something was done."""
    if found > len(steps):
        return False
    from sqlite_utils import Database

    db = Database(conn, recursive_triggers=False, execute_plugins=False)
    with db.atomic():
        for step in steps[found - 1 :]:
            step(db)
        conn.execute(f"PRAGMA user_version = {1 + len(steps)}")
    return True


def check_tables(conn: sqlite3.Connection) -> None:
    """Damaged when a table or a column is missing."""
    for table in TABLES:
        found = {row[1] for row in conn.execute(f"PRAGMA table_info({table.name})")}
        if not found:
            raise Damaged(f"its table {table.name} is missing")
        if missing := sorted(set(table.columns) - found):
            raise Damaged(f"its table {table.name} lacks {', '.join(missing)}")
