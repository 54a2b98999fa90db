"""The statements that a table description turns into."""

from gateway.store.table import Table


def test_ddl_names_types_key_and_indexes() -> None:
    table = Table("t", {"a": int, "b": str, "c": bytes}, ("a", "b"), ("c", "b WHERE a = 0"))
    assert list(table.ddl()) == [
        "CREATE TABLE t (a INTEGER NOT NULL, b TEXT NOT NULL, c BLOB NOT NULL, PRIMARY KEY (a, b)) STRICT",
        "CREATE INDEX t_0 ON t (c)",
        "CREATE INDEX t_1 ON t (b) WHERE a = 0",
    ]
