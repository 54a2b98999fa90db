"""The reply check alone: whatever comes, only the exact answer is believed."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.pdu import ExceptionResponse

from drivers.modbus.exchange import (
    EXCEPTIONS,
    LATER,
    Asked,
    NotNow,
    RawReply,
    ask_bits,
    ask_coil,
    ask_read,
    ask_write,
    bits,
    check,
    reply_classes,
)
from gateway.errors import DeviceRefused, FrameError, LinkError


def reply(function: int, data: bytes, unit: int = 1, tid: int = 7) -> RawReply:
    made = RawReply(dev_id=unit, transaction_id=tid)
    made.function_code = function
    made.decode(data)
    return made


ASKED = st.one_of(
    st.builds(
        ask_read,
        st.integers(0, 255),
        st.sampled_from(["holding", "input"]),
        st.integers(0, 65000),
        st.integers(1, 125),
    ),
    st.builds(
        lambda u, a, r: ask_write(u, a, r, single=False),
        st.integers(0, 255),
        st.integers(0, 65000),
        st.lists(st.integers(0, 65535), min_size=1, max_size=123),
    ),
    st.builds(
        ask_bits,
        st.integers(0, 255),
        st.sampled_from(["coils", "discrete"]),
        st.integers(0, 63000),
        st.integers(1, 2000),
    ),
    st.builds(ask_coil, st.integers(0, 255), st.integers(0, 65535), st.booleans()),
    st.builds(
        lambda u, a, r: ask_write(u, a, [r], single=True),
        st.integers(0, 255),
        st.integers(0, 65535),
        st.integers(0, 65535),
    ),
)


def size(asked: Asked) -> int:
    return (asked.count + 7) // 8 if asked.function in (1, 2) else 2 * asked.count


def right_answer(asked: Asked, fill: int) -> bytes:
    if not asked.registers:
        return bytes([size(asked)]) + bytes([fill]) * size(asked)
    return struct.pack(">HH", asked.address, asked.count if asked.function == 16 else asked.registers[0])


@given(ASKED, st.integers(0, 255), st.integers(0, 65535))
def test_the_right_answer_is_believed(asked: Asked, fill: int, tid: int) -> None:
    data = right_answer(asked, fill)
    believed = check(asked, reply(asked.function, data, asked.unit, tid), tid)
    assert believed == (b"" if asked.registers else data[1:])


@given(ASKED, st.binary(max_size=300), st.integers(0, 127), st.integers(0, 255), st.integers(0, 65535))
def test_nothing_else_ever_is(asked: Asked, data: bytes, function: int, unit: int, tid: int) -> None:
    right = function == asked.function and unit == asked.unit and tid == 7
    if right and (
        data == right_answer(asked, 0)
        if asked.registers
        else data[:1] == bytes([size(asked)]) == bytes([len(data) - 1 & 0xFF])
    ):
        return
    with pytest.raises(FrameError):
        check(asked, reply(function, data, unit, tid), 7)


@given(ASKED, st.data())
def test_truncated_and_lengthened_answers_are_not(asked: Asked, data: st.DataObject) -> None:
    whole = right_answer(asked, 1)
    cut = data.draw(st.integers(0, len(whole) - 1))
    for wrong in (whole[:cut], whole + b"\0"):
        with pytest.raises(FrameError):
            check(asked, reply(asked.function, wrong, asked.unit), 7)


@given(ASKED, st.integers(0, 255), st.integers(1, 127))
def test_exceptions(asked: Asked, code: int, function: int) -> None:
    said = ExceptionResponse(function, code, device_id=asked.unit, transaction=7)
    with pytest.raises(LinkError) as problem:
        check(asked, said, 7)
    if function != asked.function:
        assert type(problem.value) is FrameError
    elif code in LATER:
        assert type(problem.value) is NotNow and problem.value.code == code
    else:
        assert type(problem.value) is DeviceRefused and problem.value.code == code
        assert EXCEPTIONS.get(code, "unknown") in str(problem.value)


def test_the_library_s_own_reply_classes_are_not_believed() -> None:
    from pymodbus.pdu.register_message import ReadHoldingRegistersResponse

    with pytest.raises(FrameError):
        check(ask_read(1, "holding", 0, 1), ReadHoldingRegistersResponse(registers=[5], dev_id=1), 0)


def test_tcp_knows_every_function_and_rtu_only_what_is_asked() -> None:
    assert {c.function_code for c in reply_classes(rtu=False)} == set(range(0x81))
    assert {c.function_code for c in reply_classes(rtu=True)} == {1, 2, 3, 4, 5, 6, 16}


@given(st.lists(st.booleans(), min_size=1, max_size=2000), st.integers(0, 127))
def test_bits_come_lowest_first_and_the_filling_means_nothing(on: list[bool], filling: int) -> None:
    packed = sum(bit << n for n, bit in enumerate(on)) | filling << len(on)
    size = (len(on) + 7) // 8
    assert bits((packed & (1 << 8 * size) - 1).to_bytes(size, "little"), len(on)) == tuple(on)


@pytest.mark.parametrize(("on", "sent"), [(True, 0xFF00), (False, 0)])
def test_a_coil_echoed_the_other_way_round_is_not_written(on: bool, sent: int) -> None:
    asked = ask_coil(1, 9, on)
    assert check(asked, reply(5, struct.pack(">HH", 9, sent)), 7) == b""
    for echo in ((9, sent ^ 0xFF00), (8, sent), (9, 1)):
        with pytest.raises(FrameError, match="echo"):
            check(asked, reply(5, struct.pack(">HH", *echo)), 7)


@pytest.mark.parametrize(("address", "count"), [(0, 0), (0, 2001), (65535, 2), (-1, 1)])
def test_no_device_is_asked_for_bits_beyond_the_protocol(address: int, count: int) -> None:
    with pytest.raises(ValueError, match="cannot be asked"):
        ask_bits(1, "coils", address, count)
