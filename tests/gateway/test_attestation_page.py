"""docs/attestation.md is normative: its types, bit layouts and vectors are those of the code."""

import json
import re
from pathlib import Path

from contracts import vectors

from gateway.chain.platforms import storage
from gateway.evidence import body, merkle, records, typed
from gateway.evidence.audit import record_of
from gateway.model import Cause, IntervalFlag

PAGE = Path("docs/attestation.md").read_text()
SOURCES = "".join(p.read_text() for p in Path("hardware-in-loop/contracts/src").glob("Records.sol"))


def printed() -> dict:
    block = PAGE.split(vectors.BEGIN)[1].split(vectors.END)[0]
    return json.loads(re.search(r"```json\n(.*)\n```", block, re.S).group(1))


def test_the_vectors_are_made_again_the_same() -> None:
    assert vectors.block() in PAGE


def test_the_printed_vectors_verify_on_their_own() -> None:
    shown = printed()
    links = [record_of(row) for row in shown["records"]]
    assert records.check(links, shown["address"]) == []
    assert [link.sequence for link in links] == [1, 2, 9]
    tree = shown["tree"]
    leaf = bytes.fromhex(tree["leaves"][1][2:])
    siblings = [bytes.fromhex(node[2:]) for node in tree["proof of readings[1]"]]
    assert merkle.leaf(*tree["readings"][1]) == leaf
    assert merkle.verify(bytes.fromhex(tree["root"][2:]), leaf, siblings)


def test_the_types_are_printed_as_they_are_hashed_here_and_in_solidity() -> None:
    for text in (typed.INTERVAL_TYPE, typed.DELIVERY_TYPE, typed.GAP_TYPE):
        assert f"\n{text}\n" in PAGE
        assert f'"{text}"' in SOURCES
    assert typed.DOMAIN_TYPE in PAGE


def test_every_number_of_the_vocabulary_is_on_the_page() -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith("| `causes`"))
    assert re.findall(r"\b(\d+) [a-zA-Z]", row) == [str(i) for i in range(len(Cause))]
    row = next(line for line in PAGE.splitlines() if line.startswith("| `flags`"))
    assert re.findall(r"\b(\d+) [a-z]", row) == [str(flag.value) for flag in IntervalFlag]
    row = next(line for line in PAGE.splitlines() if line.startswith("| `cause`"))
    assert re.findall(r"\b(\d) [a-z]", row) == [str(c.value) for c in typed.GapCause]


def test_the_body_names_are_on_the_page() -> None:
    for cls in typed.KINDS.values():
        for name in (*body._HEAD, *cls.__dataclass_fields__):
            assert f"`{name}`" in PAGE, name


def test_the_bit_layout_is_that_of_the_adapter() -> None:
    for word, fields in (("status", storage._STATUS), ("figures", storage._FIGURES)):
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{word}`"))
        for name, low, width in fields:
            assert f"{name.rsplit('_', 1)[0]} {low}, {width}" in row, name
