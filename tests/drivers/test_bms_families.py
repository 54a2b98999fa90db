"""Every family with its recorded replies: what they mean, and that nothing else is ever a reading.

Each property runs on every recorded reply: whole, byte by byte, cut, between garbage, one after the other,
damaged in one byte.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.bms.families import FAMILIES
from drivers.bms.family import BUFFER_MAX
from drivers.bms.values import names
from gateway.model import UNITS
from tests.drivers.bms_frames import cases, frames, reading, readings

CASES = list(cases())
REPLIES = [reply for case in CASES for reply in case.replies]
each_reply = pytest.mark.parametrize("reply", REPLIES, ids=str)
few = settings(max_examples=25)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.family.name}: {case.name}")
def test_recorded_replies_mean_what_their_source_says(case):
    told, texts = {}, {}
    assembler = case.family.assembler()
    for reply in case.replies:
        (frame,) = assembler.feed(reply.raw)
        assert reply.request.answered_by(frame, reply.address)
        assert len(reply.raw) <= reply.request.reply_max
        if reply.request in reply.family.introduction(reply.address):
            texts |= reply.family.texts(reply.request.kind, frame.data)
        told |= reading(reply, frame)
    assert told == case.told
    assert texts == case.texts
    assert assembler.dropped == 0


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_points_end_in_units_and_every_family_is_recorded(family):
    assert all(name.rsplit("_", 1)[1] in UNITS for name in names(family))
    mine = [case for case in CASES if case.family is family]
    assert mine
    assert {name for case in mine for name in case.told} <= set(family.points)


@each_reply
def test_a_reply_is_the_same_in_pieces(reply):
    whole = readings(reply, [reply.raw])
    assert len(whole) == 1
    assert readings(reply, [bytes([byte]) for byte in reply.raw]) == whole
    assert readings(reply, [reply.raw + reply.raw + reply.raw]) == whole * 3


@each_reply
@few
@given(st.data())
def test_a_cut_reply_is_none_and_does_not_harm_the_next(reply, data):
    cut = data.draw(st.integers(0, len(reply.raw) - 1))
    assert readings(reply, [reply.raw[:cut]]) == []
    assembler = reply.session()
    assembler.feed(reply.raw[:cut])
    assembler.reset()
    assert not assembler.partial
    assert len(assembler.feed(reply.raw)) == 1


@each_reply
@few
@given(st.data())
def test_a_reply_between_garbage_is_found(reply, data):
    starts = {start[0] for start in reply.family.envelope().starts}
    garbage = st.binary(max_size=40).map(lambda b: bytes(byte for byte in b if byte not in starts))
    before, after = data.draw(garbage), data.draw(garbage)
    assert readings(reply, [before + reply.raw + after]) == readings(reply, [reply.raw])


@each_reply
@few
@given(st.data())
def test_a_damaged_reply_is_no_reading(reply, data):
    at = data.draw(st.integers(0, len(reply.raw) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != reply.raw[at]))
    damaged = reply.raw[:at] + bytes([byte]) + reply.raw[at + 1 :]
    assert readings(reply, [damaged]) == []


@each_reply
def test_a_reply_that_breaks_off_and_begins_again_is_itself_or_none(reply):
    """Wherever: the beginning of one and the rest of the next are never put together."""
    whole = readings(reply, [reply.raw])
    for cut in range(1, len(reply.raw)):
        for said in cut_off(reply, cut):
            assert readings(reply, [reply.raw[:cut] + said]) in ([], whole), cut


def cut_off(reply, cut):
    """What may come next: the same again, or another with another sum."""
    yield reply.raw
    for case in CASES:
        if reply in case.replies:
            for other in case.replies:
                if other.request != reply.request:
                    yield other.raw + reply.raw


@each_reply
def test_a_reply_with_one_bit_changed_is_no_reading(reply):
    """Every bit of every recorded reply."""
    for bit in range(8 * len(reply.raw)):
        damaged = bytearray(reply.raw)
        damaged[bit // 8] ^= 1 << bit % 8
        assert readings(reply, [bytes(damaged)]) == [], bit


@each_reply
@few
@given(st.lists(st.binary(max_size=600), max_size=12))
def test_no_bytes_are_too_bad(reply, chunks):
    """Whatever comes, decoding raises nothing but FrameError and the memory stays bounded."""
    assembler = reply.session()
    for chunk in (*chunks, reply.raw[:7], *chunks):
        for frame in assembler.feed(chunk):
            reading(reply, frame)
        assert len(assembler._buffer) < BUFFER_MAX


@each_reply
@few
@given(st.binary(max_size=400))
def test_any_data_decodes_or_is_refused(reply, data):
    """Past the envelope, as if every checksum were right."""
    for frame in frames(reply, [reply.raw]):
        for changed in (data, frame.data[: len(data)], frame.data + data):
            values = reading(reply, type(frame)(frame.kind, changed, frame.address))
            assert values is None or set(values) <= set(reply.family.points)
