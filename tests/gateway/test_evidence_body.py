"""Canonical bodies: a round trip for any record, and one-line refusals for anything else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.evidence import body as bodies
from gateway.evidence.body import BODY_CHARS_MAX, Statement
from gateway.evidence.typed import KINDS
from tests.gateway.evidence_samples import (
    ALL_BODIES,
    DELIVERY,
    DOMAIN,
    DOMAINS,
    GAP,
    INTERVAL,
    REVOCATION,
    ROTATION,
    SETUP,
)

KIND_OF = {cls: kind for kind, cls in KINDS.items()}


@given(DOMAINS, st.text(max_size=40).filter(str.isprintable), ALL_BODIES)
def test_what_is_written_is_read_back(domain, site, body) -> None:
    text = bodies.write(domain, site, body)
    assert bodies.read(KIND_OF[type(body)], text) == Statement(domain, site, body)
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert len(text) < BODY_CHARS_MAX


@pytest.mark.parametrize("body", [INTERVAL, DELIVERY, GAP, SETUP, ROTATION, REVOCATION])
def test_any_field_missing_added_or_of_another_type_is_refused(body) -> None:
    kind = KIND_OF[type(body)]
    fields = json.loads(bodies.write(DOMAIN, "s", body))
    for name in fields:
        without = {k: v for k, v in fields.items() if k != name}
        for bad in (without, {**fields, name: None}, {**fields, name: True}, {**fields, name: 1.5}):
            with pytest.raises(ValueError):
                bodies.read(kind, json.dumps(bad))
    with pytest.raises(ValueError, match="extra"):
        bodies.read(kind, json.dumps({**fields, "extra": 1}))


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        ("delivery", {"curtailments": [[99, 1]]}, "cause 99, beyond"),
        ("delivery", {"curtailments": [[-1, 1]]}, "cause -1, beyond"),
        ("delivery", {"curtailments": [[1, 1], [1, 2]]}, "cause 1 twice"),
        ("delivery", {"curtailments": [[1, 1.5]]}, "time is not an integer"),
        ("delivery", {"curtailments": [[True, 1]]}, "cause is not an integer"),
        ("delivery", {"curtailments": [[1]]}, "list of pairs"),
        ("delivery", {"curtailments": {"1": 2}}, "list of pairs"),
        ("delivery", {"outcome": 9}, "outcome 9"),
        ("delivery", {"command_id": "0x12"}, "command_id is not"),
        ("interval", {"clock": 3}, "3"),
        ("interval", {"merkle_root": "0x" + "zz" * 32}, "hex"),
        ("interval", {"merkle_root": "0x" + "ab" * 31 + "  "}, "hex"),  # 31 bytes: a struct would fill up
        ("setup", {"software": ""}, "1 to 64 characters"),
        ("setup", {"software": "x" * 65}, "1 to 64 characters"),
        ("setup", {"profiles": "0x" + "ab" * 33}, "64 hex digits"),
        ("rotation", {"next": "0x" + "AB" * 20}, "lower-case address"),  # one record has one body
        ("rotation", {"next": "0x" + "ab" * 19}, "lower-case address"),
        ("rotation", {"possession": "0x" + "ab" * 64}, "130 hex digits"),
        ("revocation", {"reason": 3}, "3"),
        ("gap", {"cause": 0}, "0"),
        ("gap", {"contract": "0x12"}, "not a contract address"),
        ("gap", {"contract": "0x" + "zz" * 20}, "hex"),
        ("gap", {"chain_id": -1}, "chain_id"),
        ("gap", {"site": 5}, "strings"),
    ],
)
def test_values_outside_the_vocabulary_are_refused(kind, change, said) -> None:
    samples = (INTERVAL, DELIVERY, GAP, SETUP, ROTATION, REVOCATION)
    body = next(sample for sample in samples if KIND_OF[type(sample)] == kind)
    fields = json.loads(bodies.write(DOMAIN, "s", body)) | change
    with pytest.raises(ValueError, match=said):
        bodies.read(kind, json.dumps(fields))


@given(st.text(max_size=200))
def test_any_text_is_a_statement_or_a_value_error(text) -> None:
    for kind in (*KINDS, "other"):
        with pytest.raises(ValueError):
            bodies.read(kind, text)


def test_hostile_json_is_refused_in_bounds() -> None:
    for text in ("[" * 4000, "1" * 4096, "x" * (BODY_CHARS_MAX + 1), "[]", '{"a":NaN}'):
        with pytest.raises(ValueError):
            bodies.read("interval", text)


def test_a_field_named_twice_is_refused() -> None:
    """Readers differ on which of the two counts; the digest would be that of one of them."""
    text = bodies.write(DOMAIN, "s", GAP)
    with pytest.raises(ValueError, match="twice"):
        bodies.read("gap", text.replace('{"cause"', '{"cause":1,"cause"'))
