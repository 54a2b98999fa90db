"""The serial CAN adapter: text in, text out, and nothing while it is closed."""

import asyncio
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rig.slcan import Adapter, decode, encode

from tests.rig.raw import running
from tests.rig.test_rig_server import heard, line


@given(st.integers(0, 0x7FF), st.binary(max_size=8), st.booleans())
def test_frames_go_out_and_back(identifier, data, extended):
    text = encode(identifier, data, extended=extended)
    assert text.endswith(b"\r") and decode(text[:-1]) == (identifier, data)


@pytest.mark.parametrize("text", [b"", b"t", b"t35", b"t3519", b"t351412", b"t3511zz", b"x3510", b"t3512FF"])
def test_what_is_no_frame_is_refused(text):
    with pytest.raises(ValueError):
        decode(text)


def test_a_session_as_a_host_has_it():
    got = []
    adapter = Adapter(lambda identifier, data: got.append((identifier, data)))
    assert adapter.feed(b"\r\r\rV\rN\rS6\r") == b"\r\r\rV1013\rNRIG1\r\r"
    assert adapter.frame(0x351, b"\1") == b"" and adapter.feed(b"t3050\r") == b"\a"
    assert adapter.feed(b"O\r") == b"\r"
    assert adapter.feed(b"S6\r") == b"\a"  # open: too late for the bit rate
    assert adapter.feed(b"t3058") == b"" and adapter.feed(b"0000000000000000\r") == b"z\r"
    assert adapter.feed(b"T000003051FF\rF\rQ\r") == b"Z\rF00\r\a"
    assert got == [(0x305, bytes(8)), (0x305, b"\xff")]
    assert adapter.frame(0x351, b"\1\2") == b"t35120102\r"
    assert adapter.feed(b"C\r") == b"\r" and adapter.frame(0x351, b"\1") == b""


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_garbage_is_answered_or_dropped(noise):
    adapter = Adapter(lambda identifier, data: None)
    for piece in noise:
        assert set(adapter.feed(piece)) <= set(b"\r\aV1013NRIGF0zZ")
    assert adapter.feed(b"\rC\rV\r").endswith(b"V1013\r")


async def test_on_a_pty_the_bms_speaks_and_hears():
    async with running(tcp=None, slcan=True) as rig:
        with line(rig.where()["slcan"]) as end:
            os.write(end, b"C\rS6\rO\rt30580000000000000000\r")
            data = await heard(end, 150)
            lines = data.split(b"\r")
            frames = dict(decode(text) for text in lines if text.startswith(b"t"))
            assert {0x351, 0x355, 0x356, 0x359, 0x35C, 0x35E, 0x373} <= set(frames)
            await asyncio.sleep(0)
            assert rig.bms.keep_alives == 1
