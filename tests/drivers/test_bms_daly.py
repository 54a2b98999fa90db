"""Daly frames beyond the recorded ones: addresses, both signs, every fault in both orders, lengths."""

import pytest

from drivers.bms.daly import DALY, DALY_BLE, FAULTS, PACK, ask, request
from drivers.bms.family import Frame
from drivers.flags import ALARMS
from gateway.errors import FrameError
from tests.drivers.bms_frames import cases

(AIR,) = [c.replies[1].raw[3:-2] for c in cases() if c.family is DALY_BLE]


def names(found):
    return {name for name, bit in ALARMS.items() if found["battery_alarms_flags"] >> bit & 1}


def test_requests_are_those_of_the_vendor():
    assert request(1, PACK).hex() == "a54090080000000000000000" + "7d"
    assert request(3, PACK)[1] == 0x42
    assert ask(0, 62).hex() == "d2030000003ed7b9"  # aiobmsble


def test_each_board_answers_with_its_number():
    body = b"\xa5\x02\x90\x08" + bytes(8)
    assembler = DALY.assembler()
    (frame,) = assembler.feed(body + bytes([sum(body) & 0xFF]))
    assert frame == Frame(PACK, bytes(8), 2)
    asked = DALY.requests(2)[0]
    assert asked.answered_by(frame, 2)
    assert not asked.answered_by(frame, 1)
    assert assembler.feed(asked.data + request(1, PACK)) == []
    assert assembler.dropped == 0


def test_the_sign_of_the_current():
    wire = bytes.fromhex("0203000077240338")
    assert DALY.decode(PACK, wire)["battery_current_ma"] == 50_000
    assert DALY.decode(PACK, bytes.fromhex("020300007340" + "0338"))["battery_current_ma"] == -49_600
    assert DALY_BLE.decode(124, AIR)["battery_current_ma"] == -3_000


@pytest.mark.parametrize(
    ("byte", "bit", "name"),
    [
        (0, 0, "over_volt_warning"),
        (0, 3, "under_volt_alarm"),
        (0, 5, "over_volt_alarm"),
        (1, 1, "over_temp_alarm"),
        (1, 3, "under_temp_alarm"),
        (2, 1, "over_charge_current_alarm"),
        (2, 3, "over_discharge_current_alarm"),
        (2, 7, "under_soc_min_alarm"),
        (3, 3, "temperature_imbalance_alarm"),
        (4, 4, "other_alarm"),
        (5, 0, "other_alarm"),
        (5, 3, "other_warning"),
        (6, 2, "other_alarm"),
    ],
)
def test_faults_are_the_same_on_the_wire_and_in_the_air(byte, bit, name):
    faults = bytearray(8)
    faults[byte] = 1 << bit
    assert names(DALY.decode(FAULTS, bytes(faults))) == {name}
    swapped = b"".join(bytes(faults[at : at + 2][::-1]) for at in range(0, 8, 2))
    assert names(DALY_BLE.decode(124, AIR[:116] + swapped)) == {name}


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (PACK, bytes(7)),
        (0x95, bytes(8)),
        (PACK, bytes(6) + b"\x03\xe9"),  # 100.1 %
        (0x91, bytes.fromhex("0c80010c8102") + bytes(2)),  # the least is above the most
        (0x91, bytes.fromhex("138901138802") + bytes(2)),  # 5.001 V
        (0x92, bytes.fromhex("38013901") + bytes(4)),
        (0x93, bytes.fromhex("0002010000000000")),
        (0x93, bytes.fromhex("0001020000000000")),
        (0x93, bytes.fromhex("0301010000000000")),  # a fourth state
        (0x93, bytes.fromhex("00010100004c4b41")),  # 5000.001 Ah
    ],
)
def test_what_is_no_reply_on_the_wire(kind, data):
    with pytest.raises(FrameError):
        DALY.decode(kind, data)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (124, AIR[:-1]),
        (62, bytes(62)),
        (124, AIR[:98] + b"\x00\x21" + AIR[100:]),  # 33 cells
        (124, AIR[:100] + b"\x00\x09" + AIR[102:]),  # nine sensors
    ],
)
def test_what_is_no_reply_in_the_air(kind, data):
    with pytest.raises(FrameError):
        DALY_BLE.decode(kind, data)
