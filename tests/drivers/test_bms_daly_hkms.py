"""Daly's 81 03 frames beyond the recorded ones: numbers, signs, absent sensors, every alarm, lengths; and two
boards that share a pty.
"""

import asyncio

import pytest

from drivers.bms.crc import crc16
from drivers.bms.daly_hkms import DALY_HKMS, DALY_HKMS_BLE, PACK, STATE, ask
from drivers.bms.family import Frame
from drivers.flags import ALARMS
from drivers.serial import PLUGIN
from drivers.serial.profile import SerialProfile
from gateway.clock import SystemClock
from gateway.errors import FrameError, LinkError
from gateway.model import Quality
from tests.drivers.bms_frames import cases
from tests.drivers.serial_bench import device, hurry, plugged, shipped

CASE = next(c for c in cases() if c.family is DALY_HKMS)
RAW = {reply.request.name: reply.raw for reply in CASE.replies}
PACKED, STATED = RAW["pack"][3:-2], RAW["state"][3:-2]
KINDS = {"pack": 128, "state": 124}


def put(data, register, value, first):
    at = 2 * (register - first)
    return data[:at] + value.to_bytes(2, "big") + data[at + 2 :]


def raised(register, value):
    told = DALY_HKMS.decode(124, put(put(put(STATED, 0x70, 0, 0x41), 0x72, 0, 0x41), register, value, 0x41))
    return {name for name, bit in ALARMS.items() if told["battery_alarms_flags"] >> bit & 1}


def of(board, raw):
    body = bytes([0x50 + board]) + raw[1:-2]
    return body + crc16(body)


def test_requests_are_those_of_the_vendor():
    assert ask(1, PACK).hex() == "81030000" + "00405bfa"  # aiobmsble
    assert ask(1, STATE).hex() == "81030041" + "003e8bce"
    assert [r.data[0] for r in DALY_HKMS.requests(16)] == [0x90, 0x90]
    assert [r.data[0] for r in DALY_HKMS_BLE.requests(0)] == [0x81, 0x81]


def test_each_board_answers_with_its_number():
    found = DALY_HKMS.assembler().feed(ask(1, PACK) + of(3, RAW["pack"]) + of(16, RAW["state"]))
    assert [(frame.kind, frame.address) for frame in found] == [(128, 3), (124, 16)]
    assert DALY_HKMS_BLE.assembler().feed(RAW["pack"]) == [Frame(128, PACKED, 0)]
    assert DALY_HKMS_BLE.assembler().feed(of(2, RAW["pack"])) == []


@pytest.mark.parametrize(("raw", "milliamperes"), [(30_000, 0), (30_123, -12_300), (29_500, 50_000)])
def test_the_sign_of_the_current(raw, milliamperes):
    told = DALY_HKMS.decode(128, put(PACKED, 0x39, raw, 0))
    assert told["battery_current_ma"] == milliamperes


def test_sensors_that_are_there_and_below_zero():
    told = DALY_HKMS.decode(128, put(put(PACKED, 0x30, 25, 0), 0x31, 255, 0))
    assert told["battery_temperature_min_cc"] == told["battery_temperature_max_cc"] == -1_500
    assert "battery_temperature_cc" not in DALY_HKMS.decode(128, PACKED)
    assert "battery_board_temperature_cc" not in DALY_HKMS.decode(124, put(STATED, 0x5A, 255, 0x41))


@pytest.mark.parametrize("count", [0, 48])
def test_packs_at_the_ends(count):
    data = b"".join((3_000 + cell).to_bytes(2, "big") for cell in range(48)) + PACKED[96:]
    told = DALY_HKMS.decode(128, put(data, 0x3C, count, 0))
    assert told.get("battery_cell_max_mv") == (3_047 if count else None)


@pytest.mark.parametrize(
    ("register", "value", "names"),
    [
        (0x6D, 1, {"over_volt_warning"}),
        (0x6D, 2, {"over_volt_alarm"}),
        (0x6D, 3 << 3, {"under_volt_alarm"}),
        (0x6D, 3 << 11, {"over_temp_alarm"}),
        (0x6D, 0x4040, set()),  # a charger and a load are connected
        (0x6E, 2, {"under_temp_alarm"}),
        (0x6E, 2 << 11, {"temperature_imbalance_alarm"}),
        (0x6E, 0x4000, {"over_temp_warning"}),
        (0x6F, 0x0040, {"other_alarm"}),  # short circuit
        (0x6F, 2 << 8, {"over_charge_current_alarm"}),
        (0x6F, 1 << 11, {"over_discharge_current_warning"}),
        (0x70, 2, {"under_soc_min_alarm"}),
        (0x71, 0x0100, {"other_warning"}),
        (0x72, 0x0100, {"other_alarm"}),
        (0x73, 0x0010, {"other_alarm"}),
        (0x73, 0x3F00, set()),  # what its switches, fan and heating do
        (0x66, 0x0002, {"over_volt_alarm"}),
        (0x67, 0x0200, {"voltage_imbalance_warning"}),
        (0x67, 0x2000, {"over_temp_alarm"}),
        (0x68, 0x0200, {"other_alarm"}),
    ],
)
def test_alarms_of_both_kinds_of_boards(register, value, names):
    assert raised(register, value) == names


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (128, PACKED[:-2]),
        (124, PACKED),
        (126, bytes(126)),
        (128, put(PACKED, 0x3C, 49, 0)),
        (128, put(PACKED, 0x3D, 9, 0)),
    ],
)
def test_what_is_no_reply(kind, data):
    with pytest.raises(FrameError):
        DALY_HKMS.decode(kind, data)


async def test_two_boards_on_one_pair_each_hear_their_own():
    table = SerialProfile(**(shipped("daly_hkms_serial") | {"gap_ms": 5})).table()
    second = RAW | {"pack": RAW["pack"][:3] + put(PACKED, 0x38, 521, 0) + b"\0\0"}
    said = {}
    for board, raws in ((1, RAW), (2, second)):
        asked = (*DALY_HKMS.introduction(board), *DALY_HKMS.requests(board))
        said |= {request.data: of(board, raws[request.name]) for request in asked}

    def driver(link, board):
        of_link = device(link.url.removeprefix("serial://"), name=f"b{board}", unit=board)
        return PLUGIN.driver(of_link, table, link, SystemClock())

    async with plugged(said) as (peer, link):
        boards = [driver(link, 1), driver(link, 2)]
        known = await asyncio.gather(*(board.connect() for board in boards))
        assert [who["serial"] for who in known] == ["221LD011111111"] * 2
        peer.before = of(3, RAW["pack"])  # of a third that another master asked
        volts = [
            dict(zip((p.name for p in s.points), zip(s.values, s.qualities, strict=True), strict=True))
            for s in await asyncio.gather(*(board.read() for board in boards))
        ]
        assert [v["battery_voltage_mv"] for v in volts] == [(13_000, Quality.GOOD), (52_100, Quality.GOOD)]
        assert volts[0]["charge_limit_ma"] == (0, Quality.GOOD)  # its sensors are not connected
        peer.answers[DALY_HKMS.requests(1)[0].data] = of(2, RAW["pack"])
        hurry(boards[0])
        with pytest.raises(LinkError, match="no answer in them"):
            await boards[0].read()
