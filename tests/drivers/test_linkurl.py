"""Options of a link URL: each once, and only those that are known."""

from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.linkurl import options, options_of
from gateway.errors import ConfigError

KNOWN = frozenset({"baud", "parity", "stop"})


def refusal(query: str) -> str:
    with pytest.raises(ConfigError) as refused:
        options_of(f"x://?{query}", query, KNOWN)
    return str(refused.value)


@given(st.dictionaries(st.text(min_size=1, max_size=5), st.text(max_size=5), max_size=3))
def test_what_was_written_comes_back(said: dict[str, str]) -> None:
    assert options("x://", urlencode(said, quote_via=quote)) == said


def test_an_empty_option_is_one_too() -> None:
    assert options_of("x://", "baud=&parity=E", KNOWN) == {"baud": "", "parity": "E"}
    assert options_of("x://", "", KNOWN) == {}


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("baud=1&baud=1", "an option is given twice"),
        ("x=1&baud=2&x=", "an option is given twice"),
        ("buad=1", "unknown option 'buad', did you mean 'baud'?"),
        ("echo=1", "unknown option 'echo', known are baud, parity, stop"),
        ("baud=1&Stop=2", "unknown option 'Stop', did you mean 'stop'?"),
    ],
)
def test_a_slip_of_the_pen_is_told(query: str, says: str) -> None:
    assert refusal(query) == f"link 'x://?{query}': {says}"
