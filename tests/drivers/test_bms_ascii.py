"""The ASCII envelope of Pylontech and Seplos: requests, lengths, return codes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bms.ascii import ENVELOPE, LENGTH_MAX, _length_check, checksum, reply_max, request
from drivers.bms.family import ANY, Assembler, Frame
from tests.drivers.bms_frames import ascii_reply


def summed(body: bytes) -> bytes:
    return b"~" + body + checksum(body) + b"\r"


def test_requests_are_those_of_the_vendor():
    assert request(2, 0x42, b"\x02") == b"~20024642E00202FD33\r"  # python-pylontech
    assert request(0, 0x4F) == b"~2000464F0000FD9A\r"  # esphome-seplos-bms issue 13


@given(st.binary(max_size=LENGTH_MAX // 2), st.integers(0, 255))
def test_a_reply_is_what_it_carries(data, address):
    raw = ascii_reply(data, address=address)
    assert Assembler(ENVELOPE).feed(raw) == [Frame(ANY, data, address)]
    assert len(raw) == reply_max(len(data))


@pytest.mark.parametrize("code", [0x01, 0x06, 0x90, 0x91, 0xE1])
def test_a_return_code_is_a_refusal(code):
    assert Assembler(ENVELOPE).feed(ascii_reply(b"", code=code)) == [Frame(ANY, b"", 2, refused=code)]


def test_a_request_is_no_ascii_reply():
    assembler = Assembler(ENVELOPE)
    assert assembler.feed(request(2, 0x42, b"\x02") + request(2, 0x92, b"\x02")) == []
    assert assembler.dropped == 0


@pytest.mark.parametrize(
    ("raw", "dropped"),
    [
        (ascii_reply(b"\x01", version=0x25), 1),
        (ascii_reply(b"\x01", kind=0x4A), 1),
        (ascii_reply(b"\x01")[:-1] + b"\n", 1),
        (ascii_reply(b"\xab").replace(b"AB", b"ab"), 1),
        (summed(b"200246001002AB"), 0),  # the length's own checksum
        (summed(b"20024600F001A"), 0),  # half a byte
        (summed(b"200246zz0000"), 0),
        (b"~20024600" + f"{_length_check(0x202) << 12 | 0x202:04X}".encode() + b"0" * 600, 0),
    ],
    ids=["version", "type", "end", "small digits", "length check", "odd", "no digits", "too long"],
)
def test_what_is_no_frame(raw, dropped):
    assembler = Assembler(ENVELOPE)
    assert assembler.feed(raw) == []
    assert assembler.dropped == dropped
