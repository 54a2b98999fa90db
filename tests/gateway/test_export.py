"""`gridseal export`: readings and records as they are stored, beside a running daemon, one line on errors."""

import csv
import io
import json
from pathlib import Path

import pytest

from gateway import cli
from gateway.cli import export
from gateway.model import ClockTrust, Record
from gateway.store import Store, records, samples
from tests.gateway.stores import WALL_MS, digest, opened, sample

START = "2025-11-24T16:00:00.000Z"  # of WALL_MS


async def fill(store: Store) -> None:
    """Ten samples, 100 ms apart, the last undated; one interval over the first five, then a gap."""
    taken = [sample(100 * n) for n in range(9)] + [sample(50, ClockTrust.UNTRUSTED)]
    await store.call(samples.insert_many, taken, store.boot)
    body = json.dumps({"start_ms": WALL_MS, "end_ms": WALL_MS + 500})
    interval = Record(1, bytes(32), digest(1), "interval", body)
    await store.call(records.append, interval, 1, 5)
    await store.call(records.sign, 1, bytes(range(65)))
    body = json.dumps({"start_ms": WALL_MS + 600, "end_ms": WALL_MS + 900})
    await store.call(records.append, Record(2, digest(1), digest(2), "gap", body))


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    async with opened(tmp_path / "g.db") as (store, _):
        await fill(store)
    return tmp_path / "g.db"


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_csv_has_every_reading_in_order(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", str(database)]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 20
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)
    assert rows[0] == {
        "at": START,
        "device": "bms",
        "point": "battery_soc_bp",
        "unit": "bp",
        "value": "0",
        "quality": "GOOD",
        "clock": "trusted",
    }
    assert (rows[1]["value"], rows[1]["quality"], rows[1]["unit"]) == (str(-(2**40)), "STALE", "mv")
    assert rows[2]["clock"] == "untrusted"


def test_a_span_and_a_page_at_a_time(
    database: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "PAGE", 2)
    span = ["--from", "2025-11-24T16:00:00.100Z", "--to", "2025-11-24T17:00:00.800+01:00"]
    assert cli.main(["export", str(database), "--format", "jsonl", "--device", "bms", *span]) == 0
    found = lines(capsys.readouterr().out)
    assert [row["value"] for row in found[::2]] == [100, 200, 300, 400, 500, 600, 700]


def test_absent_is_null(tmp_path: Path) -> None:
    rows = list(export._readings(sample(1)))
    assert rows[0]["value"] == 1
    absent = sample(1).__class__("bms", sample(1).stamp, sample(1).points, (0, 0), b"\3\0")
    assert [row["value"] for row in export._readings(absent)] == [None, 0]


async def test_records_come_whole_with_their_leaves_while_the_daemon_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with opened(tmp_path / "g.db") as (store, _):
        await fill(store)
        out = tmp_path / "evidence.jsonl"
        words = ["export", str(store.path), "--format", "records", "--with-readings", "-o", str(out)]
        assert cli.main(words) == 0
    assert capsys.readouterr().err == f"7 lines in {out}\n"
    first, *leaves, gap = lines(out.read_text())
    assert first == {
        "type": "record",
        "sequence": 1,
        "kind": "interval",
        "previous": "0x" + "00" * 32,
        "digest": f"0x{1:064x}",
        "body": json.dumps({"start_ms": WALL_MS, "end_ms": WALL_MS + 500}),
        "signature": "0x" + bytes(range(65)).hex(),
        "state": "signed",
    }
    assert leaves == [  # only evidence points, only what is believed
        {
            "type": "reading",
            "record": 1,
            "point": "bms/battery_soc_bp",
            "at_ms": WALL_MS + 100 * n,
            "value": 100 * n,
            "quality": 0,
        }
        for n in range(5)
    ]
    assert (gap["sequence"], gap["signature"], gap["state"]) == (2, "0x", "pending")
    assert not (tmp_path / "evidence.jsonl.part").exists()


def test_records_of_a_span(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["export", str(database), "--format", "records", "--from", "2025-11-24T16:00:00.550Z"]
    assert cli.main(words) == 0
    assert [row["sequence"] for row in lines(capsys.readouterr().out)] == [2]


async def test_what_stands_between_records_of_a_span_is_there_too(database: Path, capsys) -> None:
    """A delivery that began early, a start that was said late: leaving one out would break the chain."""
    async with opened(database) as (store, _):
        moments = [{"at_ms": WALL_MS + 5000}, {"start_ms": 1, "end_ms": 2}, {"at_ms": WALL_MS + 6000}]
        for number, body in enumerate(moments, 3):
            link = Record(number, digest(number - 1), digest(number), "setup", json.dumps(body))
            await store.call(records.append, link)
    span = ["--from", "2025-11-24T16:00:05Z", "--to", "2025-11-24T16:00:06.001Z"]
    assert cli.main(["export", str(database), "--format", "records", *span]) == 0
    assert [row["sequence"] for row in lines(capsys.readouterr().out)] == [3, 4, 5]
    assert cli.main(["export", str(database), "--format", "records", "--from", "2030-01-01"]) == 0
    assert lines(capsys.readouterr().out) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--device", "meter"], "no readings of 'meter' are stored; there are some of: bms"),
        (["--with-readings"], "--with-readings goes with --format records"),
        (["--format", "records", "--device", "bms"], "--device goes with readings"),
        (["--from", "2026-11-02", "--to", "2026-11-01"], "--to must be later than --from"),
        (["-o", "/nowhere/at/all"], "/nowhere/at/all cannot be written: No such file or directory"),
    ],
)
def test_wrong_words_are_one_line(
    database: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    assert cli.main(["export", str(database), *words]) == 1
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1


def test_a_database_of_any_name(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = database.rename(database.with_name("readings.sqlite"))
    for name in (other.name, f"{other.name}.aside-1"):
        other = other.rename(other.with_name(name))
        assert cli.main(["export", str(other)]) == 0
        assert START in capsys.readouterr().out


def test_a_wrong_date_is_a_usage_error(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["export", str(database), "--from", "yesterday"])
    assert stopped.value.code == 2
    assert "'yesterday' is not a date like 2026-11-01" in capsys.readouterr().err


def test_site_yaml_names_the_database(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert export.store_path(tmp_path / "g.db") == tmp_path / "g.db"
    assert export.store_path(tmp_path / "g.db.aside-3") == tmp_path / "g.db.aside-3"

    class Loaded:
        class store:
            path = Path("/var/lib/gridseal/gridseal.db")

    monkeypatch.setattr("gateway.config.load", lambda path: Loaded)
    assert export.store_path(tmp_path / "site.yaml") == Loaded.store.path


def test_dates_are_exact_and_utc_by_default() -> None:
    assert export.moment("2025-11-24T16:00") == WALL_MS
    assert export.moment("1970-01-02") == 86_400_000
    assert export.iso(WALL_MS + 7) == "2025-11-24T16:00:00.007Z"
