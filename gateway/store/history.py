"""One device's samples by their dates, in pages that cost the same however much is stored.

Samples of all devices lie beside each other, so a page looks at so many rows and no more: it may hold fewer
samples than were asked, or none, and says where to go on. The writer's thread is never held up by a reader.
"""

import sqlite3
from dataclasses import dataclass

from gateway.model import ClockTrust, Quality, Sample
from gateway.store import samples
from gateway.store.samples import PointSets

SCAN = 2000  # rows looked at in one page: some ms, on a Pi as well
Place = tuple[int, int]  # (wall_ms, seq)


@dataclass(frozen=True, slots=True)
class Page:
    """`after` is where the next page begins; None: there is nothing more in the span."""

    samples: tuple[Sample, ...]
    after: Place | None


@dataclass(frozen=True, slots=True)
class Point:
    """A counter's value at a moment."""

    at_ms: int
    value: int


def page(
    conn: sqlite3.Connection,
    device: str,
    after: Place,
    end_ms: int,
    limit: int,
    sets: PointSets,
    scan: int = SCAN,
) -> Page:
    """At most `limit` samples of `device` after `after`, dated before `end_ms`, by date."""
    rows = conn.execute(
        f"SELECT {samples.COLUMNS} FROM sample WHERE (wall_ms, seq) > (?, ?) AND wall_ms < ?"
        " ORDER BY wall_ms, seq LIMIT ?",
        (*after, end_ms, scan),
    )
    own, found, looked, place = _sets_of(conn, device), [], 0, after
    for row in rows:
        looked, place = looked + 1, (row[3], row[0])
        if row[1] in own:
            found.append(row)
        if len(found) == limit:
            break
    more = looked == scan or len(found) == limit
    decoded = tuple(sample for _, sample in samples.decode(conn, found, sets))
    return Page(decoded, place if more else None)


def ends(
    conn: sqlite3.Connection, device: str, names: tuple[str, ...], span_ms: tuple[int, int], sets: PointSets
) -> dict[str, tuple[Point, Point]]:
    """The first and the last good value of each of these points in the span, looking at SCAN rows from
    either end; a point without both is left out."""
    first = _good(conn, device, names, span_ms, sets, "ASC")
    last = _good(conn, device, names, span_ms, sets, "DESC")
    return {name: (first[name], last[name]) for name in names if name in first and name in last}


def _good(
    conn: sqlite3.Connection,
    device: str,
    names: tuple[str, ...],
    span_ms: tuple[int, int],
    sets: PointSets,
    order: str,
) -> dict[str, Point]:
    rows = conn.execute(
        f"SELECT {samples.COLUMNS} FROM sample WHERE wall_ms >= ? AND wall_ms < ?"
        f" ORDER BY wall_ms {order}, seq {order} LIMIT ?",
        (*span_ms, SCAN),
    )
    own, found = _sets_of(conn, device), dict[str, Point]()
    for row in rows:
        if row[1] not in own or row[4] == ClockTrust.UNTRUSTED:
            continue
        ((_, sample),) = samples.decode(conn, [row], sets)
        for point, value, quality in zip(sample.points, sample.values, sample.qualities, strict=True):
            if point.name in names and quality == Quality.GOOD:
                found.setdefault(point.name, Point(sample.stamp.wall_ms, value))
        if len(found) == len(names):
            break
    return found


def newest(conn: sqlite3.Connection, boot: int, limit: int, sets: PointSets) -> list[Sample]:
    """Of the last `limit` samples stored those of this start, oldest first: their age can be told."""
    rows = conn.execute(
        f"SELECT {samples.COLUMNS} FROM sample WHERE seq > (SELECT coalesce(max(seq), 0) FROM sample) - ?"
        " AND boot = ? ORDER BY seq",
        (limit, boot),
    )
    return [sample for _, sample in samples.decode(conn, rows.fetchall(), sets)]


def _sets_of(conn: sqlite3.Connection, device: str) -> frozenset[int]:
    return frozenset(r[0] for r in conn.execute("SELECT id FROM point_set WHERE device = ?", (device,)))
