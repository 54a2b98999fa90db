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
    ask_read,
    ask_write,
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
        lambda u, a, r: ask_write(u, a, [r], single=True),
        st.integers(0, 255),
        st.integers(0, 65535),
        st.integers(0, 65535),
    ),
)


def right_answer(asked: Asked, fill: int) -> bytes:
    if not asked.registers:
        return bytes([2 * asked.count]) + bytes([fill]) * (2 * asked.count)
    return struct.pack(">HH", asked.address, asked.registers[0] if asked.function == 6 else asked.count)


@given(ASKED, st.integers(0, 255), st.integers(0, 65535))
def test_the_right_answer_is_believed(asked: Asked, fill: int, tid: int) -> None:
    data = right_answer(asked, fill)
    believed = check(asked, reply(asked.function, data, asked.unit, tid), tid)
    assert believed == (b"" if asked.registers else data[1:])


@given(ASKED, st.binary(max_size=300), st.integers(0, 127), st.integers(0, 255), st.integers(0, 65535))
def test_nothing_else_ever_is(asked: Asked, data: bytes, function: int, unit: int, tid: int) -> None:
    right = function == asked.function and unit == asked.unit and tid == 7
    if right and (data == right_answer(asked, 0) if asked.registers else len(data) == 2 * asked.count + 1):
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
    assert {c.function_code for c in reply_classes(rtu=True)} == {3, 4, 6, 16}
