"""A Modbus host with a name: it moves, has dead addresses beside the living one, or is not known."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager

import pytest

from drivers.modbus import dial
from drivers.modbus.link import ModbusLink
from drivers.modbus.url import parse
from gateway.clock import SystemClock
from gateway.errors import LinkError
from tests.drivers.modbus_bench import T
from tests.drivers.modbus_wire import registers

HOST = "inverter.local"


class Says:
    """A resolver: what it says, and how often it was asked."""

    def __init__(self, *addresses: str) -> None:
        self.addresses, self.asked = list(addresses), 0

    async def __call__(self, host: str) -> list[str]:
        assert host == HOST
        self.asked += 1
        if not self.addresses:
            raise LinkError(f"where {host} is, is not known")
        return self.addresses


class Device:
    """Answers register n with `mark`; its connections can be cut."""

    def __init__(self, mark: int) -> None:
        self.mark, self.connections = mark, 0
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        while request := await reader.read(260):
            answer = registers(3, self.mark)
            writer.write(request[:4] + (len(answer) + 1).to_bytes(2) + request[6:7] + answer)
        writer.close()

    def cut(self) -> None:
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def listening(mark: int, address: str, port: int) -> AsyncIterator[Device]:
    device = Device(mark)
    async with await asyncio.start_server(device.serve, address, port):
        yield device
        device.cut()


@contextmanager
def swallowing(address: str, port: int) -> Iterator[None]:
    """A host whose queue of connections is full: who knocks waits for ever, as at an address of nobody."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        server.listen(0)
        for _ in range(3):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex((address, port))
        yield


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.2.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def linked(says: Says, port: int) -> AsyncIterator[ModbusLink]:
    link = ModbusLink(parse(f"tcp://{HOST}:{port}"), SystemClock(), lambda: 0.0, says)
    try:
        yield link
    finally:
        await link.close()


async def mark(link: ModbusLink) -> int:
    return int.from_bytes(await link.read(1, "holding", 7, 1, timeout_s=5))


async def again(link: ModbusLink) -> int:
    """After a cut: the link lets a moment pass between attempts."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await mark(link)
            except LinkError:
                await asyncio.sleep(0.05)


async def test_each_connection_asks_anew_and_follows_a_name_that_moved(port: int) -> None:
    says = Says("127.0.2.1")
    async with (
        listening(1, "127.0.2.1", port) as old,
        listening(2, "127.0.2.2", port),
        linked(says, port) as link,
    ):
        assert [await mark(link), await mark(link), says.asked] == [1, 1, 1]
        assert link.peer == "127.0.2.1"
        says.addresses = ["127.0.2.2"]
        old.cut()
        assert await again(link) == 2 and says.asked >= 2 and link.peer == "127.0.2.2"


async def test_dead_addresses_cost_a_part_of_the_time_and_the_good_one_comes_first_then(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IPv6 first with nobody there, then a host that swallows connections, then the living one."""
    monkeypatch.setattr(dial, "CONNECT_S", 1.5)  # half a second for each
    says, tried = Says("::1", "127.0.2.8", "127.0.2.9"), []
    opens = dial.Session.open

    async def noted(url, host, timeout_s):
        tried.append(host)
        return await opens(url, host, timeout_s)

    monkeypatch.setattr(dial.Session, "open", noted)
    with swallowing("127.0.2.8", port):
        async with listening(9, "127.0.2.9", port) as device, linked(says, port) as link:
            assert await again(link) == 9
            assert tried[:3] == ["::1", "127.0.2.8", "127.0.2.9"]
            tried.clear()
            device.cut()
            assert await again(link) == 9
            assert tried[0] == tried[-1] == "127.0.2.9"


async def test_a_name_that_is_not_known_names_the_link(port: int) -> None:
    async with linked(Says(), port) as link:
        with pytest.raises(LinkError, match=rf"^tcp://{HOST}:{port}: where {HOST} is, is not known$"):
            await link.read(1, "holding", 7, 1, timeout_s=T)


async def test_all_addresses_dead_is_one_link_error(port: int) -> None:
    async with linked(Says("127.0.2.4", "127.0.2.5"), port) as link:
        with pytest.raises(LinkError, match="cannot connect"):
            await mark(link)
