"""Recorded bytes of an independent server, replayed: what we send is what it was sent, to the byte."""

import json
import struct
from pathlib import Path

import pytest

from drivers.modbus.link import ModbusLink
from drivers.modbus.url import parse
from gateway.clock import SystemClock
from gateway.errors import DeviceRefused
from tests.drivers.modbus_wire import tcp_wire

RECORDED = json.loads(
    (Path(__file__).parents[1] / "recorded" / "modbus_libmodbus_tcp.json").read_text("utf-8")
)


async def test_a_recorded_conversation() -> None:
    exchanges = [(bytes.fromhex(e["request"]), bytes.fromhex(e["reply"])) for e in RECORDED["exchanges"]]
    replies = iter(exchanges)
    async with tcp_wire(lambda _: [next(replies)[1]]) as wire:
        link = ModbusLink(parse(wire.url), SystemClock(), lambda: 1.0)
        assert await link.read(1, "holding", 10, 4, timeout_s=1) == struct.pack(">4H", 30, 33, 36, 39)
        assert await link.read(1, "input", 998, 2, timeout_s=1) == struct.pack(">2H", 4990, 4995)
        with pytest.raises(DeviceRefused):
            await link.read(1, "holding", 999, 2, timeout_s=1)
        await link.write(1, 21, [77], timeout_s=1, single=True)
        await link.write(1, 30, [1, 2, 3], timeout_s=1)
        with pytest.raises(DeviceRefused):
            await link.write(1, 999, [1, 2], timeout_s=1)
        assert len(await link.read(1, "holding", 0, 125, timeout_s=1)) == 250
        await link.close()
    assert wire.requests == [request for request, _ in exchanges]
