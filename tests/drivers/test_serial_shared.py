"""Several batteries and other masters on one pair: each hears its own, and only what answers it.

Recorded replies of Pylontech, which do not say what they answer, and of JK boards, which say who they are at
the end; played on a pty.
"""

import asyncio

import pytest

from drivers.bms.ascii import checksum
from drivers.bms.crc import crc16
from drivers.bms.families import FAMILIES
from drivers.serial import PLUGIN
from drivers.serial.profile import SerialProfile
from gateway.clock import SystemClock
from gateway.errors import LinkError
from gateway.model import Quality
from tests.drivers.bms_frames import ascii_reply, cases
from tests.drivers.serial_bench import device, hurry, plugged, shipped

PYLONTECH, JK_PB = FAMILIES["pylontech"], FAMILIES["jk_pb"]
FULL = next(c for c in cases() if c.name.startswith("US5000"))
REST = next(c for c in cases() if c.name.startswith("US3000C"))
BOARD = next(c for c in cases() if c.family is JK_PB)
NO_ALARMS = ascii_reply(b"\x11\x02\x0f" + bytes(15) + b"\x05" + bytes(5) + bytes(3) + b"\x00\x0e\x00\x00\x00")
SERIAL = ascii_reply(b"\x02PPTAP01709304012")


def of(address: int, raw: bytes) -> bytes:
    """A Pylontech reply as the battery at another address gives it."""
    body = raw[1:3] + f"{address:02X}".encode() + raw[5:-5]
    return b"~" + body + checksum(body) + b"\r"


def answers(address, case):
    asked = {r.name: r.data for r in PYLONTECH.requests(address)}
    said = {one.request.name: of(address, one.raw) for one in case.replies}
    said |= {"alarms": of(address, NO_ALARMS), "management": of(address, FULL.replies[1].raw)}
    (who,) = PYLONTECH.introduction(address)
    return {asked[name]: said[name] for name in asked} | {who.data: of(address, SERIAL)}


def driver(link, name, address, profile="pylontech_serial", timeout_ms=5_000):
    table = SerialProfile(**(shipped(profile) | {"gap_ms": 5})).table()
    path = link.url.removeprefix("serial://")
    return PLUGIN.driver(
        device(path, name=name, unit=address, timeout_ms=timeout_ms, profile=profile),
        table,
        link,
        SystemClock(),
    )


def good(sample):
    return {
        point.name: value
        for point, value, quality in zip(sample.points, sample.values, sample.qualities, strict=True)
        if quality == Quality.GOOD
    }


async def test_batteries_at_addresses_each_hear_their_own():
    async with plugged(answers(2, FULL) | answers(3, REST)) as (peer, link):
        two, three = driver(link, "two", 2), driver(link, "three", 3)
        await asyncio.gather(two.connect(), three.connect())
        # Whatever the other one still says is before every answer.
        peer.before = of(3, REST.replies[0].raw)
        first = good(await two.read())
        peer.before = of(2, FULL.replies[0].raw)
        second = good(await three.read())
    assert first["battery_voltage_mv"] == 51_849
    assert first["charge_limit_ma"] == 0  # it is full and says so
    assert first["discharge_limit_ma"] == 80_000
    assert second["battery_voltage_mv"] == 49_394


async def test_a_reply_to_another_masters_question_is_not_taken_for_ours():
    """From the right address, whole, and about something else: it does not decode as what was asked."""
    async with plugged(answers(2, FULL)) as (peer, link):
        bms = driver(link, "two", 2)
        await bms.connect()
        peer.before = NO_ALARMS + PYLONTECH.requests(2)[0].data
        assert good(await bms.read())["battery_voltage_mv"] == 51_849
        assert bms.dropped == 2  # ahead of the analog values and of the management
        asked = PYLONTECH.requests(2)[0].data
        peer.answers[asked] = NO_ALARMS
        peer.before = b""
        hurry(bms)
        with pytest.raises(LinkError, match="no answer in them"):
            await bms.read()


async def test_a_battery_without_alarms_or_limits_lets_nothing_through():
    asked = PYLONTECH.requests(2)
    for left_out in asked[1:]:
        said = {request: raw for request, raw in answers(2, FULL).items() if request != left_out.data}
        async with plugged(said) as (_, link):
            bms = driver(link, "two", 2, timeout_ms=400)
            await bms.connect()
            found = good(await bms.read())
            assert "battery_soc_bp" in found
            assert not {"charge_limit_ma", "discharge_limit_ma"} & set(found)


async def test_a_limit_that_rises_counts_from_the_second_poll_that_tells_it():
    """One that falls counts at once; after a new connection nothing is known of before."""

    def allowed(tenths):
        amperes = tenths.to_bytes(2, "big")
        return ascii_reply(b"\x02" + b"\xd0\x00\xaf\x00" + amperes + amperes + b"\xc0")

    async with plugged(answers(2, REST)) as (peer, link):
        asked = PYLONTECH.requests(2)[2].data
        bms = driver(link, "two", 2)
        limits = []
        peer.answers[asked] = allowed(300)
        await bms.connect()
        for tenths in (300, 800, 800, 200, 800):
            peer.answers[asked] = allowed(tenths)
            limits.append(good(await bms.read())["charge_limit_ma"])
        await bms.connect()
        limits.append(good(await bms.read())["charge_limit_ma"])
    assert limits == [30_000, 30_000, 80_000, 20_000, 20_000, 80_000]


async def test_a_board_that_answers_for_another_is_not_believed():
    """JK boards have their address in what follows the record."""

    def said(address):
        asked = (*JK_PB.introduction(3), *JK_PB.requests(3))
        raws = {one.request.name: one.raw for one in BOARD.replies}
        return {
            r.data: raws[r.name][:300] + (b := bytes([address]) + raws[r.name][301:306]) + crc16(b)
            for r in asked
        }

    async with plugged(said(3)) as (peer, link):
        bms = driver(link, "three", 3, "jk_pb_serial")
        assert (await bms.connect())["serial"] == "40119491480"
        assert good(await bms.read())["charge_limit_ma"] == 60_000
        peer.answers |= said(4)
        hurry(bms)
        with pytest.raises(LinkError, match="308 bytes came, but no answer in them"):
            await bms.read()


async def test_a_family_that_the_device_does_not_speak_is_said_at_once():
    async with plugged(answers(2, FULL)) as (_, link):
        with pytest.raises(LinkError, match="no answer"):
            await driver(link, "three", 3, "jk_pb_serial", 150).connect()
