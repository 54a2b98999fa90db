"""Who may use the wire and when: order, gaps, dead units, closing."""

import asyncio
from collections.abc import Callable

import pytest

from drivers.modbus.link import SILENT_MAX
from gateway.errors import LinkError
from tests.drivers.modbus_bench import T, fails, honest_rtu, honest_tcp, link_to, read, words
from tests.drivers.modbus_wire import Wire, tcp_wire


async def test_one_request_at_a_time_and_writes_first() -> None:
    outstanding = most = 0

    def script(request: bytes) -> list:
        nonlocal outstanding, most
        outstanding += 1
        most = max(most, outstanding)
        outstanding -= 1
        return [0.005, *honest_tcp(request)]

    async with tcp_wire(script) as wire, link_to(wire) as link, asyncio.TaskGroup() as group:
        for n in range(4):
            group.create_task(read(link, n, unit=n + 1, timeout_s=1))
        await asyncio.sleep(0)
        group.create_task(link.write(9, 1, [1], timeout_s=1))
    assert [r[7] for r in wire.requests] == [3, 16, 3, 3, 3]
    assert all(len(r) in (12, 15) for r in wire.requests)  # never two in one segment
    gaps = [b - a for a, b in zip(wire.at_s, wire.at_s[1:], strict=False)]
    assert min(gaps) >= 0.005


async def test_gap_between_requests() -> None:
    async with tcp_wire(honest_tcp, query="?gap=40") as wire, link_to(wire) as link:
        for n in range(3):
            await read(link, n)
    assert all(b - a >= 0.04 for a, b in zip(wire.at_s, wire.at_s[1:], strict=False))


async def test_settle_after_connect() -> None:
    async with tcp_wire(honest_tcp, query="?settle=80") as wire, link_to(wire) as link:
        start_s = asyncio.get_running_loop().time()
        await read(link)
        assert wire.at_s[0] - start_s >= 0.079


async def test_a_dead_unit_does_not_slow_the_others() -> None:
    def script(request: bytes) -> list:
        return [] if request[6] == 1 else honest_tcp(request)

    async with tcp_wire(script) as wire, link_to(wire) as link:
        for _ in range(2):
            with pytest.raises(LinkError, match="no answer"):
                await read(link, unit=1)
            await read(link, unit=2)
        for _ in range(50):
            with pytest.raises(LinkError, match="asked again in"):
                await read(link, unit=1)
            await read(link, unit=2)
        assert link.counters.timeouts == 2 and link.counters.skipped == 50
    assert [r[6] for r in wire.requests].count(1) == 2
    assert wire.connections == 1


async def test_a_half_open_connection_is_replaced() -> None:
    async with tcp_wire(lambda r: []) as wire, link_to(wire) as link:
        for unit in range(SILENT_MAX):
            with pytest.raises(LinkError, match="no answer"):
                await read(link, unit=unit + 1, timeout_s=0.03)
        with pytest.raises(LinkError, match="next attempt"):
            await read(link, unit=100, timeout_s=0.03)
        await asyncio.sleep(0.55)
        with pytest.raises(LinkError, match="no answer"):
            await read(link, unit=100, timeout_s=0.03)
        assert wire.connections == 2


async def test_a_serial_server_that_lost_its_power_is_connected_to_again() -> None:
    """Its socket is half open then, and TCP itself takes a quarter of an hour to give up."""

    def script(request: bytes) -> list:
        return [] if wire.connections == 1 else honest_rtu(request)

    async with tcp_wire(script, scheme="rtutcp") as wire, link_to(wire) as link:
        with pytest.raises(LinkError, match="no answer"):
            await read(link, timeout_s=0.5)
        assert await read(link, unit=100) == words(200)
        assert wire.connections == 2


async def test_closing_fails_what_is_asked_and_all_that_follows() -> None:
    async with tcp_wire(lambda r: []) as wire, link_to(wire) as link:
        async with asyncio.TaskGroup() as group:
            failed = group.create_task(fails(link))
            await asyncio.sleep(0.05)
            await link.close()
        assert "lost" in failed.result()
        with pytest.raises(LinkError, match="closed"):
            await read(link)


async def test_closing_a_link_that_never_opened() -> None:
    async with link_to(Wire("tcp://127.0.0.1:1")) as link:
        await link.close()
        assert link.counters.connects == 0


@pytest.mark.parametrize(
    "bad",
    [
        lambda link: link.read(1, "holding", 65535, 2, timeout_s=T),
        lambda link: link.read(1, "holding", 0, 126, timeout_s=T),
        lambda link: link.read(1, "holding", 0, 0, timeout_s=T),
        lambda link: link.read(256, "holding", 0, 1, timeout_s=T),
        lambda link: link.read(1, "holding", 0, 1, timeout_s=0),
        lambda link: link.write(1, 0, [], timeout_s=T),
        lambda link: link.write(1, 0, [0] * 124, timeout_s=T),
        lambda link: link.write(1, 0, [1, 2], timeout_s=T, single=True),
        lambda link: link.write(1, 0, [65536], timeout_s=T),
    ],
)
async def test_requests_no_device_could_be_asked(bad: Callable) -> None:
    async with link_to(Wire("tcp://127.0.0.1:1")) as link:
        with pytest.raises(ValueError):
            await bad(link)
