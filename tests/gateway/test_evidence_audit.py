"""The audit of exported rows: what holds, what is wrong, what could not be checked, and a proof."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.evidence import audit as audits
from gateway.evidence import merkle, possession, records
from gateway.evidence.audit import Audit, Wanted, reading_of, record_of
from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import GENESIS, Gap, GapCause, Rotation
from gateway.model import ClockTrust, Interval
from tests.gateway.evidence_samples import DOMAIN, REVOCATION, SETUP

KEY = KeySigner(b"\x01" * 32)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)


def readings(number: int) -> list[tuple[str, int, int, int]]:
    return [("bms/battery_soc_bp", number * 1000 + i, 5000 - i, 0) for i in range(5)]


def rows(count: int = 3, *, unsigned: int = 0, gap_at: int = 0) -> list[dict]:
    """An export of `count` records with five readings each."""
    made, previous = [], GENESIS
    for number in range(1, count + 1):
        leaves = readings(number)
        root = merkle.root(merkle.leaf(*r) for r in leaves)
        body = Interval(
            number * 1000, number * 1000 + 999, 5, root, *[0] * 11, ClockTrust.TRUSTED, 0
        )  # fmt: skip
        if number == gap_at:
            body, leaves = Gap(0, 1, 2, GapCause.STORE_LOST), []
        record = records.seal(DOMAIN, "meadow", number, previous, body)
        signature = b"" if number == unsigned else KEY.sign(record.digest)
        previous = record.digest
        made.append(
            {
                "type": "record",
                "sequence": number,
                "kind": record.kind,
                "previous": "0x" + record.previous.hex(),
                "digest": "0x" + record.digest.hex(),
                "body": record.body,
                "signature": "0x" + signature.hex(),
                "state": "signed",
            }
        )
        for point, at_ms, value, quality in leaves:
            made.append(
                {
                    "type": "reading",
                    "record": number,
                    "point": point,
                    "at_ms": at_ms,
                    "value": value,
                    "quality": quality,
                }
            )
    return made


def test_who_signed_is_known_and_readings_beyond_their_types_are_refused() -> None:
    assert audited(rows()).signed_by == [KEY.address]
    for bad in ({"value": 2**63}, {"at_ms": -1}, {"quality": 256}):
        with pytest.raises(ValueError, match="out of its type"):
            reading_of({"point": "p", "at_ms": 0, "value": 0, "quality": 0, **bad})


def audited(lines: list[dict], **options) -> Audit:
    audit = Audit(**options)
    for line in lines:
        audit.row(line)
    audit.finish()
    return audit


def test_a_whole_export_holds() -> None:
    audit = audited(rows(gap_at=2), signer=KEY.address)
    assert (audit.faults, audit.first, audit.last, audit.roots, audit.readings) == ([], 1, 3, 2, 10)
    assert audit.kinds == {"interval": 2, "gap": 1}
    assert audit.notes == ["record 2: gap, store lost"]
    assert audit.places == [(10, DOMAIN.contract, "meadow")]


def test_one_reading_is_proven_as_a_contract_would_check_it() -> None:
    audit = audited(rows(), wanted=Wanted("bms/battery_soc_bp", 2003))
    proof = audit.proof
    assert proof is not None and (proof["record"], proof["value"]) == (2, 4997)
    siblings = [bytes.fromhex(node[2:]) for node in proof["proof"]]
    leaf = merkle.leaf("bms/battery_soc_bp", 2003, 4997, 0)
    assert proof["leaf"] == "0x" + leaf.hex()
    assert merkle.verify(bytes.fromhex(proof["root"][2:]), leaf, siblings)


@pytest.mark.parametrize("change", [{"value": 1}, {"at_ms": 1}, {"quality": 1}, {"point": "bms/x_w"}])
def test_a_changed_reading_breaks_its_root(change) -> None:
    lines = rows()
    lines[3] |= change
    audit = audited(lines, wanted=Wanted("bms/battery_soc_bp", 1000))
    assert [str(f) for f in audit.faults] == ["record 1: its 5 readings do not give its Merkle root over 5"]
    assert (audit.roots, audit.proof) == (2, None)


def test_readings_that_are_not_there_are_told_and_more_than_there_were_is_wrong() -> None:
    lines = rows()
    audit = audited(lines[:2] + lines[6:])
    assert audit.faults == []
    assert audit.notes == ["record 1: 1 of its 5 readings are here: root not checked"]
    doubled = audited([*lines[:6], lines[5], *lines[6:]])
    assert "its 6 readings" in str(doubled.faults[0])


def test_an_unsigned_last_record_is_young_and_one_in_the_middle_is_wrong() -> None:
    assert audited(rows(unsigned=3)).notes == ["record 3: not signed yet"]
    assert [str(f) for f in audited(rows(unsigned=2)).faults] == ["record 2: not signed"]


def test_another_key_and_a_jump_and_nothing_at_all() -> None:
    other = KeySigner(b"\x02" * 32).address
    assert len(audited(rows(), signer=other).faults) == 3
    lines = [line for line in rows(4, gap_at=3) if line.get("sequence") != 2 and line.get("record") != 2]
    audit = audited(lines)
    assert (audit.faults, audit.notes) == ([], ["record 3: gap, store lost, skips from 1"])
    assert audited([]).notes == ["no records at all"]


def test_a_body_that_cannot_be_read_is_a_fault_and_the_walk_goes_on() -> None:
    lines = rows()
    lines[0]["body"] = "{}"
    audit = audited(lines)
    assert len(audit.faults) == 1 and audit.roots == 2


def test_bounds_end_a_hostile_file(monkeypatch) -> None:
    monkeypatch.setattr(audits, "FAULTS_MAX", 2)
    with pytest.raises(ValueError, match="more than 2 faults"):
        audited(rows(5), signer="0x" + "00" * 20)
    monkeypatch.setattr(audits, "LEAVES_MAX", 3)
    with pytest.raises(ValueError, match="more than 3 readings"):
        audited(rows())


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"type": "other"},
        {"type": "reading", "record": 1},
        {"type": "record"},
        {"type": "record", "sequence": True, "kind": "gap", "body": ""},
        {"type": "record", "sequence": 0, "kind": "gap", "body": ""},
        {"type": "record", "sequence": 1, "kind": "gap", "body": "", "previous": "00"},
        {"type": "record", "sequence": 1, "kind": "gap", "body": "", "previous": "0x00"},
        {"type": "record", "sequence": 1, "kind": "gap", "body": "", "previous": "0xzz"},
    ],
)
def test_a_line_that_is_neither_is_refused(line) -> None:
    with pytest.raises(ValueError):
        Audit().row(line)


def test_two_places_in_one_chain_are_told() -> None:
    audit = Audit(places=[(1, DOMAIN.contract, "elsewhere")])
    for line in rows():
        audit.row(line)
    audit.finish()
    assert audit.notes == ["records for 2 different places (chain, contract, site)"]


def test_a_reading_must_stand_behind_its_record() -> None:
    lines = rows()
    with pytest.raises(ValueError, match="a reading of record 1 is not behind"):
        audited([*lines, lines[1]])


@given(st.dictionaries(st.sampled_from(["type", "sequence", "kind", "body", "previous", "digest"]), JSON))
def test_any_row_is_judged_or_refused(row) -> None:
    with pytest.raises(ValueError):
        record_of(row)


@given(st.dictionaries(st.sampled_from(["point", "at_ms", "value", "quality"]), JSON))
def test_any_reading_is_a_leaf_or_refused(row) -> None:
    try:
        assert len(merkle.leaf(*reading_of(row))) == 32
    except ValueError as error:
        assert str(error)


def test_what_the_life_of_a_key_says_is_told() -> None:
    previous, lines = GENESIS, []
    other = KeySigner(b"\x02" * 32)
    agreed = other.sign(possession.digest(DOMAIN, KEY.address, 7, "meadow"))
    made = [
        (SETUP, KEY),
        (Rotation(5, other.address.lower(), 7, agreed), KEY),
        (REVOCATION, other),
    ]
    for number, (body, key) in enumerate(made, 1):
        record = records.seal(DOMAIN, "meadow", number, previous, body)
        record, previous = records.signed(record, key.sign(record.digest)), record.digest
        fields = {name: "0x" + getattr(record, name).hex() for name in ("previous", "digest", "signature")}
        lines.append(
            {"type": "record", "sequence": number, "kind": record.kind, "body": record.body, **fields}
        )
    audit = audited(lines)
    assert (audit.faults, audit.signed_by) == ([], [KEY.address, other.address])
    assert audit.notes == [
        f"record 1: from 1000 on by gridseal 0.1.0, configuration 0x{'44' * 32}, profiles 0x{'55' * 32}",
        f"record 2: the key hands over to {other.address}",
        "record 3: the key is revoked, compromised",
    ]
