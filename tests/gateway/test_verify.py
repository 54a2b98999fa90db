"""`gridseal verify` on a real database and its export: holds, is found wrong, proves; one line on errors."""

import json
from pathlib import Path

import pytest

from gateway import cli
from gateway.evidence import merkle
from gateway.evidence import records as chain
from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import GENESIS
from gateway.model import ClockTrust, Interval
from gateway.store import Store, records, samples
from tests.gateway.evidence_samples import DOMAIN, GAP
from tests.gateway.stores import WALL_MS, opened, sample

KEY = KeySigner(b"\x01" * 32)


async def fill(store: Store) -> None:
    """Five samples under a signed interval, then a signed gap."""
    taken = [sample(100 * n) for n in range(5)]
    await store.call(samples.insert_many, taken, store.boot)
    leaves = [leaf for s in taken for leaf in merkle.leaves(s)]
    body = Interval(
        WALL_MS, WALL_MS + 500, len(leaves), merkle.root(leaves), *[0] * 11, ClockTrust.TRUSTED, 0
    )  # fmt: skip
    previous = GENESIS
    for sequence, said in ((1, body), (2, GAP)):
        record = chain.seal(DOMAIN, "meadow", sequence, previous, said)
        previous = record.digest
        covered = (1, 5) if said is body else (0, 0)
        await store.call(records.append, record, *covered)
        await store.call(records.sign, sequence, KEY.sign(record.digest))


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    async with opened(tmp_path / "g.db") as (store, _):
        await fill(store)
    return tmp_path / "g.db"


@pytest.fixture
def exported(database: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    out = database.with_name("evidence.jsonl")
    words = ["export", str(database), "--format", "records", "--with-readings", "-o", str(out)]
    assert cli.main(words) == 0
    capsys.readouterr()
    return out


def verify(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = cli.main(["verify", *map(str, words)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_database_and_its_export_hold_alike(database, exported, capsys) -> None:
    code, out, _ = verify(capsys, exported, "--json", "--key", KEY.address)
    found = json.loads(out)
    assert (code, found["ok"], found["records"], found["roots_rebuilt"]) == (0, True, 2, 1)
    assert found["signers"] == [KEY.address]
    assert found["places"] == [{"chain_id": 10, "contract": DOMAIN.contract, "site": "meadow"}]
    code, out, _ = verify(capsys, database, "--json")
    assert (code, json.loads(out)) == (0, found)


def test_people_read_what_was_found(exported, capsys) -> None:
    code, out, _ = verify(capsys, exported)
    assert code == 0
    assert out.splitlines()[0] == "records 1 to 2: 2 (1 gap, 1 interval)"
    assert out.splitlines()[-1] == "nothing found wrong"
    code, out, _ = verify(capsys, exported, "--key", "0x" + "00" * 20)
    assert code == 1 and "WRONG: record 1: signed by" in out and out.endswith("2 found wrong\n")


def test_what_is_wrong_everywhere_is_not_said_a_thousand_times(exported, capsys, monkeypatch) -> None:
    monkeypatch.setattr("gateway.cli.verify.SHOWN", 1)
    words = (exported, "--key", "0x" + "00" * 20)
    out = verify(capsys, *words)[1].splitlines()
    assert [line[:16] for line in out[-3:]] == ["WRONG: record 1:", "... and 1 more: ", "2 found wrong"]
    assert len(json.loads(verify(capsys, *words, "--json")[1])["faults"]) == 2


@pytest.mark.parametrize("time", [str(WALL_MS + 300), "2025-11-24T16:00:00.300"])
def test_one_reading_is_proven(exported, capsys, time: str) -> None:
    code, out, _ = verify(capsys, exported, "--json", "--prove", f"bms/battery_soc_bp@{time}")
    proof = json.loads(out)["proof"]
    assert (code, proof["record"], proof["value"]) == (0, 1, 300)
    siblings = [bytes.fromhex(node[2:]) for node in proof["proof"]]
    assert merkle.verify(bytes.fromhex(proof["root"][2:]), bytes.fromhex(proof["leaf"][2:]), siblings)
    code, out, _ = verify(capsys, exported, "--prove", f"bms/battery_soc_bp@{time}")
    assert code == 0 and f'"root": "{proof["root"]}"' in out


def test_a_reading_that_is_not_there_is_not_proven(exported, capsys) -> None:
    code, out, _ = verify(capsys, exported, "--prove", "bms/battery_soc_bp@5")
    assert code == 1 and "no proof: bms/battery_soc_bp at 5" in out


def test_a_changed_line_is_found(exported, capsys) -> None:
    exported.write_text(exported.read_text().replace('"value":300', '"value":301'))
    code, out, _ = verify(capsys, exported)
    assert code == 1 and "WRONG: record 1: its 5 readings do not give its Merkle root" in out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"hello\n", "evidence.jsonl:1: not a JSON object"),
        (b"[]\n", "evidence.jsonl:1: not a JSON object"),
        (b"[" * 60_000, "evidence.jsonl:1: not a JSON object"),
        (b'{"type":"x"}\n', "evidence.jsonl:1: a line of type 'x'"),
        (b"x" * 70_000, "a line of over 65536 characters"),
        (b"\xff\xfe\x00", "not a text file"),
    ],
)
def test_a_file_that_is_no_export_is_one_line(exported, capsys, content: bytes, said: str) -> None:
    exported.write_bytes(content)
    code, _, error = verify(capsys, exported)
    assert code == 1 and said in error and error.count("\n") == 1


def test_nothing_to_verify_is_not_good(exported, capsys) -> None:
    exported.write_text("")
    code, out, _ = verify(capsys, exported)
    assert (code, out) == (1, "there are no records here: nothing is proven\n")
    code, _, error = verify(capsys, exported.with_name("none.jsonl"))
    assert code == 1 and "cannot be read" in error
    code, _, error = verify(capsys, exported.with_name("none.db"))
    assert code == 1 and "there is no database here" in error


@pytest.mark.parametrize("words", [["--prove", "nothing"], ["--prove", "a@yesterday"], []])
def test_usage_errors_are_two(words) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["verify", *words])
    assert caught.value.code == 2
