"""The server side of Modbus: framing whole, in pieces and under noise; requests as the standard has them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rig.devices import make
from rig.modbus import Request, RtuFraming, TcpFraming, answer, crc, refusal

from tests.rig.raw import mbap, read_pdu, write_pdu

UNITS = st.integers(0, 255)
PDUS = st.one_of(
    st.builds(read_pdu, st.integers(0, 65535), st.integers(0, 65535), st.sampled_from([3, 4])),
    st.builds(
        lambda a, v: write_pdu(a, *v), st.integers(0, 65535), st.lists(st.integers(0, 65535), max_size=20)
    ),
)


def pieces(data, sizes):
    for size in sizes:
        yield data[:size]
        data = data[size:]
    yield data


def test_the_checksum_is_the_standard_one():
    assert crc(b"123456789") == bytes((0x37, 0x4B))  # CRC-16/MODBUS check value 0x4B37


@given(st.lists(st.tuples(st.integers(0, 65535), UNITS, PDUS), max_size=5), st.lists(st.integers(0, 9)))
def test_tcp_requests_arrive_however_the_stream_is_cut(asked, sizes):
    framing, found = TcpFraming(), []
    for piece in pieces(b"".join(mbap(*one) for one in asked), sizes):
        found += framing.feed(piece)
    assert found == [Request(unit, pdu, tag) for tag, unit, pdu in asked]
    for tag, unit, pdu in asked:
        assert TcpFraming.frame(Request(unit, pdu, tag), pdu) == mbap(tag, unit, pdu)


@given(st.lists(st.tuples(UNITS, PDUS), max_size=5), st.lists(st.integers(0, 9)))
def test_rtu_requests_arrive_however_the_line_is_cut(asked, sizes):
    wire = b"".join(RtuFraming.frame(Request(unit, pdu), pdu) for unit, pdu in asked)
    framing, found = RtuFraming(), []
    for piece in pieces(wire, sizes):
        found += framing.feed(piece)
    assert found == [Request(unit, pdu) for unit, pdu in asked]


@given(st.binary(max_size=300))
def test_garbage_never_breaks_the_framing(noise):
    framing = RtuFraming()
    framing.feed(noise)
    framing.silence()
    request = Request(1, read_pdu(40000, 2))
    assert framing.feed(RtuFraming.frame(request, request.pdu)) == [request]
    try:
        TcpFraming().feed(noise)
    except ValueError as error:
        assert str(error) == "not a Modbus TCP stream"


def test_rtu_finds_a_request_behind_noise():
    request = Request(1, read_pdu(40000, 2))
    assert RtuFraming().feed(b"\xff\x00\x55" + RtuFraming.frame(request, request.pdu)) == [request]


@pytest.mark.parametrize(
    ("pdu", "expected"),
    [
        (read_pdu(40000, 2), b"\x03\x04SunS"),
        (read_pdu(40000, 0), b"\x83\x03"),
        (read_pdu(40000, 126), b"\x83\x03"),
        (read_pdu(40000, 2, 4), b"\x84\x01"),
        (read_pdu(1, 1), b"\x83\x02"),
        (b"\x03\x9c\x40", b"\x83\x03"),
        (b"\x2b\x0e\x01\x00", b"\xab\x01"),
        (b"\x05\x00\x00\xff\x00", b"\x85\x01"),
        (b"\x06\x9c\x40\x00\x01", b"\x86\x02"),
        (b"\x06\x9c\x40", b"\x86\x03"),
        (write_pdu(40000, 1), b"\x90\x02"),
        (b"\x10\x9c\x40\x00\x02\x02\x00\x01", b"\x90\x03"),
        (b"\x10\x9c\x40", b"\x90\x03"),
    ],
)
def test_requests_and_their_answers(pdu, expected):
    assert answer(make("sunspec"), Request(1, pdu), 0) == expected


def test_writes_are_echoed():
    bank = make("huawei_luna2000")
    many = write_pdu(47247, 0, 2500)
    assert answer(bank, Request(1, many), 0) == many[:5]
    one = b"\x06" + (47083).to_bytes(2) + b"\0\2"
    assert answer(bank, Request(1, one), 0) == one
    assert bank.value("charge_w") == 2500 and bank.value("minutes") == 2


def test_a_unit_that_is_not_there_is_a_gateway_target_that_does_not_answer():
    assert answer(make("sunspec"), Request(9, read_pdu(0, 1)), 0) == refusal(3, 11)


@given(UNITS, st.binary(min_size=1, max_size=253))
def test_any_request_gets_an_answer(unit, pdu):
    said = answer(make("victron_gx"), Request(unit, pdu), 0)
    assert said[0] & 0x7F == pdu[0] & 0x7F and 2 <= len(said) <= 253
