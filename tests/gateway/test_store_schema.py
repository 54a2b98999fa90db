"""The schema: every table strict and without nulls; migrations in one transaction or not at all."""

import sqlite3

import pytest

from gateway.errors import StoreError
from gateway.store import schema
from gateway.store.schema import Damaged
from tests.gateway.stores import bare, memory


def test_tables_are_strict_and_refuse_null() -> None:
    conn = memory()
    schema.check_tables(conn)
    assert schema.check_version(conn) == schema.VERSION
    for name, strict in conn.execute(
        "SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%'"
    ):
        assert strict, name
    with pytest.raises(sqlite3.IntegrityError, match="cannot store TEXT"):
        conn.execute("INSERT INTO budget VALUES ('bms', 'monday', 1)")
    with pytest.raises(sqlite3.IntegrityError, match="NOT NULL"):
        conn.execute("INSERT INTO budget VALUES ('bms', NULL, 1)")


def test_no_two_modules_claim_a_table() -> None:
    names = [table.name for table in schema.TABLES]
    assert len(names) == len(set(names))


def test_older_databases_are_migrated_by_sqlite_utils() -> None:
    conn = memory()
    conn.execute("INSERT INTO budget VALUES ('bms', 7, 3)")
    steps = (lambda db: db["budget"].transform(rename={"writes": "count"}),)
    assert schema.upgrade(conn, 1, steps)
    assert conn.execute("SELECT device, day, count FROM budget").fetchall() == [("bms", 7, 3)]
    assert conn.execute("PRAGMA user_version").fetchone() == (2,)
    assert not schema.upgrade(conn, 2, steps)
    assert not schema.upgrade(conn, schema.VERSION)


def test_a_database_of_the_first_version_is_brought_to_this_one() -> None:
    conn = memory()
    for table in ("told", "certificate", "performance"):
        conn.execute(f"DROP TABLE IF EXISTS {table}")
    conn.execute("PRAGMA user_version = 1")
    assert schema.upgrade(conn, 1)
    schema.check_tables(conn)
    assert schema.check_version(conn) == schema.VERSION


def test_a_migration_that_fails_changes_nothing() -> None:
    conn = memory()
    steps = (lambda db: db["budget"].drop(), lambda db: db["no_such"].drop())
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        schema.upgrade(conn, 1, steps)
    schema.check_tables(conn)
    assert schema.check_version(conn) == schema.VERSION


def test_foreign_and_newer_databases_are_told_apart() -> None:
    conn = bare()
    with pytest.raises(Damaged, match="not a Gridseal database"):
        schema.check_version(conn)
    conn.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    conn.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    with pytest.raises(StoreError, match="newer"):
        schema.check_version(conn)
