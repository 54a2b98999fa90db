"""`gridseal verify`: checks a chain of signed records without a chain, a network or the key.

Reads an export (`gridseal export --format records`), or a database through the same rows. All judgement is
in gateway.evidence.audit; this file reads lines, and says what was found. That module needs the `chain`
extra, so it is imported by who verifies and not by who only asks for help.
"""

import argparse
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cli import against, bound, export
from gateway.cli.text import say
from gateway.errors import ConfigError, StoreError
from gateway.store import files

if TYPE_CHECKING:
    from gateway.evidence.audit import Audit, Wanted

NAME = "verify"
HELP = """\
check signed records: sequence, digests, signatures, Merkle roots; prove one reading

WHAT is a file made by `gridseal export --format records`, or a site.yaml, or a database. Each
digest is made again from the record's body, each signature must be by one key until that key names the
next, each record must name the digest before it, and where the readings are there their Merkle root is
rebuilt. No chain is asked, unless with --against: then the contract of a site.yaml says how far it has
the records, and which key is bound.

  gridseal export site.yaml --format records --with-readings -o evidence.jsonl
  gridseal verify evidence.jsonl --key 0x52908400098527886E0F7030069857D2E4169EE7
  gridseal verify evidence.jsonl --against site.yaml
  gridseal verify evidence.jsonl --capture bms.jsonl
  gridseal verify evidence.jsonl --prove bms/battery_soc_bp@2026-11-01T12:00:01.250

exit codes: 0 all of it holds, 1 something is wrong (or the reading to prove is not there)"""

LINE_CHARS_MAX = 65_536  # the longest real line is under 2,000
SHOWN = 20  # of what is wrong: one cause often breaks every record after it
END_OF_TIME_MS = 2**62
Row = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", type=Path, metavar="WHAT", help="an export, a site.yaml or a database")
    parser.add_argument(
        "--key", default="", metavar="ADDRESS", help="the address that must have signed the first record here"
    )
    parser.add_argument("--prove", type=wanted, metavar="POINT@TIME", help="print the proof of this reading")
    parser.add_argument(
        "--against", type=Path, metavar="SITE", help="ask the contract of this site.yaml how far it has them"
    )
    parser.add_argument(
        "--capture", type=Path, metavar="FILE", help="are the readings of this capture under these records?"
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def wanted(text: str) -> "Wanted":
    """bms/battery_soc_bp@1764000000000, or with an ISO 8601 time."""
    from gateway.evidence.audit import Wanted

    point, _, time = text.rpartition("@")
    if not point:
        raise argparse.ArgumentTypeError(f"{text!r} is not like bms/battery_soc_bp@2026-11-01T12:00:00")
    return Wanted(point, int(time) if time.isdecimal() else export.moment(time))


def run(args: argparse.Namespace) -> int:
    from gateway.evidence.address import checksum
    from gateway.evidence.audit import Audit

    capture, binding = bound.load(args.capture) if args.capture else (None, None)
    audit = Audit(checksum(args.key) if args.key else "", args.prove, binding)
    for place, row in _rows(args.what):
        try:
            audit.row(row)
        except ValueError as error:
            raise ConfigError(f"{place}: {error}")
    audit.finish()
    if args.against:
        _ask_contract(audit, args.against)
    if capture:
        audit.faults += bound.faults(capture, audit)
    missing = args.prove is not None and audit.proof is None
    if args.json:
        print(json.dumps(as_json(audit)))
    else:
        say("\n".join(_lines(audit, args.prove)))
    unbound = binding is not None and not binding.holds
    return 1 if audit.faults or not audit.kinds or missing or unbound else 0


def _ask_contract(audit: "Audit", site: Path) -> None:
    from gateway.evidence.records import Fault

    found = against.held(site, audit.signed_by)
    contract = audit.places[-1][1] if audit.places else ""
    audit.faults += [Fault(audit.last, text) for text in against.faults(found, contract, audit.last)]
    audit.notes += against.notes(found, audit.turn)


def _rows(what: Path) -> Iterator[tuple[str, Row]]:
    """Each row, and where it stands for people."""
    if what.suffix in (".yaml", ".yml") or files.is_database(what):
        yield from _stored(export.store_path(what))
    else:
        yield from _exported(what)


def _stored(path: Path) -> Iterator[tuple[str, Row]]:
    conn = files.connect_readonly(path)
    try:
        for row in export.record_rows(conn, (0, END_OF_TIME_MS), True):
            yield str(path), row
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be read further: {error}") from error
    finally:
        conn.close()


def _exported(path: Path) -> Iterator[tuple[str, Row]]:
    try:
        with path.open(encoding="utf-8") as file:
            number = 0
            while line := file.readline(LINE_CHARS_MAX + 1):
                number += 1
                yield f"{path}:{number}", _parse(f"{path}:{number}", line)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not a text file; make one with: gridseal export SITE --format records")


def _parse(place: str, line: str) -> Row:
    if len(line) > LINE_CHARS_MAX:
        raise ConfigError(f"{place}: a line of over {LINE_CHARS_MAX} characters is no record")
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise ConfigError(f"{place}: not a JSON object; make the file with: gridseal export --format records")
    return row


def as_json(audit: "Audit") -> dict[str, Any]:
    """The whole result, flat where it can be."""
    return {
        "ok": bool(audit.kinds) and not audit.faults,
        "records": audit.kinds.total(),
        "first": audit.first,
        "last": audit.last,
        "intervals": audit.kinds["interval"],
        "deliveries": audit.kinds["delivery"],
        "gaps": audit.kinds["gap"],
        "setups": audit.kinds["setup"],
        "rotations": audit.kinds["rotation"],
        "signers": audit.signed_by,
        "places": [{"chain_id": c, "contract": a, "site": s} for c, a, s in audit.places],
        "readings": audit.readings,
        "roots_rebuilt": audit.roots,
        "notes": audit.notes,
        "faults": [{"record": f.sequence, "message": f.message} for f in audit.faults],
        "certificates": audit.certificates,
        "proof": audit.proof,
        "capture": bound.as_json(audit.binding) if audit.binding else None,
    }


def _lines(audit: "Audit", asked: "Wanted | None") -> Iterator[str]:
    from gateway.evidence.address import checksum

    if not audit.kinds:
        yield "there are no records here: nothing is proven"
        return
    kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(audit.kinds.items())) or "none"
    yield f"records {audit.first} to {audit.last}: {audit.kinds.total()} ({kinds})"
    for chain_id, contract, site in audit.places:
        yield f"for site {site}, contract {checksum(contract)}, chain {chain_id}"
    yield f"signed by {', then '.join(audit.signed_by) or 'nobody'}"
    yield f"Merkle roots rebuilt: {audit.roots}, from {audit.readings} readings"
    yield from audit.certificates
    yield from audit.binding.told() if audit.binding else ()
    yield from (f"note: {note}" for note in audit.notes)
    yield from (f"WRONG: {fault}" for fault in audit.faults[:SHOWN])
    if (more := len(audit.faults) - SHOWN) > 0:
        yield f"... and {more} more: --json has them all"
    if audit.proof:
        yield json.dumps(audit.proof, indent=1)
    elif asked:
        yield f"no proof: {asked.point} at {asked.at_ms} is not among readings whose root was rebuilt"
    yield f"{len(audit.faults)} found wrong" if audit.faults else "nothing found wrong"
