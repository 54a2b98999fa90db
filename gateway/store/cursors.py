"""Named positions that must survive a restart: how far MQTT, the inbox and the like have come."""

import sqlite3

from gateway.store.table import Table

TABLES = (Table("cursor", {"name": str, "number": int, "text": str}, ("name",)),)


def get(conn: sqlite3.Connection, name: str, default: int = 0) -> int:
    row = conn.execute("SELECT number FROM cursor WHERE name = ?", (name,)).fetchone()
    return int(row[0]) if row else default


def put(conn: sqlite3.Connection, name: str, number: int, text: str = "") -> None:
    """Set both parts: the number, and a text beside it (a block hash, say)."""
    conn.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?)", (name, number, text))


def get_text(conn: sqlite3.Connection, name: str, default: str = "") -> str:
    row = conn.execute("SELECT text FROM cursor WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else default
