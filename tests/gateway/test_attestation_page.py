"""docs/attestation.md is normative: its types, bit layouts and vectors are those of the code."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from contracts import vectors

from gateway import ledger, signed_order
from gateway.chain.platforms import packed
from gateway.errors import ServiceRefused
from gateway.evidence import body, endorsement, merkle, possession, records, typed
from gateway.evidence.audit import record_of
from gateway.model import Cause, IntervalFlag, ServiceKind
from gateway.services import LAWS
from gateway.services.law import battery_error_w
from gateway.site import MqttSettings

PAGE = Path("docs/attestation.md").read_text()
ORDERS = PAGE.split("## 9. Orders")[1].split("## 10.")[0]
SOURCES = "".join(p.read_text() for p in Path("hardware-in-loop/contracts/src").iterdir())


def test_the_vectors_are_made_again_the_same() -> None:
    assert vectors.block() in PAGE


def test_the_printed_vectors_verify_on_their_own() -> None:
    shown = vectors.printed()
    links = [record_of(row) for row in shown["records"]]
    assert records.check(links, shown["address"]) == []
    assert [link.sequence for link in links] == [1, 2, 9, 10, 11, 12]
    tree = shown["tree"]
    leaf = bytes.fromhex(tree["leaves"][1][2:])
    siblings = [bytes.fromhex(node[2:]) for node in tree["proof of readings[1]"]]
    assert merkle.leaf(*tree["readings"][1]) == leaf
    assert merkle.verify(bytes.fromhex(tree["root"][2:]), leaf, siblings)


def test_the_types_are_printed_as_they_are_hashed_here_and_in_solidity() -> None:
    for text in [getattr(typed, f"{kind.upper()}_TYPE") for kind in typed.KINDS] + [
        possession.TYPE,
        endorsement.TYPE,
    ]:
        assert f"\n{text}\n" in PAGE
        assert f'"{text}"' in SOURCES
    assert f"\n{signed_order.ORDER_TYPE}\n" in PAGE
    assert typed.DOMAIN_TYPE in PAGE


def test_every_number_of_the_vocabulary_is_on_the_page() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+?)(?::.*)? \| (yes|no) \|$", PAGE, re.M)
    assert rows == [
        (str(i), cause.value, "yes" if cause in ledger.AT_DISPOSAL else "no") for i, cause in enumerate(Cause)
    ]
    row = next(line for line in PAGE.splitlines() if line.startswith("| `flags`"))
    assert re.findall(r"\b(\d+) [a-z]", row) == [str(flag.value) for flag in IntervalFlag]
    row = next(line for line in PAGE.splitlines() if line.startswith("| `cause`"))
    assert re.findall(r"\b(\d) [a-z]", row) == [str(c.value) for c in typed.GapCause]


def test_the_tolerance_is_that_of_the_ledger() -> None:
    said = re.search(r"tolerance: (\d+) W, or (\d+) % of", PAGE)
    assert int(said.group(1)) == ledger.TOLERANCE_W_MIN
    assert int(said.group(2)) * ledger.TOLERANCE_PART == 100


def test_every_service_is_there_with_its_values_in_order_and_where_it_is_measured() -> None:
    table = ORDERS.split("| service | values |")[1]
    rows = {name: rest for name, *rest in re.findall(r"^\| `([a-z-]+)` \| (.*) \| (.*) \|$", table, re.M)}
    assert set(rows) == {kind.value for kind in ServiceKind}
    for kind, law in LAWS.items():
        values, place = rows[kind.value]
        assert tuple(re.findall(r"`(\w+)`", values)) == tuple(law.parameters)
        assert (place == "the battery") == (law.error_w is battery_error_w)


def test_the_printed_order_is_one_of_its_signer() -> None:
    shown, text = vectors.printed()["order"], vectors.printed()["order"]["text"].encode()
    fields = json.loads(text)
    for name in fields:
        assert f"`{name}`" in ORDERS
    found = signed_order.read(text, vectors.DOMAIN, fields["site"], {shown["address"].lower()})
    assert found == replace(vectors.ORDER, origin=f"signed by {shown['address']}")
    assert (
        records.recover(bytes.fromhex(shown["digest"][2:]), bytes.fromhex(fields["signature"][2:]))
        == (shown["address"])
    )
    with pytest.raises(ServiceRefused):
        signed_order.read(text, vectors.DOMAIN, fields["site"], {vectors.printed()["address"].lower()})


def test_the_topics_are_those_of_the_uplink() -> None:
    assert "`gridseal/<site>/order`" in ORDERS
    assert "`gridseal/<site>/order/answer`" in ORDERS
    assert MqttSettings("broker", 8883, True).topic == "gridseal"


def test_the_body_names_are_on_the_page() -> None:
    for cls in typed.KINDS.values():
        for name in (*body._HEAD, *cls.__dataclass_fields__):
            assert f"`{name}`" in PAGE, name


def test_the_bit_layout_is_that_of_the_adapter() -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith("| `tracking`"))
    assert "powerMean 64, 32 · response 32, 32 · error 0, 32" in row
    for word, fields in (("status", packed._STATUS), ("figures", packed._FIGURES)):
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{word}`"))
        for name, low, width in fields:
            assert f"{name.rsplit('_', 1)[0]} {low}, {width}" in row, name
