"""Packs in parallel on one pty: one device, every pack asked at its address, all of them or none."""

import pytest

from drivers.bms.families import FAMILIES
from drivers.serial import PLUGIN
from drivers.serial.bank import SerialBank
from drivers.serial.profile import SerialProfile
from drivers.serial.url import parse
from gateway.clock import SystemClock
from gateway.errors import ConfigError, LinkError
from gateway.model import Quality
from tests.drivers.bms_frames import cases
from tests.drivers.serial_bench import device, hurry, plugged, shipped
from tests.drivers.test_serial_shared import FULL, REST, answers

PYLONTECH = FAMILIES["pylontech"]


def table(name="pylontech_serial", **changes):
    return SerialProfile(**(shipped(name) | {"gap_ms": 5, "packs": 2} | changes)).table()


def bank(link, unit=2, **changes):
    made = device(link.url.removeprefix("serial://"), unit=unit, profile="pylontech_serial")
    return PLUGIN.driver(made, table(**changes), link, SystemClock())


def good(sample):
    return {
        point.name: value
        for point, value, quality in zip(sample.points, sample.values, sample.qualities, strict=True)
        if quality == Quality.GOOD
    }


async def test_two_recorded_packs_are_one_battery():
    async with plugged(answers(2, FULL) | answers(3, REST)) as (peer, link):
        both = bank(link)
        assert isinstance(both, SerialBank)
        assert (await both.connect())["serial"] == "PPTAP01709304012"
        peer.heard.clear()
        found = good(await both.read())
        assert [r[3:5] for r in peer.heard] == [b"02"] * 3 + [b"03"] * 3
        assert both.dropped == 0
        one, two = (
            {
                n: v
                for reply in case.replies
                for n, v in PYLONTECH.decode(reply.request.kind, data(reply)).items()
            }
            for case in (FULL, REST)
        )
        assert found["battery_voltage_mv"] == (51_849 + 49_394) // 2
        assert found["battery_current_ma"] == one["battery_current_ma"] + two["battery_current_ma"]
        assert found["battery_available_mah"] == one["battery_available_mah"] + two["battery_available_mah"]
        assert found["charge_limit_ma"] == 0 and found["discharge_limit_ma"] == 160_000
        both.refresh()
        assert good(await both.read()) == found


def data(reply):
    (frame,) = PYLONTECH.assembler().feed(reply.raw)
    return frame.data


async def test_one_pack_that_is_gone_is_named_and_no_sample_is_made():
    async with plugged(answers(2, FULL) | answers(3, REST)) as (peer, link):
        both = bank(link)
        await both.connect()
        for asked in answers(3, REST):
            del peer.answers[asked]
        for pack in both._packs.values():
            hurry(pack)
        with pytest.raises(LinkError, match=r"bms, pack at 3: serial:.* no answer within"):
            await both.read()
        with pytest.raises(LinkError, match="pack at 3"):
            await both.connect()


def test_the_plan_asks_all_and_addresses_must_be_there():
    where = parse("serial:///dev/a")
    (line,) = PLUGIN.plan(device("/dev/a", unit=2), table()).lines
    (single,) = PLUGIN.plan(device("/dev/a", unit=2), table(packs=1)).lines
    assert line.text == f"{single.text} of 2 packs" and line.bus_ms == 2 * single.bus_ms
    assert where.path == "/dev/a"
    with pytest.raises(ConfigError, match="16 packs from unit 240 on do not all have an address"):
        PLUGIN.plan(device("/dev/a", unit=240), table(packs=16))


def test_packs_without_addresses_are_refused():
    with pytest.raises(ValueError, match="jbd has no addresses: of packs in parallel each needs a port"):
        table("jbd_serial")


def test_every_family_with_addresses_can_be_a_bank():
    told = {case.family.name for case in cases() if len(case.family.addresses) > 1}
    assert told == {"jk_pb", "daly", "daly_hkms", "seplos_v2", "seplos_v3", "pylontech"}
