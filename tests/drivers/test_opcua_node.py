"""Node ids as the standard writes them, in namespaces by URI."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.opcua.node import STANDARD, Node, parse

HOME = "urn:acme:ess"


@pytest.mark.parametrize(
    ("text", "kind", "identifier"),
    [
        ("s=Battery.SoC", "s", "Battery.SoC"),
        ("s=with;a=semicolon and spaces", "s", "with;a=semicolon and spaces"),
        ("i=0", "i", 0),
        ("i=4294967295", "i", 2**32 - 1),
        ("g=09087e75-8e5e-499b-954f-f2a9603db28a", "g", UUID("09087e75-8e5e-499b-954f-f2a9603db28a")),
        ("b=bm9kZQ==", "b", b"node"),
    ],
)
def test_every_kind_is_read_in_the_namespace_of_the_file(text, kind, identifier):
    assert parse(text, HOME) == Node(HOME, kind, identifier)


def test_a_namespace_of_its_own_wins_and_may_hold_what_would_end_it():
    assert parse(f"nsu={STANDARD};i=2258", HOME) == Node(STANDARD, "i", 2258)
    assert parse("nsu=urn:a%3Bb%25;s=x").namespace == "urn:a;b%"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ns=2;s=Battery.SoC", "nsu=<URI>;s=Battery.SoC"),
        ("Battery.SoC", "is no node"),
        ("i=-1", "is no node"),
        ("i=4294967296", "is no node"),
        ("i=٣", "is no node"),
        ("g=not-a-guid", "is no node"),
        ("b=***", "is no node"),
        ("s=", "is no node"),
        ("s=" + "x" * 4097, "is no node"),
        ("nsu=;i=1", "is no node"),
        ("", "is no node"),
    ],
)
def test_what_is_no_node_says_what_to_write(text, says):
    with pytest.raises(ValueError, match=says):
        parse(text, HOME)


def test_a_node_needs_a_namespace():
    with pytest.raises(ValueError, match=r"write nsu=<URI>;s=x, or namespace:"):
        parse("s=x")


@given(st.text(max_size=40))
def test_any_text_is_a_node_or_a_value_error(text):
    try:
        node = parse(text, HOME)
    except ValueError:
        return
    assert node.kind in "isgb" and node.namespace


def test_it_is_shown_as_it_is_written():
    assert str(parse("s=Battery.SoC", HOME)) == "s=Battery.SoC"
    assert str(parse("i=7", HOME)) == "i=7"
    assert str(parse("b=bm9kZQ==", HOME)) == "b=6e6f6465"


@given(
    st.text(min_size=1, max_size=40),
    st.one_of(
        st.tuples(st.just("s"), st.text(min_size=1, max_size=40)),
        st.tuples(st.just("i"), st.integers(0, 2**32 - 1)),
        st.tuples(st.just("g"), st.uuids()),
        st.tuples(st.just("b"), st.binary(min_size=1, max_size=40)),
    ),
)
def test_its_own_text_is_read_as_the_same_node(namespace, known):
    node = Node(namespace, *known)
    assert parse(node.text) == node
