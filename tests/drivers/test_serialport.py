"""The shared serial port over a pty: bytes both ways, deadlines, loss said once."""

import asyncio
import errno
import os
import tty
from contextlib import contextmanager

import pytest
import serial

from drivers import serialport
from drivers.serialport import SerialPort
from gateway.errors import LinkError


@contextmanager
def pair():
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    fds = [master, slave]
    try:
        yield fds, os.ttyname(slave)
    finally:
        for fd in fds:
            os.close(fd)


def opened(path, came, lost):
    return SerialPort.open("test:", path, came.append, lost.append, baud=9600)


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_bytes_go_both_ways_and_the_port_is_ours_alone():
    came, lost = [], []
    with pair() as ((master, _), path):
        port = opened(path, came, lost)
        try:
            await port.write(b"ask", 1)
            assert os.read(master, 10) == b"ask"
            os.write(master, b"told")
            await until(lambda: came)
            assert b"".join(came) == b"told"
            with pytest.raises(LinkError, match="test:: cannot open: "):
                opened(path, [], [])
            port.write_now(b"bye")
            assert os.read(master, 10) == b"bye"
        finally:
            port.close()
        port.close()
        port.write_now(b"no one")
        assert lost == []
        with pytest.raises(LinkError, match="went away"):
            await port.write(b"ask", 1)


async def test_a_port_that_goes_is_said_once():
    came, lost = [], []
    with pair() as (fds, path):
        port = opened(path, came, lost)
        for fd in fds:
            os.close(fd)
        fds.clear()
        await until(lambda: lost)
        assert len(lost) == 1 and lost[0].startswith("test:: ")
        with pytest.raises(LinkError):
            await port.write(b"x", 1)
        assert len(lost) == 1


async def test_a_port_that_takes_nothing_is_lost():
    came, lost = [], []
    with pair() as (_, path):
        port = opened(path, came, lost)
        with pytest.raises(LinkError, match="takes no more bytes"):
            await port.write(bytes(1 << 20), 0.2)
        assert lost == ["test:: the adapter takes no more bytes"]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOENT, "test:: cannot open: No such file or directory; is the adapter plugged in?"),
        (errno.EPERM, "test:: cannot open: Operation not permitted; the service's unit allows no device of"),
        (errno.EACCES, "test:: cannot open: Permission denied; the user must be in the group that owns it"),
        (errno.EAGAIN, "test:: cannot open: another link of this site, or another program, has it$"),
        (errno.EISDIR, "test:: cannot open: Is a directory$"),
    ],
)
async def test_why_it_is_not_opened_and_what_to_do(monkeypatch, number, said):
    def refused(*_, **__):
        raise serial.SerialException(number, f"could not open port x: [Errno {number}] 'x'")

    monkeypatch.setattr(serial, "Serial", refused)
    with pytest.raises(LinkError, match=said):
        opened("x", [], [])


def test_what_a_probe_of_the_port_says(tmp_path):
    with pair() as (_, path):
        assert serialport.trouble(path) == ""
    assert serialport.trouble(str(tmp_path)) == "Is a directory"
    assert "plugged in" in serialport.trouble(str(tmp_path / "gone"))
