"""Two clients of one server, ours and node-opcua's: they read the same values, types, statuses and times, and
each reads what the other wrote.
"""

import asyncio
import math

import pytest

from drivers.opcua import PLUGIN
from drivers.opcua.node import parse
from gateway.clock import SystemClock
from gateway.errors import DeviceRefused, LinkError
from tests.drivers import opcua_bench
from tests.drivers.opcua_bench import NAMESPACE

SENSORS = ["s=Battery.SoC", "i=1002", "s=Battery.Power", "b=bm9kZQ==", "s=Grid.Power", "s=Info.Serial",
           "g=09087e75-8e5e-499b-954f-f2a9603db28a", "s=Nothing"]  # fmt: skip
HOSTILE = "s=Hostile"
INSUFFICIENT = 0x80E6_0000  # BadSecurityModeInsufficient
# What the server is told to say: 64 bits as text.
SAYINGS = [
    ("Boolean", True, "Good"),
    ("SByte", -128, "Good"),
    ("Byte", 255, "Good"),
    ("Int16", -32768, "Good"),
    ("UInt16", 65535, "Good"),
    ("Int32", -(2**31), "Good"),
    ("UInt32", 2**32 - 1, "Good"),
    ("Int64", str(-(2**63)), "Good"),
    ("Int64", "-2", "Good"),
    ("UInt64", str(2**64 - 1), "Good"),
    ("Float", 1.5, "Good"),
    ("Double", 0.1, "UncertainInitialValue"),
    ("Double", "NaN", "Good"),
    ("Double", "Infinity", "GoodLocalOverride"),
    ("Double", 3.5, "BadSensorFailure"),
    ("Double", [1.0, 2.5], "Good"),
    ("String", "no number", "Good"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("second")


@pytest.fixture(scope="module")
def peer(folder):
    """Its control nodes want a signature."""
    with opcua_bench.server(folder, guarded=True) as running:
        running.tell("freeze", True)
        yield running


@pytest.fixture(scope="module")
def other(peer, folder, request):
    """A session of the other client, in one mode."""
    with opcua_bench.other(folder, peer.url, request.param) as session:
        assert session.opened == {"open": True}
        session.mode = request.param
        yield session


@pytest.fixture
async def link(peer, folder, other):
    """Ours, in the same mode."""
    url = peer.url if other.mode == "none" else peer.secure(folder / "client", mode=other.mode)
    made = PLUGIN.open_link(url, SystemClock())
    yield made
    await made.close()


async def ours(link, *nodes):
    """As the other client tells it."""
    heard = await link.read([parse(node, NAMESPACE) for node in nodes], timeout_s=10)
    return [{"type": h.type, "value": shown(h), "status": h.status, "source_ms": h.source_ms} for h in heard]


def shown(heard):
    if heard.type in ("Int64", "UInt64"):
        return str(heard.value)
    if isinstance(heard.value, list):
        return [f"{value:g}" for value in heard.value]
    if isinstance(heard.value, float) and not math.isfinite(heard.value):
        return "NaN" if math.isnan(heard.value) else "Infinity"
    return heard.value


async def theirs(other, *nodes):
    return await asyncio.to_thread(other.read, *nodes)


@pytest.mark.parametrize("other", ["none", "sign", "encrypt"], indirect=True)
async def test_both_read_the_same(peer, link, other):
    found = await ours(link, *SENSORS)
    assert found == await theirs(other, *SENSORS)
    types = ["Double", "Float", "Double", "UInt32", "Int32", "String", "Int16", ""]
    assert [one["type"] for one in found] == types
    for type_, value, status in SAYINGS:
        peer.put(type_, value, status)
        (mine,) = await ours(link, HOSTILE)
        assert [mine] == await theirs(other, HOSTILE)
        assert mine["type"].endswith(type_) and mine["source_ms"] > 0
        assert (mine["status"] == 0) == (status == "Good")
        assert isinstance(value, list) or mine["value"] == value


@pytest.mark.parametrize("other", ["sign", "encrypt"], indirect=True)
async def test_each_reads_what_the_other_wrote(link, other):
    for node, type_, value in (
        ("s=Control.Power", "Double", -1.25),
        ("s=Control.Watchdog", "UInt16", 65535),
        ("s=Control.Remote", "Boolean", False),
    ):
        await link.write(parse(node, NAMESPACE), type_, value, timeout_s=10, opens=True)
        (said,) = await theirs(other, node)
        assert (said["type"], said["value"], said["status"]) == (type_, value, 0)
    for node, type_, value in (("s=Control.Power", "Double", 0.75), ("s=Control.Remote", "Boolean", True)):
        assert await asyncio.to_thread(other.write, node, type_, value) == "Good"
        (said,) = await ours(link, node)
        assert (said["type"], said["value"], said["status"]) == (type_, value, 0)
    assert await asyncio.to_thread(other.write, "s=Control.Power", "Float", 1.0) == "BadTypeMismatch"
    with pytest.raises(DeviceRefused, match="BadTypeMismatch"):
        await link.write(parse("s=Control.Power", NAMESPACE), "Float", 1.0, timeout_s=10, opens=True)


@pytest.mark.parametrize("other", ["none"], indirect=True)
async def test_without_security_neither_writes(peer, link, other):
    """The server refuses the other client; ours does not even try."""
    peer.tell("state")
    assert await asyncio.to_thread(other.write, "s=Control.Power", "Double", 2.0) == "BadUserAccessDenied"
    with pytest.raises(LinkError, match="nothing is written without mode"):
        await link.write(parse("s=Control.Power", NAMESPACE), "Double", 2.0, timeout_s=10, opens=True)
    for said in (await ours(link, "s=Control.Power"), await theirs(other, "s=Control.Power")):
        assert (said[0]["type"], said[0]["value"]) == ("", None)  # nor reads what wants a signature
        assert said[0]["status"] == INSUFFICIENT
    assert peer.tell("state")["writes"] == []
