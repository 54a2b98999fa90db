"""The link over sessions that are none: one at a time, a new one after trouble, no write in the open."""

import asyncio

import pytest

from drivers.opcua.codec import Heard
from drivers.opcua.feed import Feed, Item
from drivers.opcua.link import OpcUaLink
from drivers.opcua.node import Node
from drivers.opcua.url import parse
from gateway.driver import Counted
from gateway.errors import DeviceRefused, LinkError

NODES = [Node("urn:x", "i", n) for n in range(250)]
TRUSTED = f"opc.tcp://plc?mode=sign&server=sha256:{'ab' * 32}"


class FakeSession:
    """Alive once opened, until something is raised."""

    made: list["FakeSession"] = []  # noqa: RUF012
    refuses: Exception | None = None

    def __init__(self, where, clock):
        self.alive = self.closed = False
        self.certificate = "cd" * 32
        self.asked, self.written = [], []
        FakeSession.made.append(self)

    async def open(self, timeout_s):
        await asyncio.sleep(0)
        self._trouble()
        self.alive = True

    async def read(self, nodes, timeout_s):
        self.asked.append(len(nodes))
        self._trouble()
        return [Heard("Int32", n) for n in range(len(nodes))]

    async def write(self, node, type_, value, timeout_s):
        self._trouble()
        self.written.append((node, type_, value))

    async def subscribe(self, items, interval_ms, timeout_s):
        return Feed(len(items)), 500

    async def unsubscribe(self, feed, timeout_s):
        self.asked.append("unsubscribe")

    async def hear(self, feed, timeout_s):
        self._trouble()

    async def close(self):
        self.closed, self.alive = True, False

    def _trouble(self):
        if FakeSession.refuses:
            self.alive = isinstance(FakeSession.refuses, DeviceRefused)
            raise FakeSession.refuses


@pytest.fixture
def link():
    FakeSession.made, FakeSession.refuses = [], None
    return OpcUaLink(parse(TRUSTED), None, FakeSession)


async def test_one_session_serves_everybody(link):
    await asyncio.gather(*(link.read(NODES[:1], timeout_s=1) for _ in range(5)))
    assert len(FakeSession.made) == 1 and link.certificate == "cd" * 32
    assert isinstance(link, Counted) and link.counters.requests == 5


async def test_who_waits_for_an_attempt_that_fails_makes_none_of_his_own(link):
    """Each takes up to 10 s: of twelve devices on a server that hangs the last would wait for two minutes."""
    FakeSession.refuses = LinkError("it hangs")
    found = await asyncio.gather(
        *(link.read(NODES[:1], timeout_s=1) for _ in range(12)), return_exceptions=True
    )
    assert {str(error) for error in found} == {"it hangs"}
    assert len(FakeSession.made) == 1
    with pytest.raises(LinkError, match="it hangs"):  # who comes later tries
        await link.read(NODES[:1], timeout_s=1)
    FakeSession.refuses = None
    assert await link.read(NODES[:1], timeout_s=1)
    assert len(FakeSession.made) == 3


async def test_many_nodes_are_asked_in_parts(link):
    found = await link.read(NODES, timeout_s=1)
    assert FakeSession.made[0].asked == [100, 100, 50]
    assert [h.value for h in found[98:102]] == [98, 99, 0, 1]


async def test_a_new_session_after_any_trouble_and_no_request_twice(link):
    await link.read(NODES[:1], timeout_s=1)
    FakeSession.refuses = LinkError("lost")
    with pytest.raises(LinkError, match="lost"):
        await link.read(NODES[:1], timeout_s=1)
    assert FakeSession.made[0].asked == [1, 1]
    FakeSession.refuses = None
    await link.read(NODES[:1], timeout_s=1)
    assert [s.closed for s in FakeSession.made] == [True, False]
    assert link.counters.errors == 1 and link.counters.sessions == 2


async def test_a_session_that_does_not_open_is_left_behind(link):
    FakeSession.refuses = LinkError("nobody there")
    for _ in range(2):
        with pytest.raises(LinkError, match="nobody there"):
            await link.read(NODES[:1], timeout_s=1)
    assert len(FakeSession.made) == 2


async def test_only_a_fallback_opens_a_session_to_be_written_in(link):
    with pytest.raises(LinkError, match="not connected"):
        await link.write(NODES[0], "Int32", 1, timeout_s=1)
    assert FakeSession.made == []
    await link.write(NODES[0], "Int32", 0, timeout_s=1, opens=True)
    FakeSession.made[0].alive = False  # lost, and nobody has noticed yet
    with pytest.raises(LinkError, match="not connected"):
        await link.write(NODES[0], "Int32", 1, timeout_s=1)
    await link.write(NODES[0], "Int32", 0, timeout_s=1, opens=True)
    assert [len(s.written) for s in FakeSession.made] == [1, 1]


async def test_a_refused_value_does_not_end_the_session(link):
    await link.write(NODES[0], "Int32", 1, timeout_s=1, opens=True)
    FakeSession.refuses = DeviceRefused("out of range", 1)
    with pytest.raises(DeviceRefused):
        await link.write(NODES[0], "Int32", 2, timeout_s=1)
    assert (link.counters.refused, link.counters.errors, link.counters.sessions) == (1, 0, 1)


async def test_nothing_is_written_in_the_open():
    FakeSession.made, FakeSession.refuses = [], None
    link = OpcUaLink(parse("opc.tcp://plc"), None, FakeSession)
    with pytest.raises(LinkError, match="nothing is written without mode=encrypt"):
        await link.write(NODES[0], "Int32", 1, timeout_s=1)
    assert FakeSession.made == []


async def test_a_subscription_belongs_to_its_session(link):
    told = await link.subscribe([Item(NODES[0], 500)], 500, timeout_s=1)
    await link.hear(told, timeout_s=1)
    assert told.session is FakeSession.made[0] and told.silence_ms == 500
    assert link.counters.notifications == 1
    for alive in (True, False):  # a session that is gone has taken its subscriptions with it
        FakeSession.made[0].alive = alive
        await link.unsubscribe(told, timeout_s=1)
    assert FakeSession.made[0].asked == ["unsubscribe"]


async def test_closing_says_goodbye_and_may_be_done_at_any_time(link):
    await link.close()
    await link.read(NODES[:1], timeout_s=1)
    await link.close()
    assert FakeSession.made[0].closed and link.certificate == ""
