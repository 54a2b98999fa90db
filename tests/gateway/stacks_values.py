"""Clarity values for tests: Hypothesis strategies, and a value as the JSON that stacks.mjs reads."""

from hypothesis import strategies as st

from gateway.chain.stacks.codec import Ascii, Err, Int, Ok, Some, UInt, Utf8
from gateway.principal import Principal

names = st.from_regex(r"[a-z][a-z0-9-]{0,11}", fullmatch=True)
principals = st.builds(
    Principal,
    st.sampled_from((22, 20, 26, 21)),
    st.binary(min_size=20, max_size=20),
    st.just("") | names,
)
leaves = (
    st.none()
    | st.booleans()
    | st.binary(max_size=40)
    | principals
    | st.builds(Int, st.integers(-(2**127), 2**127 - 1))
    | st.builds(UInt, st.integers(0, 2**128 - 1))
    | st.builds(Ascii, st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30))
    | st.builds(Utf8, st.text(st.characters(exclude_categories=("Cs",)), max_size=30))
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(names, inner, min_size=1, max_size=4)
        | st.builds(Some, inner)
        | st.builds(Ok, inner)
        | st.builds(Err, inner)
    ),
    max_leaves=12,
)


def shown(value) -> list:
    """[type, value] for stacks.mjs."""
    match value:
        case None:
            return ["none", None]
        case bool():
            return ["bool", value]
        case bytes():
            return ["buffer", value.hex()]
        case Principal():
            return ["principal", str(value)]
        case Int(number) | UInt(number):
            return [type(value).__name__.lower(), str(number)]
        case Ascii(text) | Utf8(text):
            return [type(value).__name__.lower(), text]
        case Some(inner) | Ok(inner) | Err(inner):
            return [type(value).__name__.lower(), shown(inner)]
        case dict():
            return ["tuple", [[name, shown(field)] for name, field in value.items()]]
    return ["list", [shown(item) for item in value]]
