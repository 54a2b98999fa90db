"""The assembler: frames out of a stream of pieces, whatever else is on the wire, in bounded memory."""

from hypothesis import given
from hypothesis import strategies as st

from drivers.bms.family import ANY, BUFFER_MAX, Assembler, Envelope, Frame, Request
from gateway.errors import FrameError


def open_frame(frame: bytes) -> Frame | None:
    if sum(frame[2:-1]) & 0xFF != frame[-1]:
        raise FrameError("sum")
    return None if frame[2] == 0xA5 else Frame(frame[2], frame[4:-1])


# <: kind length data sum
ENVELOPE = Envelope((b"<:",), 4, lambda head: 5 + head[3] if head[3] < 200 else 0, open_frame)


def wire(kind: int, data: bytes) -> bytes:
    body = bytes([kind, len(data)]) + data
    return b"<:" + body + bytes([sum(body) & 0xFF])


FRAMES = st.lists(
    st.tuples(st.integers(0, 255).filter(lambda k: k != 0xA5), st.binary(max_size=199)), max_size=5
)


@given(FRAMES, st.data())
def test_frames_come_out_whatever_the_pieces(sent, data):
    stream = b"".join(wire(kind, inside) for kind, inside in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    assembler = Assembler(ENVELOPE)
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    found = [frame for piece in pieces for frame in assembler.feed(piece)]
    assert found == [Frame(kind, inside) for kind, inside in sent]
    assert not assembler.partial and assembler.dropped == 0


def test_a_request_on_the_wire_is_no_reply_and_no_damage():
    assembler = Assembler(ENVELOPE)
    assert assembler.feed(wire(0xA5, b"ask") + wire(3, b"told")) == [Frame(3, b"told")]
    assert assembler.dropped == 0


def test_a_frame_inside_a_damaged_one_is_found():
    assembler = Assembler(ENVELOPE)
    damaged = b"<:\x07\x0f" + wire(3, b"told") + b"\x01" * 7
    assert assembler.feed(damaged) == [Frame(3, b"told")]
    assert assembler.dropped == 1


def test_what_cannot_be_a_frame_costs_one_byte_and_is_not_counted():
    assembler = Assembler(ENVELOPE)
    assert assembler.feed(b"<:\x01\xff" + wire(3, b"")) == [Frame(3, b"")]
    assert assembler.feed(b"<<<" + wire(4, b"")) == [Frame(4, b"")]
    assert assembler.dropped == 0


def test_a_partial_frame_waits_until_it_is_given_up():
    assembler = Assembler(ENVELOPE)
    whole = wire(3, b"told")
    assert assembler.feed(whole[:1]) == [] and assembler.partial
    assembler.reset()
    assert not assembler.partial
    assert assembler.feed(whole[1:]) == [] and not assembler.partial
    assert assembler.feed(whole) == [Frame(3, b"told")]


def test_a_frame_behind_a_false_start_is_found_when_asked_for():
    assembler = Assembler(ENVELOPE)
    whole = wire(3, b"told")
    assert assembler.feed(b"<:\x01\x90" + whole) == []
    assert assembler.beyond() == [Frame(3, b"told")]
    assert not assembler.partial


def test_a_frame_that_pauses_loses_nothing_by_it():
    assembler = Assembler(ENVELOPE)
    whole = wire(3, b"<:told<")
    for at in range(len(whole)):
        assert assembler.feed(whole[at : at + 1]) == ([Frame(3, b"<:told<")] if at == len(whole) - 1 else [])
        assert assembler.beyond() == []


def test_a_length_beyond_the_buffer_is_none():
    endless = Envelope((b"<:",), 4, lambda _head: BUFFER_MAX + 1, open_frame)
    assembler = Assembler(endless)
    assert assembler.feed(b"<:" * BUFFER_MAX) == []
    assert len(assembler._buffer) < 8


def test_who_answers():
    request = Request("basic", b"?", 3, 20)
    assert request.answered_by(Frame(3, b"", 7), 7)
    assert request.answered_by(Frame(ANY, b"", 7), 7)
    assert not request.answered_by(Frame(4, b"", 7), 7)
    assert not request.answered_by(Frame(3, b"", 8), 7)
