"""Serial BMSs over a pty, against a played peer: recorded replies among echo, noise and neighbours.

No real adapter, RS485 pair or battery: what those add is not proven here.
"""

import asyncio
import json
import sys
from dataclasses import replace

import pytest

from drivers.bms.jbd import checksum, request
from drivers.bms.values import Allowance
from drivers.serial import PLUGIN
from drivers.serial.table import SerialTable
from gateway.clock import SystemClock
from gateway.errors import ConfigError, DeviceRefused, LinkError
from gateway.model import Quality
from tests.drivers.bms_frames import cases
from tests.drivers.serial_bench import device, hurry, plugged
from tests.gateway.cli_bench import write

JBD = next(case for case in cases() if case.name.startswith("four cells"))
HARDWARE = b"\xdd\x05\x00\x04JBD1" + checksum(b"\x00\x04JBD1") + b"\x77"
ANSWERS = {reply.request.data: reply.raw for reply in JBD.replies} | {request(5): HARDWARE}
BASIC, CELLS = request(3), request(4)
TABLE = SerialTable("JBD", "test", "jbd", (9600,), 5, Allowance(50_000, 60_000))


def driver(link, table=TABLE, **changes):
    return PLUGIN.driver(device(link.url.removeprefix("serial://"), **changes), table, link, SystemClock())


def said(sample):
    return {
        point.name: (value, Quality(quality))
        for point, value, quality in zip(sample.points, sample.values, sample.qualities, strict=True)
    }


def good(sample):
    return {name: value for name, (value, quality) in said(sample).items() if quality is Quality.GOOD}


EXPECTED = JBD.told | {"charge_limit_ma": 50_000, "discharge_limit_ma": 60_000, "battery_power_w": 45}


async def test_a_poll_gives_what_the_recording_says():
    async with plugged(ANSWERS) as (peer, link):
        bms = driver(link)
        assert await bms.connect() == {"vendor": "JBD", "model": "JBD1"}
        sample = await bms.read()
        assert good(sample) == EXPECTED
        assert [r[2] for r in peer.heard[-2:]] == [3, 4]
        assert bms.dropped == 0
        assert link.counters.unasked == 0


async def test_a_current_that_its_profile_turns():
    async with plugged(ANSWERS) as (_, link):
        bms = driver(link, replace(TABLE, negate=True))
        await bms.connect()
        turned = {name: -EXPECTED[name] for name in ("battery_current_ma", "battery_power_w")}
        assert good(await bms.read()) == EXPECTED | turned


@pytest.mark.parametrize("echo", [False, True])
@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"\x00\xff\x7f\x00",
        b"\xdd" + bytes(3),  # the beginning of a frame that never comes
        b"\xdd\x03\x00\xff",  # of one that is longer than all that follows
        b"\xdd\x03\x00\xff\xdd\x04\x00\xfe\xdd\x03\x00\xfd",  # of three such
        BASIC + ANSWERS[CELLS],  # another master and its answer
        ANSWERS[BASIC][:-4] + b"\x00\x00\x00\x77",  # damaged
    ],
    ids=["clean", "noise", "false start", "long false start", "three of them", "foreign talk", "damaged"],
)
async def test_what_else_is_on_the_wire_changes_nothing(before, echo):
    async with plugged(ANSWERS) as (peer, link):
        bms = driver(link)
        await bms.connect()
        peer.echo, peer.before = echo, before
        assert good(await bms.read()) == EXPECTED


async def test_an_answer_in_pieces():
    pieces = {asked: [raw[i : i + 5] for i in range(0, len(raw), 5)] for asked, raw in ANSWERS.items()}
    async with plugged(pieces) as (_, link):
        bms = driver(link)
        await bms.connect()
        assert good(await bms.read()) == EXPECTED


async def test_a_poll_that_is_half_answered_is_no_sample():
    async with plugged(ANSWERS) as (peer, link):
        bms = driver(link)
        await bms.connect()
        del peer.answers[CELLS]
        hurry(bms)
        with pytest.raises(LinkError, match="no answer within"):
            await bms.read()
        peer.answers[CELLS] = ANSWERS[CELLS][:-2]
        with pytest.raises(LinkError, match="bytes came, but no answer in them"):
            await bms.read()
        peer.answers |= ANSWERS
        hurry(bms, 5_000)
        assert good(await bms.read()) == EXPECTED  # the cut one has left nothing behind
        assert link.counters.unanswered == 2
        assert bms.dropped == 0


async def test_an_optional_request_is_asked_twice_and_then_left_out():
    async with plugged({asked: raw for asked, raw in ANSWERS.items() if raw != HARDWARE}) as (peer, link):
        bms = driver(link, timeout_ms=400)
        assert await bms.connect() == {"vendor": "JBD", "model": "test"}
        assert link.counters.unanswered == 2
        assert good(await bms.read()) == EXPECTED
        peer.answers[request(5)] = b"\xdd\x05\x80\x00" + checksum(b"\x80\x00") + b"\x77"  # it refuses
        assert await bms.connect() == {"vendor": "JBD", "model": "test"}
        assert link.counters.unanswered == 2


async def test_a_board_that_is_not_there_costs_the_others_one_request():
    """Each unanswered request keeps the wire for its time-out and longer: others starve meanwhile."""
    async with plugged({}) as (_, link):
        bms = driver(link, timeout_ms=150)
        with pytest.raises(LinkError, match="no answer within"):
            await bms.connect()
        assert (link.counters.requests, link.counters.unanswered) == (1, 1)


