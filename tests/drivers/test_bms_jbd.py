"""JBD frames beyond the recorded ones: requests, refusals, sensors that are not there, lengths that lie."""

import pytest

from drivers.bms.family import Frame
from drivers.bms.jbd import BASIC, CELLS, JBD, checksum, request
from drivers.flags import ALARMS
from gateway.errors import FrameError
from tests.drivers.bms_frames import cases

(BASIC_REPLY,) = [c.replies[0].raw for c in cases() if c.family is JBD and "four cells" in c.name]
DATA = BASIC_REPLY[4:-3]


def told(data: bytes):
    return JBD.decode(BASIC, data)


def test_requests_are_those_of_the_vendor():
    assert [r.data.hex() for r in JBD.requests(0)] == ["dda50300fffd77", "dda50400fffc77"]


def test_an_error_status_is_told_and_a_request_is_no_reply():
    assembler = JBD.assembler()
    refusal = b"\xdd\x05\x80\x00" + checksum(b"\x80\x00") + b"\x77"
    assert assembler.feed(request(BASIC) + refusal) == [Frame(5, b"", refused=0x80)]
    assert assembler.dropped == 0


@pytest.mark.parametrize(
    "data",
    [b"", DATA[:22], DATA[:-1], DATA[:22] + b"\x11" + DATA[23:], DATA[:22] + b"\x04" + DATA[23:]],
    ids=["empty", "cut", "last sensor cut", "17 sensors", "one sensor more"],
)
def test_a_length_that_does_not_fit_is_refused(data):
    with pytest.raises(FrameError):
        told(data)


@pytest.mark.parametrize(
    ("kind", "data"), [(CELLS, b""), (CELLS, b"\x0d"), (CELLS, bytes(98)), (9, b"\x0d\x66")]
)
def test_cells_come_in_pairs_of_bytes(kind, data):
    with pytest.raises(FrameError):
        JBD.decode(kind, data)


def test_a_missing_sensor_is_left_out():
    none = told(DATA[:23] + b"\x00\x00\xff\xff\x00\x00")
    assert not any("temperature" in name for name in none)


def test_switches_and_protection():
    data = bytearray(DATA)
    data[16:18], data[20] = b"\x10\x02", 0x02
    found = told(bytes(data))
    assert found["battery_requests_flags"] == 0b10
    assert found["battery_alarms_flags"] == 1 << ALARMS["under_volt_alarm"] | 1 << ALARMS["other_alarm"]


def test_the_name_is_text():
    assert JBD.texts(5, b"JBD-SP04S020\0\0") == {"model": "JBD-SP04S020"}
    assert JBD.texts(BASIC, b"x") == {}
