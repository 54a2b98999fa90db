"""docs/durability.md names tests that exist and words that the program says."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/durability.md").read_text()
SOURCES = "\n".join(p.read_text() for p in (ROOT / "gateway").rglob("*.py"))
WORDS = (
    "is full: free some space, or lower store.size",
    "the database was set aside as",
    "takes no writes any more (",
    ": look at the kernel's log, and replace the card",
    ": the next start puts it away",
    "has not answered for",
    "was taken away while it was in use",
    "is in use by another gridseal: stop that one first",
    "were signed, and the store ends with",
    "it is from an old",
    "the database was written by a newer Gridseal",
    "it is not a Gridseal database",
    "orders wait until the clock is synchronised",
)


def test_every_test_it_names_is_there():
    named = set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE))
    assert len(named) > 20
    for file, test in named:
        assert f"def {test}" in (ROOT / file).read_text(), (file, test)


@pytest.mark.parametrize("words", WORDS)
def test_what_the_operator_reads_is_what_is_said(words):
    assert words in PAGE
    assert words in SOURCES
