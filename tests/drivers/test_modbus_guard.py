"""A guarded link on a scripted wire: what is written goes to a connection that was identified, or nowhere."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from drivers.modbus.guard import GuardedLink
from drivers.modbus.link import ModbusLink
from drivers.modbus.plugin import PLUGIN
from gateway.driver import Movable, Moving
from gateway.errors import ConfigError, LinkError, Unidentified
from gateway.standing import NOBODY, Guarding, Standing
from tests.drivers.modbus_bench import T, honest_rtu, honest_tcp, link_to
from tests.drivers.modbus_wire import CLOSE, Wire, tcp_wire

WRITES = frozenset({5, 6, 16})
HANGS_UP = 666  # a register whose reading ends the connection


@asynccontextmanager
async def guarded(scheme: str = "tcp") -> AsyncIterator[tuple[Wire, ModbusLink, Standing, GuardedLink]]:
    honest = honest_tcp if scheme == "tcp" else honest_rtu
    head = 8 if scheme == "tcp" else 2

    def script(request: bytes) -> list:
        ends = request[head : head + 2] == HANGS_UP.to_bytes(2, "big")
        return [CLOSE] if ends else honest(request)

    async with tcp_wire(script, scheme=scheme) as wire, link_to(wire) as link:
        standing = Standing()
        standing.connects = lambda: link.counters.connects
        assert isinstance(PLUGIN, Guarding)
        yield wire, link, standing, PLUGIN.guarded(link, standing)


def written(wire: Wire, scheme: str = "tcp") -> int:
    return sum(request[7 if scheme == "tcp" else 1] in WRITES for request in wire.requests)


async def write_all(link: GuardedLink) -> int:
    """Each kind of write; how many were held back."""
    held = 0
    for kind in (
        link.write(1, 40, [1, 2], timeout_s=T),
        link.write(1, 40, [1], timeout_s=T, single=True),
        link.write_coil(1, 3, True, timeout_s=T),
    ):
        try:
            await kind
        except Unidentified:
            held += 1
    return held


async def hang_up(link: GuardedLink) -> None:
    with pytest.raises(LinkError):
        await link.read(1, "holding", HANGS_UP, 1, timeout_s=T)


@pytest.mark.parametrize("scheme", ["tcp", "rtutcp"])
async def test_nothing_is_written_before_the_device_was_identified_on_this_connection(scheme: str) -> None:
    async with guarded(scheme) as (wire, link, standing, device):
        assert await write_all(device) == 3 and wire.connections == 0  # nor is a connection made for it
        assert await device.read(1, "holding", 7, 1, timeout_s=T) == b"\0\7"
        assert await device.read_bits(1, "coils", 8, 2, timeout_s=T) == (False, True)
        assert await write_all(device) == 3
        standing.identified = link.counters.connects
        assert await write_all(device) == 0
        assert written(wire, scheme) == 3

        await hang_up(device)
        assert await write_all(device) == 3 and wire.connections == 1
        standing.identified = NOBODY
        await device.read(1, "holding", 7, 1, timeout_s=T)  # what identifies connects again: to whom?
        assert wire.connections == 2
        assert await write_all(device) == 3 and written(wire, scheme) == 3
        standing.identified = link.counters.connects
        assert await write_all(device) == 0 and written(wire, scheme) == 6


async def test_a_write_that_waited_its_turn_while_the_connection_went_is_held_back() -> None:
    async with guarded() as (wire, link, standing, device):
        await device.read(1, "holding", 7, 1, timeout_s=T)
        standing.identified = link.counters.connects
        found = await asyncio.gather(
            device.read(1, "holding", HANGS_UP, 1, timeout_s=T),  # has the turn
            device.write(1, 40, [1], timeout_s=T),  # waits for it
            return_exceptions=True,
        )
        assert isinstance(found[1], Unidentified) and written(wire) == 0


async def test_once_identified_nothing_is_believed_that_was_read_on_another_connection() -> None:
    """Nor does it connect: a stranger's registers would read like a foreign write."""
    async with guarded() as (wire, link, standing, device):
        await device.read(1, "holding", 7, 1, timeout_s=T)
        standing.identified = link.counters.connects
        await hang_up(device)
        for again in (False, True):
            with pytest.raises(Unidentified):
                await device.read(1, "holding", 7, 1, timeout_s=T)
            with pytest.raises(Unidentified):
                await device.read_bits(1, "coils", 8, 2, timeout_s=T)
            assert wire.connections == 1 + again
            await link.read(2, "holding", 7, 1, timeout_s=T)  # a neighbour connects


async def test_a_neighbour_on_the_wire_that_need_be_nobody_in_particular_writes_as_ever() -> None:
    async with guarded() as (wire, link, _, device):
        await link.write(2, 40, [1], timeout_s=T)
        assert await write_all(device) == 3 and written(wire) == 1


async def test_a_link_that_moved_holds_nothing_against_who_is_there_and_writes_nothing_yet() -> None:
    async with guarded() as (wire, link, standing, device), tcp_wire(honest_tcp) as there:
        assert isinstance(link, Movable) and link.peer == ""
        await device.read(1, "holding", 7, 1, timeout_s=T)
        standing.identified = link.counters.connects
        assert link.peer == "127.0.0.1"
        standing.identified = NOBODY
        for _ in range(3):
            await hang_up(device)
            with suppress(LinkError):  # not connected, next attempt in a while
                await device.read(1, "holding", 7, 1, timeout_s=T)
        await link.move(there.url)
        assert link.url == device.url == there.url and link.peer == ""
        assert await write_all(device) == 3
        assert await device.read(1, "holding", 7, 1, timeout_s=T) == b"\0\7"
        assert await write_all(device) == 3 and written(there) == written(wire) == 0
        standing.identified = link.counters.connects
        assert await write_all(device) == 0 and written(there) == 3


async def test_hanging_up_waits_for_what_is_being_asked_and_the_next_request_connects() -> None:
    async with guarded() as (wire, link, _, device):
        found, _ = await asyncio.gather(device.read(1, "holding", 7, 1, timeout_s=T), link.hang_up())
        assert found == b"\0\7" and link.peer == ""
        await device.read(1, "holding", 7, 1, timeout_s=T)
        assert wire.connections == 2


@pytest.mark.parametrize("url", ["rtu:///dev/ttyUSB0", "tcp://h:0"])
def test_what_leads_to_no_host_has_no_target(url: str) -> None:
    assert isinstance(PLUGIN, Moving) and PLUGIN.target("rtutcp://h:4001") == ("h", 4001)
    with pytest.raises(ConfigError):
        PLUGIN.target(url)
