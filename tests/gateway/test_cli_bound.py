"""`gridseal verify --capture`: a real capture, records signed over what it yields, and over less."""

import asyncio
import json
from pathlib import Path

import pytest

from gateway import capturefile, cli
from gateway.driver import find_plugins
from gateway.evidence import merkle
from gateway.evidence import records as chain
from gateway.evidence.setup import named_profiles
from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import GENESIS, Setup, keccak
from gateway.model import ClockTrust, Interval
from gateway.replay import replay
from tests.gateway.evidence_samples import DOMAIN

PATH = Path(__file__).parents[1] / "recorded" / "captures" / "rig_sunspec.jsonl"
CAPTURE = capturefile.read(PATH)
KEY = KeySigner(b"\x01" * 32)


@pytest.fixture(scope="module")
def yielded():
    return asyncio.run(replay(CAPTURE, find_plugins())).samples


def line(record):
    row = {"type": "record", "sequence": record.sequence, "kind": record.kind, "body": record.body}
    for name, value in (("previous", record.previous), ("digest", record.digest)):
        row[name] = "0x" + value.hex()
    return {**row, "signature": "0x" + KEY.sign(record.digest).hex(), "state": "signed"}


def export(folder, samples, span, *, site="here", digests=None, change=lambda rows: rows):
    """A setup and one interval over these samples."""
    under = keccak(named_profiles(digests or CAPTURE.header["profiles"]).encode())
    leaves = [leaf for s in samples for leaf in merkle.leaves(s)]
    bodies = (
        Setup(1, bytes(32), under, "gridseal 1"),
        Interval(*span, len(leaves), merkle.root(leaves), *[0] * 11, ClockTrust.TRUSTED, 0),
    )
    rows, previous = [], GENESIS
    for sequence, body in enumerate(bodies, 1):
        record = chain.seal(DOMAIN, site, sequence, previous, body)
        previous = record.digest
        rows.append(line(record))
    readings = [r for s in samples for r in s.readings() if r.point.evidence]
    for r in readings:
        said = {"point": r.point.key, "at_ms": r.at_ms, "value": r.value, "quality": int(r.quality)}
        rows.append({"type": "reading", "record": 2, **said})
    path = folder / "evidence.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in change(rows)))
    return str(path)


def span_of(samples):
    return samples[0].stamp.wall_ms, samples[-1].stamp.wall_ms + 1


def verify(capsys, *words, capture=PATH):
    code = cli.main(["verify", *words, "--capture", str(capture)])
    said = capsys.readouterr()
    return code, said.out + said.err


def test_all_and_a_part(tmp_path, capsys, yielded):
    code, said = verify(capsys, export(tmp_path, yielded, span_of(yielded)))
    assert code == 0 and "no other is there" in said and "nothing found wrong" in said
    half = yielded[: len(yielded) // 2]
    code, said = verify(capsys, export(tmp_path, half, span_of(half)), "--json")
    found = json.loads(said)["capture"]
    assert code == 0 and found["holds"] and found["records"] == [2]
    assert found["proven"] + found["outside"] == found["readings"] and found["outside"] > 0


def test_what_speaks_against_it(tmp_path, capsys, yielded):
    less = yielded[:2] + yielded[3:]
    code, said = verify(capsys, export(tmp_path, less, span_of(yielded)))
    assert code == 1 and "is captured, and the interval of that time does not hold it" in said
    code, said = verify(capsys, export(tmp_path, yielded, span_of(yielded), digests={"inverter": "00"}))
    assert code == 1 and "under other profiles than the capture names" in said
    code, said = verify(capsys, export(tmp_path, yielded, span_of(yielded), site="elsewhere"))
    assert code == 1 and "the capture is of site here, the records are of elsewhere" in said


def test_without_readings_nothing_is_proven(tmp_path, capsys, yielded):
    code, said = verify(capsys, export(tmp_path, yielded, span_of(yielded), change=lambda rows: rows[:2]))
    assert code == 1 and "none of its" in said


def test_a_capture_that_names_another_profile_than_it_has(tmp_path, capsys, yielded):
    forged, out = tmp_path / "forged.jsonl", tmp_path / "forged.out"
    with out.open("wb") as file:
        header = {**CAPTURE.header, "profile_digest": "00" * 32}
        writer = capturefile.Writer(file, header)
        for event in CAPTURE.events:
            writer.event(event)
        writer.end(1, "time")
    out.rename(forged)
    evidence = export(tmp_path, yielded, span_of(yielded))
    code, said = verify(capsys, evidence, capture=forged)
    assert code == 1 and "not the one that it names" in said
