"""Commissioning certificates: the newest of each commanded device is what control believes.

Older ones are kept for an export, a bounded number of them. What they say is gateway.evidence.certificate's.
"""

import sqlite3
from dataclasses import dataclass
from typing import Any

from gateway.store.table import Table

TABLES = (
    Table(
        "certificate", {"id": int, "device": str, "body": str, "digest": bytes, "signature": bytes}, ("id",)
    ),
)
KEPT = 100  # of all devices: a site is commissioned when something at it was changed
_COLUMNS = "device, body, digest, signature"


@dataclass(frozen=True, slots=True)
class Certificate:
    """Of the commanded `device`: a canonical body, its EIP-712 digest, 65 bytes of signature over it."""

    device: str
    body: str
    digest: bytes
    signature: bytes


def add(conn: sqlite3.Connection, made: Certificate) -> None:
    conn.execute(
        f"INSERT INTO certificate ({_COLUMNS}) VALUES (?, ?, ?, ?)",
        (made.device, made.body, made.digest, made.signature),
    )
    conn.execute(
        "DELETE FROM certificate WHERE id NOT IN (SELECT max(id) FROM certificate GROUP BY device)"
        " AND id NOT IN (SELECT id FROM certificate ORDER BY id DESC LIMIT ?)",
        (KEPT,),
    )


def newest(conn: sqlite3.Connection) -> list[Certificate]:
    """The one in force of each device."""
    query = (
        f"SELECT {_COLUMNS} FROM certificate WHERE id IN (SELECT max(id) FROM certificate GROUP BY device)"
    )
    return [Certificate(*row) for row in conn.execute(query)]


def every(conn: sqlite3.Connection) -> list[Certificate]:
    """All that are kept, oldest first."""
    return [Certificate(*row) for row in conn.execute(f"SELECT {_COLUMNS} FROM certificate ORDER BY id")]


def row(kept: Certificate) -> dict[str, Any]:
    """A line of an export."""
    return {
        "type": "certificate",
        "device": kept.device,
        "body": kept.body,
        "digest": f"0x{kept.digest.hex()}",
        "signature": f"0x{kept.signature.hex()}",
    }
