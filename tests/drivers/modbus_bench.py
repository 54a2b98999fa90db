"""A Modbus link under test on a scripted wire: what both link test files share."""

import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from drivers.modbus.link import ModbusLink
from drivers.modbus.url import parse
from gateway.clock import SystemClock
from gateway.errors import LinkError
from tests.drivers.modbus_wire import Wire, mbap, registers, rtu

T = 0.15  # a time-out that loopback never reaches by itself


@asynccontextmanager
async def link_to(wire: Wire, jitter: Callable[[], float] = lambda: 1.0) -> AsyncIterator[ModbusLink]:
    link = ModbusLink(parse(wire.url), SystemClock(), jitter)
    try:
        yield link
    finally:
        await link.close()


def memory(request: bytes) -> bytes:
    """What an honest device replies: register n holds n, odd bits are on. `request` without its framing."""
    function, address, count = struct.unpack(">BHH", request[:5])
    if function in (3, 4):
        return registers(function, *range(address, address + count))
    if function in (1, 2):
        packed = sum((address + n & 1) << n for n in range(count))
        return bytes((function, -(-count // 8))) + packed.to_bytes(-(-count // 8), "little")
    return request[:5]


def honest_tcp(request: bytes) -> list:
    return [mbap(request, memory(request[7:]))]


def honest_rtu(request: bytes) -> list:
    return [rtu(request[0], memory(request[1:]))]


async def read(
    link: ModbusLink, address: int = 200, count: int = 1, unit: int = 1, timeout_s: float = T
) -> bytes:
    return await link.read(unit, "holding", address, count, timeout_s=timeout_s)


def words(*values: int) -> bytes:
    return struct.pack(f">{len(values)}H", *values)


async def fails(link: ModbusLink) -> str:
    with pytest.raises(LinkError) as problem:
        await read(link, timeout_s=30)
    return str(problem.value)
