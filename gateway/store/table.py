"""How a table module describes its tables. Pure text; it opens nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_TYPES: Mapping[type, str] = {int: "INTEGER", str: "TEXT", bytes: "BLOB"}


@dataclass(frozen=True, slots=True)
class Table:
    """One table: columns in order (int, str or bytes, never null), primary key, indexes (columns each).

    A single integer key is the rowid. A partial index is written with its condition:
    ("state WHERE state <> 'confirmed'",).
    """

    name: str
    columns: Mapping[str, type]
    key: tuple[str, ...]
    indexes: tuple[str, ...] = ()

    def ddl(self) -> Iterator[str]:
        """The statements that make it. Names are identifiers of this package, so nothing is quoted."""
        columns = ", ".join(f"{name} {_TYPES[kind]} NOT NULL" for name, kind in self.columns.items())
        yield f"CREATE TABLE {self.name} ({columns}, PRIMARY KEY ({', '.join(self.key)})) STRICT"
        for number, index in enumerate(self.indexes):
            columns, _, condition = index.partition(" WHERE ")
            where = f" WHERE {condition}" if condition else ""
            yield f"CREATE INDEX {self.name}_{number} ON {self.name} ({columns}){where}"
