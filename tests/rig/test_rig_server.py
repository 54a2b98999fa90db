"""The wires: real sockets and ptys, faults seen from outside, limits kept."""

import asyncio
import os
import tty
from contextlib import contextmanager, suppress

import pytest
from rig.faults import Fault
from rig.modbus import Request, RtuFraming, crc
from rig.server import CHARACTER_BITS

from tests.rig.raw import ask, connected, mbap, read_pdu, reply, running

SUNS = read_pdu(40000, 2)
GOOD = b"\x03\x04SunS"


@contextmanager
def line(path):
    """The master's end of the pty, raw."""
    end = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    tty.setraw(end)
    try:
        yield end
    finally:
        os.close(end)


async def heard(end, size, seconds=5.0):
    """`size` bytes from the line, or what came until the time was over."""
    loop, data = asyncio.get_running_loop(), b""
    ready = asyncio.Event()
    loop.add_reader(end, ready.set)
    try:
        async with asyncio.timeout(seconds):
            while len(data) < size:
                await ready.wait()
                ready.clear()
                with suppress(BlockingIOError):
                    data += os.read(end, 4096)
    except TimeoutError:
        return data
    finally:
        loop.remove_reader(end)
    return data


def rtu(pdu, unit=1):
    return RtuFraming.frame(Request(unit, pdu), pdu)


async def test_tcp_serves_several_units_and_pipelined_requests():
    async with running() as rig, connected(rig) as (reader, writer):
        assert await ask(reader, writer, 5, 1, SUNS) == mbap(5, 1, GOOD)
        writer.write(mbap(6, 200, SUNS) + mbap(7, 9, SUNS))
        assert await reply(reader) == mbap(6, 200, GOOD)
        assert await reply(reader) == mbap(7, 9, b"\x83\x0b")
        assert rig.served.requests == 3


async def test_a_late_answer_arrives_after_the_next_one():
    async with running() as rig, connected(rig) as (reader, writer):
        rig.served.faults.add(Fault("late", times=1, ms=150))
        writer.write(mbap(1, 1, SUNS))
        await asyncio.sleep(0.02)
        writer.write(mbap(2, 1, SUNS))
        assert [await reply(reader), await reply(reader)] == [mbap(2, 1, GOOD), mbap(1, 1, GOOD)]


async def test_reset_closes_and_the_next_connection_is_served():
    async with running() as rig:
        rig.served.faults.add(Fault("reset", times=1))
        async with connected(rig) as (reader, writer):
            writer.write(mbap(1, 1, SUNS))
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await reply(reader)
        async with connected(rig) as (reader, writer):
            assert await ask(reader, writer, 2, 1, SUNS) == mbap(2, 1, GOOD)


async def test_silence_leaves_the_connection_open():
    async with running() as rig, connected(rig) as (reader, writer):
        rig.served.faults.add(Fault("silence", times=1))
        writer.write(mbap(1, 1, SUNS))
        assert await ask(reader, writer, 2, 1, SUNS) == mbap(2, 1, GOOD)


async def test_what_is_not_modbus_is_disconnected():
    async with running() as rig, connected(rig) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await reader.read() == b""


async def test_no_more_connections_than_allowed():
    async with running(connections=1) as rig, connected(rig) as (reader, writer):
        assert await ask(reader, writer, 1, 1, SUNS)
        async with connected(rig) as (second, _):
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await reply(second)
        assert await ask(reader, writer, 2, 1, SUNS) == mbap(2, 1, GOOD)


async def test_rtu_answers_and_clients_come_and_go():
    async with running(tcp=None, pty=True) as rig:
        assert "tcp" not in rig.where()
        for _ in range(2):
            with line(rig.where()["pty"]) as end:
                os.write(end, rtu(SUNS))
                assert await heard(end, 9) == rtu(GOOD)


async def test_rtu_is_silent_for_foreign_units_and_bad_checksums():
    async with running(tcp=None, pty=True) as rig:
        with line(rig.where()["pty"]) as end:
            os.write(end, rtu(SUNS, unit=9))
            os.write(end, rtu(SUNS)[:-1] + b"\0")
            assert await heard(end, 1, 0.2) == b""
            os.write(end, rtu(SUNS))
            assert await heard(end, 9) == rtu(GOOD)


async def test_rtu_gives_up_a_request_that_stops_half_way():
    async with running(tcp=None, pty=True) as rig:
        with line(rig.where()["pty"]) as end:
            os.write(end, rtu(b"\x10\x9c\x40\x00\x7b\xf6" + bytes(246))[:30])
            await asyncio.sleep(0.15)
            os.write(end, rtu(SUNS))
            assert await heard(end, 9) == rtu(GOOD)


async def test_rtu_faults_at_byte_level():
    async with running(tcp=None, pty=True) as rig:
        with line(rig.where()["pty"]) as end:
            for kind, size in (("bad_crc", 9), ("noise_before", 12), ("noise_after", 12), ("truncated", 6)):
                rig.served.faults.add(Fault(kind, times=1))
                os.write(end, rtu(SUNS))
                data = await heard(end, size)
                assert len(data) == size
                assert (rtu(GOOD) in data) is (size == 12)
            rig.served.faults.add(Fault("late", times=1, ms=120))
            os.write(end, rtu(SUNS))
            os.write(end, rtu(read_pdu(40002, 1)))
            assert await heard(end, 16) == rtu(b"\x03\x02\0\x01") + rtu(GOOD)


async def test_a_paced_line_takes_its_time():
    async with running(tcp=None, pty=True, baud=4800) as rig:
        with line(rig.where()["pty"]) as end:
            loop = asyncio.get_running_loop()
            began = loop.time()
            os.write(end, rtu(read_pdu(40000, 60)))
            data = await heard(end, 125)
            assert len(data) == 125 and crc(data[:-2]) == data[-2:]
            assert loop.time() - began >= 125 * CHARACTER_BITS / 4800  # never faster than the line


async def test_starting_is_needed_to_know_where():
    async with running(tcp=None, pty=True, slcan=True) as rig:
        assert set(rig.where()) == {"device", "units", "pty", "slcan"}
