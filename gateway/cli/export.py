"""`gridseal export`: what a site stored, as CSV, JSON lines, or the signed chain for `gridseal verify`.

Opens the database read-only, beside a running daemon, and reads it in pages.

Readings (csv, jsonl): `at` (ISO 8601, UTC, ms), `device`, `point`, `unit`, `value` (an integer in the
canonical unit; empty or null when ABSENT), `quality`, `clock`.

Records (records), one JSON object a line, bytes as 0x hex:

    {"type": "record", "sequence": 7, "kind": "interval", "previous": "0x…", "digest": "0x…",
     "body": "{…canonical JSON, as signed…}", "signature": "0x…", "state": "confirmed"}

and with --with-readings, after the record they belong to, the leaves of its Merkle tree that are still
stored (retention may have dropped old ones):

    {"type": "reading", "record": 7, "point": "bms/battery_soc_bp", "at_ms": 1764000000000,
     "value": 5120, "quality": 0}

and at the end each commissioning certificate that is kept (gateway.evidence.certificate):

    {"type": "certificate", "device": "inverter", "body": "{…}", "digest": "0x…", "signature": "0x…"}
"""

import argparse
import csv
import json
import sqlite3
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

from gateway import config
from gateway.cli import outfile
from gateway.errors import ConfigError, StoreError
from gateway.evidence.shown import shown
from gateway.model import Quality, Sample
from gateway.store import certificates, endorsements, files, records, samples
from gateway.store.records import Entry
from gateway.store.samples import PointSets

NAME = "export"
HELP = """\
write stored readings, or the signed records, to a file or to the terminal

SITE is a site.yaml, or the path of a database, also of one that was set aside. The daemon
may run meanwhile. Times are UTC unless they say otherwise; --to is not included.

  gridseal export site.yaml --from 2026-11-01 --to 2026-11-02 -o day.csv
  gridseal export site.yaml --device bms --format jsonl | head
  gridseal export site.yaml --format records --with-readings -o evidence.jsonl
  gridseal verify evidence.jsonl"""

PAGE = 500  # samples read at once: a few MB for the widest devices
RECORDS_PAGE = 200
END_OF_TIME_MS = 2**62
COLUMNS = ("at", "device", "point", "unit", "value", "quality", "clock")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Row = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("site", type=Path, help="a site.yaml, or a database file")
    parser.add_argument("--from", dest="start_ms", type=moment, default=0, metavar="TIME", help="ISO 8601")
    parser.add_argument("--to", dest="end_ms", type=moment, default=END_OF_TIME_MS, metavar="TIME")
    parser.add_argument("--device", help="only this device's readings")
    parser.add_argument("--format", choices=("csv", "jsonl", "records"), default="csv")
    parser.add_argument("--with-readings", action="store_true", help="with records: the readings they prove")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="instead of the terminal")


