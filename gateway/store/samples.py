"""Samples as rows: one row for what one device said at one moment, its values packed.

A row names its point set (the device and its points, stored once) and holds the values as 32-bit
integers where all of them fit, else 64-bit, then one quality byte each unless all are GOOD. So 100 points
cost 400 bytes and one insert. It refuses samples whose parts differ in length; it never edits a value:
only the date of samples taken before the clock was trusted is changed, by `backdate`, and marked so.
"""

import json
import sqlite3
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.errors import StoreError
from gateway.model import ClockTrust, Point, Points, Sample, Stamp
from gateway.store.table import Table

TABLES = (
    Table("point_set", {"id": int, "device": str, "points": str}, ("id",)),
    Table(
        "sample",
        {
            "seq": int,
            "set_id": int,
            "boot": int,
            "mono_ms": int,
            "wall_ms": int,
            "trust": int,
            "body": bytes,
        },
        ("seq",),
        ("wall_ms",),
    ),
)
COLUMNS = "seq, set_id, mono_ms, wall_ms, trust, body"

Row = tuple[int, int, int, int, int, bytes]


def pack(values: Sequence[int], qualities: bytes) -> bytes:
    """Values little endian, 4 bytes each or 8, then the qualities unless all are 0 (GOOD)."""
    count = len(values)
    if len(qualities) != count:
        raise StoreError(f"a sample of {count} values has {len(qualities)} qualities")
    try:
        body = struct.pack(f"<{count}i", *values)
    except struct.error:
        body = struct.pack(f"<{count}q", *values)
    return body + qualities if any(qualities) else body


def unpack(body: bytes, count: int) -> tuple[tuple[int, ...], bytes]:
    """What `pack` made; the four possible lengths tell the width and whether qualities follow."""
    width, bare = divmod(len(body), count) if count else (0, 0)
    if bare or (count and width not in (4, 5, 8, 9)) or (not count and body):
        raise StoreError(f"a stored sample of {len(body)} bytes does not fit its {count} points")
    kind, wide = ("i", 4) if width in (0, 4, 5) else ("q", 8)
    values = struct.unpack_from(f"<{count}{kind}", body)
    return values, body[wide * count :] if width in (5, 9) else bytes(count)


@dataclass(frozen=True, slots=True)
class PointSet:
    id: int
    device: str
    points: Points


class PointSets:
    """The point sets of one database, remembered. A driver gives the same tuple each time, so looking one
    up costs one dictionary access by identity. Used on the writer's thread only.
    """

    def __init__(self) -> None:
        self._by_identity: dict[int, PointSet] = {}  # holds the tuple, so the identity stays its own
        self._by_id: dict[int, PointSet] = {}

    def of(self, conn: sqlite3.Connection, sample: Sample) -> int:
        """The id of this sample's set; a set not seen before is stored."""
        known = self._by_identity.get(id(sample.points))
        if known is not None and known.points is sample.points and known.device == sample.device:
            return known.id
        text = json.dumps([[p.name, p.evidence] for p in sample.points], separators=(",", ":"))
        key = (sample.device, text)
        row = conn.execute("SELECT id FROM point_set WHERE device = ? AND points = ?", key).fetchone()
        number = int(row[0]) if row else _insert_set(conn, key)
        found = PointSet(number, sample.device, sample.points)
        if len(self._by_identity) >= IDENTITIES_MAX:
            self._by_identity.clear()
        self._by_identity[id(sample.points)] = self._by_id[number] = found
        return number

    def get(self, conn: sqlite3.Connection, number: int) -> PointSet:
        """The set of a stored row."""
        if (known := self._by_id.get(number)) is not None:
            return known
        row = conn.execute("SELECT device, points FROM point_set WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise StoreError(f"stored samples name point set {number}, which is missing")
        points = tuple(Point(row[0], name, evidence) for name, evidence in json.loads(row[1]))
        return self._by_id.setdefault(number, PointSet(number, row[0], points))


IDENTITIES_MAX = 1000  # sites have tens; a driver that makes a new tuple each time must not leak


def _insert_set(conn: sqlite3.Connection, key: tuple[str, str]) -> int:
    cursor = conn.execute("INSERT INTO point_set (device, points) VALUES (?, ?)", key)
    return int(cursor.lastrowid or 0)


def insert_many(
    conn: sqlite3.Connection, samples: Iterable[Sample], boot: int, sets: PointSets | None = None
) -> int:
    """Store samples in this order; returns the `seq` of the last one in the table.

    Retention never deletes the newest row, so a `seq` is never given twice.
    """
    known = sets or PointSets()
    conn.executemany(
        "INSERT INTO sample (set_id, boot, mono_ms, wall_ms, trust, body) VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                known.of(conn, s),
                boot,
                s.stamp.mono_ms,
                s.stamp.wall_ms,
                int(s.stamp.trust),
                pack(s.values, s.qualities),
            )
            for s in samples
        ],
    )
    return last_seq(conn)


