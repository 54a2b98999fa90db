"""The word of a hardware identity for each key of the site: one a key, kept for ever, for the export."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from gateway.store import meta

PREFIX = "endorsement "


@dataclass(frozen=True, slots=True)
class Kept:
    """A canonical body (gateway.evidence.endorsement), its digest, 64 bytes of P-256 signature."""

    body: str
    digest: bytes
    signature: bytes


def put(conn: sqlite3.Connection, key: str, made: Kept) -> None:
    said = {"body": made.body, "digest": made.digest.hex(), "signature": made.signature.hex()}
    meta.put(conn, PREFIX + key.lower(), json.dumps(said))


def of(conn: sqlite3.Connection, key: str) -> Kept | None:
    return _kept(said) if (said := meta.get(conn, PREFIX + key.lower())) else None


def every(conn: sqlite3.Connection) -> list[Kept]:
    query = "SELECT value FROM meta WHERE substr(name, 1, ?) = ? ORDER BY name"
    return [_kept(value) for (value,) in conn.execute(query, (len(PREFIX), PREFIX))]


def row(kept: Kept) -> dict[str, Any]:
    """A line of an export."""
    return {
        "type": "endorsement",
        "body": kept.body,
        "digest": f"0x{kept.digest.hex()}",
        "signature": f"0x{kept.signature.hex()}",
    }


def _kept(said: str) -> Kept:
    fields = json.loads(said)
    return Kept(fields["body"], bytes.fromhex(fields["digest"]), bytes.fromhex(fields["signature"]))