def moment(text: str) -> int:
    """Unix ms of an ISO 8601 date or time; UTC unless it has an offset."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date like 2026-11-01 or 2026-11-01T14:30")
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    return (aware - EPOCH) // timedelta(milliseconds=1)


def run(args: argparse.Namespace) -> int:
    if args.with_readings and args.format != "records":
        raise ConfigError("--with-readings goes with --format records: csv and jsonl are readings already")
    if args.device and args.format == "records":
        raise ConfigError("--device goes with readings: a record speaks of the whole site")
    if args.start_ms >= args.end_ms:
        raise ConfigError("--to must be later than --from: nothing lies between them")
    conn = files.connect_readonly(store_path(args.site))
    try:
        _export(conn, args)
    except sqlite3.Error as error:
        raise StoreError(f"the database cannot be read further: {error}") from error
    finally:
        conn.close()
    return 0


def store_path(site: Path) -> Path:
    """The database that SITE names."""
    return site if files.is_database(site) else config.load(site).store.path


def _export(conn: sqlite3.Connection, args: argparse.Namespace) -> None:
    known = samples.devices(conn)
    if args.device and args.device not in known:
        raise ConfigError(
            f"no readings of {args.device!r} are stored; there are some of: {', '.join(known) or 'nothing'}"
        )
    span = (args.start_ms, args.end_ms)
    if args.format == "records":
        rows = record_rows(conn, span, args.with_readings)
    else:
        rows = _reading_rows(conn, span, args.device)
    write = _write_csv if args.format == "csv" else _write_jsonl
    if args.output is None:
        if isinstance(sys.stdout, TextIOWrapper):  # evidence is UTF-8, whatever the terminal shows
            sys.stdout.reconfigure(encoding="utf-8", errors="strict")
        write(sys.stdout, rows)
        return
    with outfile.whole(args.output) as file, TextIOWrapper(file, "utf-8", newline="") as text:
        count = write(text, rows)
    print(f"{count} lines in {args.output}", file=sys.stderr)


def _reading_rows(conn: sqlite3.Connection, span: tuple[int, int], device: str | None) -> Iterator[Row]:
    sets, place = PointSets(), (span[0], 0)
    while rows := samples.page(conn, place, span[1], PAGE, sets):
        for _, sample in rows:
            if device is None or sample.device == device:
                yield from _readings(sample)
        seq, last = rows[-1]
        place = (last.stamp.wall_ms, seq)


def _readings(sample: Sample) -> Iterator[Row]:
    at = iso(sample.stamp.wall_ms)
    clock = sample.stamp.trust.name.lower()
    for reading in sample.readings():
        absent = reading.quality is Quality.ABSENT
        yield {
            "at": at,
            "device": sample.device,
            "point": reading.point.name,
            "unit": reading.point.unit,
            "value": None if absent else reading.value,
            "quality": reading.quality.name,
            "clock": clock,
        }


def iso(at_ms: int) -> str:
    """2026-11-01T00:00:00.000Z; exact, whatever the clock said."""
    return (EPOCH + timedelta(milliseconds=at_ms)).isoformat(timespec="milliseconds")[:-6] + "Z"


def record_rows(conn: sqlite3.Connection, span: tuple[int, int], with_readings: bool) -> Iterator[Row]:
    """The records of that time, and whatever stands between them: a chain with holes proves nothing."""
    sets = PointSets()
    inside = [e.record.sequence for e in _entries(conn) if _touches(_span(e), span)]
    for entry in _entries(conn, inside[0] - 1) if inside else ():
        if entry.record.sequence > inside[-1]:
            break
        yield _record(entry)
        if with_readings and entry.last_seq:
            yield from _leaves(conn, entry, _span(entry), sets)
    yield from map(certificates.row, certificates.every(conn))
    yield from map(endorsements.row, endorsements.every(conn))


def _entries(conn: sqlite3.Connection, after: int = 0) -> Iterator[Entry]:
    while entries := records.entries(conn, after, RECORDS_PAGE):
        yield from entries
        after = entries[-1].record.sequence


def _span(entry: Entry) -> tuple[int, int]:
    """The time a record speaks of; of those that have but a moment, that one."""
    body = json.loads(entry.record.body)
    at_ms = body.get("at_ms", 0)
    return body.get("start_ms", at_ms), body.get("end_ms", at_ms + 1)


def _touches(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _record(entry: Entry) -> Row:
    return {"type": "record", **shown(entry.record), "state": entry.state.value}


def _leaves(
    conn: sqlite3.Connection, entry: Entry, span_ms: tuple[int, int], sets: PointSets
) -> Iterator[Row]:
    first = entry.first_seq
    while rows := samples.covered(conn, (first, entry.last_seq), span_ms, PAGE, sets):
        for _, sample in rows:
            for reading in sample.readings():
                if reading.point.evidence:
                    yield {
                        "type": "reading",
                        "record": entry.record.sequence,
                        "point": reading.point.key,
                        "at_ms": reading.at_ms,
                        "value": reading.value,
                        "quality": int(reading.quality),
                    }
        first = rows[-1][0] + 1


def _write_csv(file: TextIO, rows: Iterator[Row]) -> int:
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    count = 0
    for row in rows:
        writer.writerow(row)
        count += 1
    return count


def _write_jsonl(file: TextIO, rows: Iterator[Row]) -> int:
    count = 0
    for row in rows:
        file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
        count += 1
    return count
