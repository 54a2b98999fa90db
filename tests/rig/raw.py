"""What the rig's tests share: Modbus requests by hand, byte by byte, and a rig in a test."""

import asyncio
from contextlib import asynccontextmanager

from rig.modbus import RtuFraming, TcpFraming
from rig.site import Options, Rig

SECONDS = 10


def mbap(tag, unit, pdu):
    return tag.to_bytes(2) + bytes(2) + (len(pdu) + 1).to_bytes(2) + bytes((unit,)) + pdu


def read_pdu(address, count, function=3):
    return bytes((function,)) + address.to_bytes(2) + count.to_bytes(2)


def write_pdu(address, *values):
    data = b"".join((v & 0xFFFF).to_bytes(2) for v in values)
    return b"\x10" + address.to_bytes(2) + len(values).to_bytes(2) + bytes((len(data),)) + data


def tcp_requests(data):
    return TcpFraming().feed(data)


def rtu_requests(data):
    return RtuFraming().feed(data)


@asynccontextmanager
async def running(**options):
    """A rig on real wires for the length of a test."""
    async with asyncio.timeout(60), Rig(Options(**options)) as rig:
        yield rig


@asynccontextmanager
async def connected(rig):
    """A plain TCP connection to it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.where()["tcp"])
    try:
        yield reader, writer
    finally:
        writer.close()


async def reply(reader):
    """The next whole MBAP frame."""
    async with asyncio.timeout(SECONDS):
        head = await reader.readexactly(6)
        return head + await reader.readexactly(int.from_bytes(head[4:6]))


async def ask(reader, writer, tag, unit, pdu):
    writer.write(mbap(tag, unit, pdu))
    return await reply(reader)
