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
    "the database was written by a newer Gridseal",
    "it is not a Gridseal database",
    "orders wait until the clock is synchronised",
)


def test_every_test_it_names_is_there():
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", PAGE))
    assert len(named) > 8
    assert [name for name in named if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("words", WORDS)
def test_what_the_operator_reads_is_what_is_said(words):
    assert words in PAGE
    assert words in SOURCES
