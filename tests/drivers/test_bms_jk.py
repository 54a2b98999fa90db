"""JK registers beyond the recorded ones: both currents, cold, alarms, chains that cannot be followed."""

import pytest

from drivers.bms.jk import JK, READ_ALL, VERSION, checksum, request
from drivers.flags import ALARMS
from gateway.errors import FrameError
from tests.drivers.bms_frames import cases

DATA = next(c.replies[0].raw[11:-9] for c in cases() if c.family is JK and "14 cells" in c.name)


def at(register: int) -> int:
    """Where its value is: everything before it has a fixed length here."""
    return DATA.index(bytes([register]), 44 if register < 0x89 else 65) + 1


def told(register: int, value: bytes, version: int = 1):
    data = bytearray(DATA)
    data[at(register) : at(register) + len(value)] = value
    data[-1] = version
    return JK.decode(READ_ALL, bytes(data))


def test_the_request_is_that_of_the_vendor():
    assert request().hex() == "4e5700130000000006030000000000006800000129"
    assert JK.assembler().feed(request()) == []


@pytest.mark.parametrize(
    ("raw", "version", "ma"),
    [
        ("80d0", 1, -2_080),  # charging
        ("07d0", 1, 20_000),  # discharging
        ("2af8", 0, 10_000),  # 11000: discharging
        ("251c", 0, -5_000),  # 9500: charging
    ],
)
def test_both_forms_of_the_current(raw, version, ma):
    """The examples of the register list that mpp-solar issue 255 quotes."""
    assert told(0x84, bytes.fromhex(raw), version)["battery_current_ma"] == ma


def test_below_zero():
    assert told(0x82, b"\x00\x6e")["battery_temperature_min_cc"] == -1_000
    assert told(0x80, b"\x00\x64")["battery_board_temperature_cc"] == 10_000


def test_alarms_and_switches():
    found = told(0x8B, b"\x08\x03")
    assert {n for n, bit in ALARMS.items() if found["battery_alarms_flags"] >> bit & 1} == {
        "under_soc_min_warning",
        "over_temp_alarm",
        "under_volt_alarm",
    }
    assert told(0x8C, b"\x00\x02")["battery_requests_flags"] == 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        DATA[:-2],  # the version is missing
        DATA[:-1],
        DATA + b"\xd0\x01",  # an unknown register
        DATA + DATA[44:47],  # one twice
        b"\x79\x02\x01\x0e" + DATA[44:],  # cells of two bytes
        b"\x79\x00" + DATA[44:],
    ],
)
def test_a_chain_that_cannot_be_followed_is_no_reading(data):
    with pytest.raises(FrameError):
        JK.decode(READ_ALL, data)


def test_another_reply_is_not_this_one():
    with pytest.raises(FrameError):
        JK.decode(3, DATA)
    assert DATA[-2] == VERSION
    assert checksum(b"\xff\xff") == b"\x00\x00\x01\xfe"