def last_seq(conn: sqlite3.Connection) -> int:
    """The newest sample's `seq`; 0 in an empty database."""
    (seq,) = conn.execute("SELECT coalesce(max(seq), 0) FROM sample").fetchone()
    return int(seq)


def between(
    conn: sqlite3.Connection, start_ms: int, end_ms: int, sets: PointSets | None = None
) -> list[tuple[int, Sample]]:
    """Samples dated start_ms <= wall < end_ms, of whatever trust, in the order they were stored."""
    rows = conn.execute(
        f"SELECT {COLUMNS} FROM sample WHERE wall_ms >= ? AND wall_ms < ? ORDER BY seq", (start_ms, end_ms)
    )
    return decode(conn, rows.fetchall(), sets)


def after(
    conn: sqlite3.Connection, seq: int, limit: int, sets: PointSets | None = None
) -> list[tuple[int, Sample]]:
    """At most `limit` samples stored after `seq`, oldest first."""
    rows = conn.execute(f"SELECT {COLUMNS} FROM sample WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit))
    return decode(conn, rows.fetchall(), sets)


def page(
    conn: sqlite3.Connection, after: tuple[int, int], end_ms: int, limit: int, sets: PointSets | None = None
) -> list[tuple[int, Sample]]:
    """At most `limit` samples in the order of their dates, after (wall_ms, seq), before `end_ms`."""
    query = (
        f"SELECT {COLUMNS} FROM sample WHERE (wall_ms, seq) > (?, ?) AND wall_ms < ?"
        " ORDER BY wall_ms, seq LIMIT ?"
    )
    return decode(conn, conn.execute(query, (*after, end_ms, limit)).fetchall(), sets)


def covered(
    conn: sqlite3.Connection,
    seqs: tuple[int, int],
    span_ms: tuple[int, int],
    limit: int,
    sets: PointSets | None = None,
) -> list[tuple[int, Sample]]:
    """The samples a record speaks of: stored from seqs[0] to seqs[1], dated within the span, and believed.

    At most `limit`, oldest `seq` first. A sample that came late, after its period was sealed, is not one.
    """
    query = (
        f"SELECT {COLUMNS} FROM sample WHERE seq BETWEEN ? AND ? AND +wall_ms >= ? AND +wall_ms < ?"
        " AND trust <> 0 ORDER BY seq LIMIT ?"
    )  # the plus: search by seq, not by date
    return decode(conn, conn.execute(query, (*seqs, *span_ms, limit)).fetchall(), sets)


def devices(conn: sqlite3.Connection) -> list[str]:
    """The names of all devices that samples were stored for."""
    return [row[0] for row in conn.execute("SELECT DISTINCT device FROM point_set ORDER BY device")]


def latest(
    conn: sqlite3.Connection, limit: int = 1, sets: PointSets | None = None
) -> list[tuple[int, Sample]]:
    """The newest samples, newest first."""
    rows = conn.execute(f"SELECT {COLUMNS} FROM sample ORDER BY seq DESC LIMIT ?", (limit,))
    return decode(conn, rows.fetchall(), sets)


def decode(conn: sqlite3.Connection, rows: Iterable[Row], sets: PointSets | None) -> list[tuple[int, Sample]]:
    """Rows of COLUMNS as the samples they are."""
    known, found = sets or PointSets(), []
    for seq, set_id, mono_ms, wall_ms, trust, body in rows:
        group = known.get(conn, set_id)
        values, qualities = unpack(body, len(group.points))
        stamp = Stamp(mono_ms, wall_ms, ClockTrust(trust))
        found.append((seq, Sample(group.device, stamp, group.points, values, qualities)))
    return found


def backdate(conn: sqlite3.Connection, boot: int, mono_ms: int, wall_ms: int) -> int:
    """Date the untrusted samples of this start from a moment known on both clocks; returns how many."""
    row = conn.execute("SELECT first_seq FROM boot WHERE boot = ?", (boot,)).fetchone()
    cursor = conn.execute(
        "UPDATE sample SET wall_ms = mono_ms + ?, trust = ? WHERE seq >= ? AND boot = ? AND trust = ?",
        (wall_ms - mono_ms, ClockTrust.BACKDATED, row[0] if row else 0, boot, ClockTrust.UNTRUSTED),
    )
    return cursor.rowcount