async def test_an_answer_that_comes_too_late_answers_nothing_else():
    """It is still arriving when the next request would go out: the wire is waited for."""
    async with plugged(ANSWERS) as (peer, link):
        bms = driver(link)
        await bms.connect()
        old = bytearray(ANSWERS[BASIC])
        old[4:6] = b"\x00\x01"
        old[-3:-1] = checksum(bytes(old[2:-3]))
        peer.answers[BASIC] = [b""] * 150 + [bytes(old)]  # 750 ms later
        hurry(bms)
        with pytest.raises(LinkError, match="no answer within"):
            await bms.read()
        peer.answers |= ANSWERS
        while not link.counters.unasked:
            await asyncio.sleep(0.01)
        hurry(bms, 5_000)
        assert good(await bms.read()) == EXPECTED


@pytest.mark.parametrize("late_ms", [400, 600])
async def test_an_answer_that_comes_after_its_deadline_does_not_answer_the_next_poll(late_ms):
    """Asked again at once: a board without transaction numbers would be a poll behind from then on."""
    async with plugged(ANSWERS) as (peer, link):
        bms = driver(link)
        await bms.connect()
        old = bytearray(ANSWERS[BASIC])
        old[4:6] = b"\x00\x01"
        old[-3:-1] = checksum(bytes(old[2:-3]))
        peer.answers[BASIC] = [b""] * (late_ms // 5) + [bytes(old)]
        hurry(bms)
        with pytest.raises(LinkError, match="no answer within"):
            await bms.read()
        peer.answers[BASIC] = [b""] * 100 + [ANSWERS[BASIC]]
        hurry(bms, 5_000)
        assert good(await bms.read()) == EXPECTED
        assert link.counters.unasked == len(old)


async def test_a_request_that_was_given_up_owes_an_answer_too():
    async with plugged(ANSWERS) as (peer, link):
        bms = driver(link)
        await bms.connect()
        old = b"\xdd\x04\x00\x02\x0c\x00" + checksum(b"\x00\x02\x0c\x00") + b"\x77"
        peer.answers[CELLS] = [b""] * 60 + [old]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.15):
                await bms.read()
        peer.answers[CELLS] = [b""] * 100 + [ANSWERS[CELLS]]
        assert good(await bms.read()) == EXPECTED


async def test_a_refusal_is_told_as_one():
    refusal = b"\xdd\x03\x80\x00" + checksum(b"\x80\x00") + b"\x77"
    async with plugged(ANSWERS) as (peer, link):
        bms = driver(link)
        await bms.connect()
        peer.answers[BASIC] = refusal
        with pytest.raises(DeviceRefused, match="refuses basic information, code 0x80"):
            await bms.read()


async def test_what_does_not_decode_is_counted_and_no_answer():
    async with plugged(ANSWERS) as (peer, link):
        bms = driver(link)
        await bms.connect()
        odd = b"\x00\x03abc"
        hurry(bms)
        peer.answers[CELLS] = b"\xdd\x04" + odd + checksum(odd) + b"\x77"
        with pytest.raises(LinkError, match="no answer in them"):
            await bms.read()
        assert bms.dropped == 1


async def test_two_devices_take_turns_on_one_wire():
    async with plugged(ANSWERS) as (peer, link):
        both = [driver(link, name="one"), driver(link, name="two")]
        await asyncio.gather(*(bms.connect() for bms in both))
        peer.heard.clear()
        samples = await asyncio.gather(*(bms.read() for bms in both))
        assert [good(sample) for sample in samples] == [EXPECTED, EXPECTED]
        assert [sample.device for sample in samples] == ["one", "two"]
        assert sorted(r[2] for r in peer.heard) == [3, 3, 4, 4]


async def test_devices_that_cannot_share_a_rate_are_refused():
    async with plugged(ANSWERS) as (peer, _):
        link = PLUGIN.open_link(f"serial://{peer.path}", SystemClock())
        driver(link, replace(TABLE, bauds=(115_200, 9_600)))
        driver(link, replace(TABLE, bauds=(9_600, 115_200)))
        with pytest.raises(ConfigError, match="runs at 115200 baud, one at 9600"):
            driver(link)


async def test_unplugged_and_plugged_in_again(tmp_path):
    """The same name in /dev/serial/by-id, another tty behind it."""
    name = tmp_path / "by-id"
    async with plugged(ANSWERS) as (peer, _):
        name.symlink_to(peer.path)
        link = PLUGIN.open_link(f"serial://{name}", SystemClock())
        try:
            bms = driver(link)
            await bms.connect()
            asyncio.get_running_loop().call_later(0.05, peer.unplug)
            peer.answers.clear()
            with pytest.raises(LinkError, match="serial://"):
                await bms.read()
            assert link.counters.lost == 1
            name.unlink()
            with pytest.raises(LinkError, match="cannot open"):
                await bms.read()
            async with plugged(ANSWERS) as (other, _):
                name.symlink_to(other.path)
                await bms.connect()
                assert good(await bms.read()) == EXPECTED
        finally:
            await link.close()


async def test_the_whole_gateway_reads_it_once(tmp_path):
    """`gridseal read` in a process of its own: site.yaml, shipped profile, port, frames, values."""
    async with plugged(ANSWERS) as (peer, _):
        site = write(tmp_path, profile="jbd_serial", link=f"serial://{peer.path}")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway.cli", "read", "--json", str(site), "inverter",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        assert process.returncode == 0, err.decode()
        points = json.loads(out)["points"]
        found = {name: point["value"] for name, point in points.items() if point["quality"] == "GOOD"}
        assert found == EXPECTED | {"discharge_limit_ma": 50_000}
