"""The ASCII adapter protocol: strict lines, whatever the pieces they come in; nothing is ever repaired."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.can.lawicel import LINE_MAX, Lines, encode, parse
from gateway.driver import CanFrame
from gateway.errors import FrameError

FRAMES = st.one_of(
    st.builds(CanFrame, st.integers(0, 0x7FF), st.binary(max_size=8)),
    st.builds(CanFrame, st.integers(0, 0x1FFF_FFFF), st.binary(max_size=8), st.just(True)),
)
NOISE = st.binary(max_size=40).map(lambda b: b.replace(b"\r", b"").replace(b"\a", b""))


def is_frame(line: bytes) -> bool:
    try:
        parse(line)
    except FrameError:
        return False
    return True


def test_known_lines():
    rec = CanFrame(0x351, bytes.fromhex("1F01BC02E803E700"))
    assert encode(rec) == b"t35181F01BC02E803E700\r"
    assert Lines().feed(b"t35181f01bc02E803E700\r") == [rec]
    assert encode(CanFrame(0x4210, b"\x01", True)) == b"T00004210101\r"
    assert encode(CanFrame(0x305, bytes(8))) == b"t30580000000000000000\r"
    assert parse(b"t0000") == CanFrame(0, b"")


@pytest.mark.parametrize(
    "line",
    [
        b"t3518",  # bytes missing
        b"t35181F01BC02E803E7",
        b"t35181F01BC02E803E70",
        b"t35181F01BC02E803E70000",  # too many
        b"t35181F01BC02E803E700BEEF",  # a time stamp: we never asked for one, and cannot tell it from data
        b"t35191F01BC02E803E700FF",  # nine
        b"t80001",
        b"t8000",  # above 11 bits
        b"T200000000",  # above 29 bits
        b"t 3510",
        b"t3510 ",
        b"t+350",
        b"t0x30",
        b"t3_510",
        b"T3510",
        b"d3518" + b"0" * 16,  # CAN FD
        b"xt3510",
        b"V1013",
        b"\x00",
        b"\xff\xfe",
    ],
)
def test_damaged_lines_are_dropped_and_counted(line):
    lines = Lines()
    good = b"t35510A\r"
    assert lines.feed(good + line + b"\r" + good) == [CanFrame(0x355, b"\n")] * 2
    assert (lines.malformed, lines.accepted, lines.refused) == (1, 0, 0)


def test_answers_are_told_apart_from_frames():
    lines = Lines()
    assert lines.feed(b"\r\az\rZ\r\r\at35510A\rr3558\rR000043558\r") == [CanFrame(0x355, b"\n")]
    assert (lines.accepted, lines.refused, lines.remote, lines.malformed) == (4, 2, 2, 0)


def test_a_bell_ends_what_stands_before_it():
    lines = Lines()
    assert lines.feed(b"t355\at35510A\r") == [CanFrame(0x355, b"\n")]
    assert (lines.refused, lines.malformed) == (1, 1)


def test_a_line_without_end_is_held_in_bounds_and_dropped_once():
    lines = Lines()
    for _ in range(1000):
        assert lines.feed(b"t" * 1000) == []
        assert len(lines._rest) <= LINE_MAX
    assert lines.feed(b"35510A\rt35510A\r") == [CanFrame(0x355, b"\n")]
    assert lines.malformed == 1


@pytest.mark.parametrize(
    "bad", [CanFrame(0x800, b""), CanFrame(-1, b""), CanFrame(0x2000_0000, b"", True), CanFrame(1, bytes(9))]
)
def test_only_frames_are_encoded(bad):
    with pytest.raises(ValueError, match="not a CAN frame"):
        encode(bad)


@given(FRAMES)
def test_round_trip(frame):
    assert parse(encode(frame)[:-1]) == frame
    assert len(encode(frame)) <= LINE_MAX + 1


@given(st.lists(FRAMES, max_size=8), st.data())
def test_pieces_make_no_difference(frames, data):
    stream = b"".join(map(encode, frames))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    whole, pieces, bytewise = Lines(), Lines(), Lines()
    assert whole.feed(stream) == frames
    bounds = [0, *cuts, len(stream)]
    got = [f for a, b in pairwise(bounds) for f in pieces.feed(stream[a:b])]
    assert got == frames
    assert [f for byte in stream for f in bytewise.feed(bytes([byte]))] == frames


@given(FRAMES, st.data())
def test_a_line_cut_short_is_never_a_frame(frame, data):
    line = encode(frame)[:-1]
    size = data.draw(st.integers(1, len(line) - 1))
    lines = Lines()
    assert lines.feed(line[:size] + b"\r" + encode(frame)) == [frame]
    assert lines.malformed == 1


@given(NOISE, FRAMES, NOISE, FRAMES)
def test_garbage_around_costs_at_most_its_own_line(before, first, after, second):
    """Noise on its own line costs nothing; glued to a frame it takes that along, never alters it."""
    lines = Lines()
    got = lines.feed(before + b"\r" + encode(first) + after + encode(second) + encode(second))
    expected = [first]
    if is_frame(after + encode(second)[:-1]):
        expected.append(parse(after + encode(second)[:-1]))
    own = [parse(before)] if is_frame(before) else []
    assert got == own + expected + [second]


@given(st.binary(max_size=200), st.integers(1, 7))
def test_any_bytes_in_any_pieces(data, size):
    whole, pieces = Lines(), Lines()
    frames = whole.feed(data)
    got = [f for i in range(0, len(data), size) for f in pieces.feed(data[i : i + size])]
    assert got == frames
    assert (pieces.accepted, pieces.refused) == (whole.accepted, whole.refused)
    assert all(b"\r" + encode(f)[:-1].upper() in b"\r" + data.replace(b"\a", b"\r").upper() for f in frames)
    assert len(pieces._rest) <= LINE_MAX
