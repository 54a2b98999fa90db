"""What a server says of a node as JSON and back: the same reading, whatever it was."""

import json
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.opcua import codec
from drivers.opcua.codec import TYPES, Heard
from drivers.opcua.spelling import TEXT_MAX, heard_of, said_of
from gateway.errors import FrameError
from tests.drivers.test_opcua_codec import anything, field, names

NUMBERS = {
    type_: st.floats() if bounds is None else st.booleans() if type_ == "Boolean" else st.integers(*bounds)
    for type_, bounds in TYPES.items()
}
MOMENTS = st.one_of(st.none(), st.integers(-(2**63), 2**63))


def again(heard: Heard) -> Heard:
    return heard_of(json.loads(json.dumps(said_of(heard), allow_nan=False)))


@given(
    st.sampled_from(sorted(TYPES)).flatmap(lambda t: st.tuples(st.just(t), NUMBERS[t])),
    st.integers(0, 2**32 - 1),
    MOMENTS,
)
def test_every_value_that_the_codec_takes_comes_back_as_it_was(pair, status, source_ms):
    type_, value = pair
    heard = Heard(type_, value, status, source_ms)
    back = again(heard)
    assert (back.type, back.status, back.source_ms) == (type_, status, source_ms)
    assert type(back.value) is type(value)
    assert back.value == value or (math.isnan(value) and math.isnan(back.value))
    assert math.copysign(1, back.value) == math.copysign(1, value) or math.isnan(value)


@given(names, anything, st.integers(0, 2**32 - 1), MOMENTS, st.sampled_from(sorted(TYPES)))
def test_whatever_a_server_says_is_the_same_reading_afterwards(name, value, status, source_ms, type_):
    """Also a mismatch stays one: what is no reading does not become one on the way."""
    told = field(type_, low=-(10**9), high=10**9, aged_ms=5000)
    heard = Heard(name, value, status, source_ms)

    def reading(said):
        try:
            return codec.decode(told, said, 7_000)
        except TypeError:
            return "another type"

    assert reading(again(heard)) == reading(heard)


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 11, 27, 8, 0, 0, 123456, tzinfo=UTC),
        datetime(2026, 11, 27, tzinfo=timezone(timedelta(hours=2))),
        datetime(1601, 1, 1),  # noqa: DTZ001 - a server that does not say of where
    ],
)
def test_a_servers_time_comes_back_with_its_zone_or_without(moment):
    assert again(Heard("DateTime", moment)).value == moment


@given(st.text(max_size=200))
def test_a_text_comes_back_as_far_as_anybody_reads_it(text):
    assert again(Heard("String", text)).value == text[:TEXT_MAX]


@pytest.mark.parametrize(
    "heard",
    [
        Heard("[]Double", [1.0, 2.0]),
        Heard("ByteString", b"key"),
        Heard("ExtensionObject", object()),
        Heard("Double", "NaN"),
        Heard("LocalizedText", "word"),
    ],
    ids=lambda h: h.type,
)
def test_what_no_reading_is_made_of_keeps_its_type_and_loses_its_value(heard):
    assert again(heard) == Heard(heard.type, None)


@pytest.mark.parametrize(
    "said",
    [
        None, "Double", [], ["Double", 1.0, 0], ["Double", 1.0, -1, None], ["Double", 1.0, 2**32, None],
        ["Double", [1.0], 0, None], [1, 1.0, 0, None], ["Double", 1.0, True, None], ["Double", 1.0, 0, True],
        ["Double", 1.0, 0, "now"], ["DateTime", "yesterday", 0, None],
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_value_is_a_frame_error(said):
    with pytest.raises(FrameError):
        heard_of(said)


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
        lambda inner: st.lists(inner, max_size=5),
        max_leaves=8,
    )
)
def test_garbage_is_a_value_or_a_frame_error(said):
    try:
        heard_of(said)
    except FrameError:
        return
    assert isinstance(said, list) and len(said) == 4
