"""Seplos 3.0 frames beyond the recorded ones: whose they are, refusals, switches, every event, lengths; and
two packs on one pty with a master between.
"""

import asyncio

import pytest

from drivers.bms.crc import crc16
from drivers.bms.family import ANY, Frame
from drivers.bms.seplos3 import SEPLOS_V3, ask
from drivers.bms.values import complete, names
from drivers.flags import ALARMS
from drivers.serial import PLUGIN
from drivers.serial.profile import SerialProfile
from gateway.clock import SystemClock
from gateway.errors import DeviceRefused, FrameError
from gateway.model import Quality
from tests.drivers.bms_frames import cases
from tests.drivers.serial_bench import device, plugged, shipped

CASE = next(c for c in cases() if c.family is SEPLOS_V3)
RAW = {reply.request.name: reply.raw for reply in CASE.replies}
PACKED, CLOSED = RAW["pack"][3:-2], bytes(15) + b"\x03" + bytes(2)
PACK, EVENTS = 0x0424, 0x0112


def of(address, body):
    body = bytes([address]) + body
    return body + crc16(body)


def with_coil(place, closed=3):
    data = bytearray(15) + bytes([closed]) + bytes(2)
    data[place // 8] |= 1 << place % 8
    return SEPLOS_V3.decode(EVENTS, bytes(data))


def test_requests_are_those_of_the_makers_program():
    assert ask(0, 4, 0x1000, 0x12).hex() == "000410000012" + "7516"
    assert ask(0, 1, 0x1200, 0x90).hex() == "000112000090" + "38cf"
    assert [r.data[0] for r in SEPLOS_V3.requests(7)] == [7, 7]


def test_a_reply_is_whose_address_is_in_it_and_a_request_is_none():
    """The request for events looks like the head of its own answer."""
    asked = SEPLOS_V3.requests(2)
    found = SEPLOS_V3.assembler().feed(asked[1].data + of(2, RAW["events"][1:-2]) + of(15, RAW["pack"][1:-2]))
    assert [(frame.kind, frame.address) for frame in found] == [(EVENTS, 2), (PACK, 15)]
    assert asked[1].answered_by(found[0], 2) and not asked[0].answered_by(found[0], 2)


def test_a_refusal():
    (frame,) = SEPLOS_V3.assembler().feed(of(3, b"\x84\x02"))
    assert frame == Frame(ANY, b"", 3, refused=2)
    assert all(request.answered_by(frame, 3) for request in SEPLOS_V3.requests(3))


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (3, "under_volt_warning"),
        (17, "over_volt_warning"),
        (73, "over_volt_alarm"),
        (79, "under_volt_alarm"),
        (81, "over_temp_alarm"),
        (83, "under_temp_alarm"),
        (93, "over_temp_alarm"),
        (98, "over_charge_current_alarm"),
        (101, "over_discharge_current_alarm"),
        (102, "other_alarm"),
        (104, "other_alarm"),
        (115, "under_soc_min_alarm"),
        (116, "voltage_imbalance_warning"),
        (132, "other_alarm"),
        (136, "other_alarm"),
        (141, "other_alarm"),
        (142, "other_warning"),
        (143, "other_alarm"),
    ],
)
def test_events(place, name):
    assert with_coil(place)["battery_alarms_flags"] == 1 << ALARMS[name]


@pytest.mark.parametrize("place", [48, 63, 64, 68, 94, 122, 123, 128])
def test_what_balances_heats_or_stands_by_is_no_alarm(place):
    assert with_coil(place)["battery_alarms_flags"] == 0


@pytest.mark.parametrize(("closed", "charge", "discharge"), [(0, 0, 0), (1, 0, 180_000), (2, 180_000, 0)])
def test_an_open_switch_closes_its_direction_whatever_the_limit_says(closed, charge, discharge):
    told = SEPLOS_V3.decode(PACK, PACKED) | with_coil(48, closed)
    values = dict(zip(names(SEPLOS_V3), complete(SEPLOS_V3, told, None)[0], strict=True))
    assert (values["charge_limit_ma"], values["discharge_limit_ma"]) == (charge, discharge)


def test_what_a_pack_does_not_tell():
    told = SEPLOS_V3.decode(PACK, PACKED[:18] + b"\xff" * 18)
    assert set(CASE.told) - set(told) == {
        "battery_cell_min_mv",
        "battery_cell_max_mv",
        "battery_temperature_cc",
        "battery_temperature_min_cc",
        "battery_temperature_max_cc",
        "charge_limit_ma",
        "discharge_limit_ma",
        "battery_alarms_flags",
        "battery_requests_flags",
    }
    cold = SEPLOS_V3.decode(PACK, PACKED[:24] + b"\x0a\x00\x09\xc4" + PACKED[28:])
    assert (cold["battery_temperature_max_cc"], cold["battery_temperature_cc"]) == (-1_710, -2_310)


@pytest.mark.parametrize(
    ("kind", "data"), [(PACK, PACKED[:-1]), (EVENTS, PACKED), (0x0112, bytes(17)), (0, b"")]
)
def test_what_is_no_reply(kind, data):
    with pytest.raises(FrameError):
        SEPLOS_V3.decode(kind, data)


async def test_packs_at_addresses_each_hear_their_own():
    table = SerialProfile(**(shipped("seplos_v3_serial") | {"gap_ms": 5})).table()
    said = {}
    for address, millivolts in ((0, 54_510), (1, 53_000)):
        pack, events = SEPLOS_V3.requests(address)
        model, serial = SEPLOS_V3.introduction(address)
        body = b"\x04\x24" + (millivolts // 10).to_bytes(2, "big") + PACKED[2:]
        said |= {pack.data: of(address, body), events.data: of(address, b"\x01\x12" + CLOSED)}
        said |= {
            model.data: of(address, b"\x04\x14" + b"51.2V 280Ah".ljust(20, b"\0")),
            serial.data: of(address, b"\x84\x02"),  # refused: it has none
        }

    def driver(link, unit):
        made = device(link.url.removeprefix("serial://"), name=f"pack{unit}", unit=unit)
        return PLUGIN.driver(made, table, link, SystemClock())

    async with plugged(said) as (peer, link):
        packs = [driver(link, 0), driver(link, 1)]
        assert (await packs[0].connect())["model"] == "51.2V 280Ah"
        await packs[1].connect()
        peer.echo, peer.before = True, ask(2, 1, 0x1200, 0x90) + of(2, b"\x01\x12" + CLOSED)
        for pack, millivolts in zip(packs, (54_510, 53_000), strict=True):
            sample = await pack.read()
            found = dict(
                zip(
                    (p.name for p in sample.points),
                    zip(sample.values, sample.qualities, strict=True),
                    strict=True,
                )
            )
            assert found["battery_voltage_mv"] == (millivolts, Quality.GOOD)
            assert found["charge_limit_ma"] == (180_000, Quality.GOOD)
        peer.answers[SEPLOS_V3.requests(0)[0].data] = of(0, b"\x84\x06")
        with pytest.raises(DeviceRefused, match="refuses pack, code 0x6"):
            await asyncio.wait_for(packs[0].read(), 20)
