"""JK records beyond the recorded ones: which layout, whose answer, sensors and errors of both."""

import pytest

from drivers.bms.crc import crc16
from drivers.bms.family import Frame
from drivers.bms.jk02 import ABOUT, JK_BLE, JK_PB, SETTINGS, STATUS, command, trigger
from drivers.flags import ALARMS
from gateway.errors import FrameError
from tests.drivers.bms_frames import cases

RECORDED = {(c.family.name, r.request.name, c.name[:11]): r.raw for c in cases() for r in c.replies}
OLD = RECORDED["jk_ble", "status", "room for 24"]
NEW = RECORDED["jk_ble", "status", "firmware 15"]
ABOUT_NEW = RECORDED["jk_ble", "information", "firmware 15"]
PB = {kind: RECORDED["jk_pb", name, "three batte"] for kind, name in
      ((STATUS, "status"), (SETTINGS, "settings"), (ABOUT, "information"))}  # fmt: skip


def summed(record: bytes) -> bytes:
    return record[:-1] + bytes([sum(record[:-1]) & 0xFF])


def changed(record: bytes, at: int, value: bytes) -> bytes:
    return summed(record[:at] + value + record[at + len(value) :])


def test_requests_are_those_of_the_vendor():
    assert trigger(3, 0x1620).hex() == "031016200001020000cf91"
    assert trigger(1, 0x1620).hex() == "011016200001020000d6f1"  # esphome-jk-bms issue 442
    assert command(0x96).hex() == "aa5590eb96" + "00" * 14 + "10"


def test_no_status_before_the_firmware_is_known():
    assembler = JK_BLE.assembler()
    assert assembler.feed(NEW) == []
    assert assembler.dropped == 1
    assert [f.kind for f in assembler.feed(ABOUT_NEW + NEW)] == [ABOUT, STATUS]


@pytest.mark.parametrize("firmware", [b"xx.38\0\0\0", bytes(8), b"\xb2.1\0\0\0\0\0"])
def test_a_firmware_that_cannot_be_read_stops_it(firmware):
    assembler = JK_BLE.assembler()
    assert assembler.feed(changed(ABOUT_NEW, 30, firmware) + NEW) == []
    assert assembler.dropped == 2


def test_what_the_board_says_beside_records_is_passed_over():
    """AT from its Bluetooth module, and its note that a command was taken."""
    note = b"\xaa\x55\x90\xeb\xc8\x01\x01" + bytes(12) + b"\x44"
    assembler = JK_BLE.assembler()
    found = assembler.feed(b"AT\r\n" + ABOUT_NEW + note + b"AT\r\n" + NEW + bytes(6))
    assert [f.kind for f in found] == [ABOUT, STATUS]
    assert assembler.dropped == 0


@pytest.mark.parametrize(("firmware", "least"), [(11, 1_280), (14, -550)])
def test_two_more_sensors_from_firmware_14_on(firmware, least):
    data = changed(NEW, 256, (-55).to_bytes(2, "little", signed=True)) + bytes([firmware])
    assert JK_BLE.decode(STATUS, data)["battery_temperature_min_cc"] == least


def test_absent_sensors_are_left_out():
    absent, record = (-2000).to_bytes(2, "little", signed=True), NEW
    for place in (144, 162, 164, 256, 258):
        record = changed(record, place, absent)
    told = JK_BLE.decode(STATUS, record + b"\x0f")
    assert not any("temperature" in name for name in told)


def flags(data):
    found = JK_BLE.decode(STATUS, data)["battery_alarms_flags"]
    return {name for name, bit in ALARMS.items() if found >> bit & 1}


@pytest.mark.parametrize(
    ("bit", "name"),
    [(0, "other_warning"), (1, "over_temp_alarm"), (4, "over_volt_alarm"), (11, "under_volt_alarm"),
     (13, "over_discharge_current_alarm"), (6, "over_charge_current_alarm"), (9, "under_temp_alarm")],
)  # fmt: skip
def test_errors_of_both_layouts(bit, name):
    word = (1 << bit).to_bytes(2, "little")
    assert flags(changed(NEW, 166, word) + b"\x0f") == {name}
    assert flags(changed(OLD, 136, word) + b"\x0a") == {name}


def test_switches_of_both_layouts():
    assert JK_BLE.decode(STATUS, changed(NEW, 198, b"\x00\x01") + b"\x0f")["battery_requests_flags"] == 2
    assert JK_BLE.decode(STATUS, changed(OLD, 166, b"\x01\x00") + b"\x0a")["battery_requests_flags"] == 1


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (8, b"\x00\x0e"),  # one cell far above the others, which the spread does not know
        (152, b"\x01"),  # 65 V more than all cells
        (158, b"\x00\x00\xe0\xff"),  # 2097 A with the power of 32 A
        (154, (20_000_000).to_bytes(4, "little")),  # 20 kW with 32 A
        (198, b"\x02"),
        (199, b"\x40"),
    ],
)
def test_a_status_that_contradicts_itself_is_none(at, value):
    """One byte of sum passes one of 256 damaged records."""
    with pytest.raises(FrameError, match="contradicts itself"):
        JK_BLE.decode(STATUS, changed(NEW, at, value) + b"\x0f")


def test_a_board_that_tells_neither_power_nor_spread_is_believed():
    told = JK_BLE.decode(STATUS, changed(changed(NEW, 154, bytes(4)), 76, bytes(2)) + b"\x0f")
    assert told == JK_BLE.decode(STATUS, NEW + b"\x0f")


@pytest.mark.parametrize("pack", ["of no cells", "of 32 cells"])
def test_packs_at_the_ends(pack):
    record = changed(NEW, 70, bytes(4) if pack == "of no cells" else b"\xff" * 4)
    if pack == "of 32 cells":
        record = changed(record, 6, (3_320).to_bytes(2, "little") * 31 + (3_300).to_bytes(2, "little"))
        record = changed(record, 76, (20).to_bytes(2, "little"))
        record = changed(record, 150, (106_220).to_bytes(4, "little") + (3_386_000).to_bytes(4, "little"))
    told = JK_BLE.decode(STATUS, record + b"\x0f")
    assert told.get("battery_cell_min_mv") == (None if pack == "of no cells" else 3_300)
    assert told["battery_voltage_mv"] == (53_224 if pack == "of no cells" else 106_220)


def answered(record: bytes, register: int, address: int = 3) -> bytes:
    said = bytes([address, 0x10, register >> 8, register & 0xFF, 0, 1])
    return record + said + crc16(said)


def test_a_record_on_the_wire_is_whose_answer_follows():
    assert JK_PB.assembler().feed(answered(PB[STATUS][:300], 0x1620, 7)) == [
        Frame(STATUS, PB[STATUS][:300], 7)
    ]


@pytest.mark.parametrize(
    "raw",
    [
        answered(PB[STATUS][:300], 0x161E),  # the answer of another request
        PB[STATUS][:-1] + b"\x00",
        answered(changed(PB[STATUS][:300], 4, b"\x04"), 0x1620),  # a type that nobody asks for
        PB[STATUS][:300] + trigger(3, 0x1620)[:8],
    ],
)
def test_a_record_without_its_answer_is_none(raw):
    assembler = JK_PB.assembler()
    assert assembler.feed(raw) == []
    assert assembler.dropped == 1


@pytest.mark.parametrize(("kind", "data"), [(STATUS, bytes(299)), (4, bytes(300)), (SETTINGS, bytes(301))])
def test_what_is_no_record(kind, data):
    with pytest.raises(FrameError):
        JK_PB.decode(kind, data)
