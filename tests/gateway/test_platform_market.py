"""Events of Orders.sol to commands, and refusals with their reason."""

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from gateway.chain.platforms import platform
from gateway.chain.platforms.artifacts import artifact
from gateway.chain.platforms.calls import Order, Unusable
from gateway.chain.shapes import Log
from gateway.evidence.typed import keccak
from gateway.model import ServiceKind, Source
from gateway.services import LAWS
from tests.gateway.platform_samples import (
    BLOCK,
    SERVICES,
    SETTINGS,
)


@pytest.fixture
def adapter():
    return platform(SETTINGS)


def test_the_events_are_those_of_the_shipped_abi(adapter):
    events = {}
    for item in artifact("GridServices")["abi"]:
        if item["type"] == "event":
            events[item["name"]] = f"{item['name']}({','.join(i['type'] for i in item['inputs'])})"
    wanted = ["0x" + keccak(events[n].encode()).hex() for n in ("ServiceOrdered", "EmergencyStop")]
    assert list(adapter.topics) == wanted


def ordered(adapter, *, kind=2, storage=7, begin=100, end=200, values=(1500,), data=None, topics=4):
    parts = ("uint8", "uint64", "uint64", "int64", "int256[]", "uint256")
    data = encode(parts, (kind, begin, end, 5, list(values), 10**15)) if data is None else data
    words = (bytes.fromhex(adapter.topics[0][2:]), b"\xcc" * 32, (4).to_bytes(32), storage.to_bytes(32))
    return Log(SERVICES, words[:topics], data, BLOCK.hash, "0x" + "dd" * 32, 2)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (0, ServiceKind.FREQUENCY),
        (1, ServiceKind.PEAK_SHAVING),
        (2, ServiceKind.FIXED_POWER),
        (3, ServiceKind.VOLTAGE),
        (4, ServiceKind.RESERVE),
    ],
)
def test_an_order_becomes_a_command(adapter, number, kind):
    names = tuple(LAWS[kind].parameters)
    found = adapter.read_event(ordered(adapter, kind=number, values=range(1, len(names) + 1)), BLOCK)
    assert isinstance(found, Order)
    assert found.reference == "services/4"
    command = found.command
    assert (command.id, command.source, command.kind) == ("cc" * 32, Source.CHAIN, kind)
    assert (command.not_before_ms, command.not_after_ms) == (100_000, 200_000)
    assert dict(command.parameters) == dict(zip(names, range(1, len(names) + 1), strict=True))


@pytest.mark.parametrize(
    "change",
    [{"kind": 5}, {"kind": 200}, {"values": ()}, {"values": (1, 2)}, {"values": (2**63,)},
     {"end": 2**50}, {"data": b""}, {"data": b"\xff" * 192}, {"data": b"\x00" * 31}],
)  # fmt: skip
def test_orders_that_cannot_be_obeyed_say_why(adapter, change):
    found = adapter.read_event(ordered(adapter, **change), BLOCK)
    assert isinstance(found, Unusable)
    assert "service 4" in found.reason


def test_events_of_others_do_not_concern_us(adapter):
    assert adapter.read_event(ordered(adapter, storage=8), BLOCK) is None
    assert adapter.read_event(ordered(adapter, topics=3), BLOCK) is None
    assert adapter.read_event(ordered(adapter, topics=0), BLOCK) is None


def test_an_order_far_too_large_is_refused_in_few_words(adapter):
    """One operator's order must not stop the orders of all the others, nor fill the status."""
    found = adapter.read_event(ordered(adapter, data=bytes(2**21)), BLOCK)
    assert isinstance(found, Unusable)
    assert len(found.reason) < 200


def test_an_emergency_stop(adapter):
    words = (bytes.fromhex(adapter.topics[1][2:]), (7).to_bytes(32), bytes(12) + b"\x42" * 20)
    log = Log(SERVICES, words, b"", BLOCK.hash, "0x" + "dd" * 32, 2)
    found = adapter.read_event(log, BLOCK)
    assert found.command.kind is ServiceKind.STOP
    assert found.command.not_before_ms == BLOCK.timestamp_s * 1000
    assert found.command.id == adapter.read_event(log, BLOCK).command.id
    moved = Log(SERVICES, words, b"", BLOCK.hash, "0x" + "dd" * 32, 3)  # by a reorg
    assert found.command.id == adapter.read_event(moved, BLOCK).command.id
    other = Log(SERVICES, words, b"", BLOCK.hash, "0x" + "de" * 32, 2)
    assert found.command.id != adapter.read_event(other, BLOCK).command.id


@given(st.binary(max_size=400), st.lists(st.binary(min_size=32, max_size=32), max_size=4))
def test_any_log_is_an_order_a_refusal_or_nothing(data, topics):
    adapter = platform(SETTINGS)
    ours = (bytes.fromhex(adapter.topics[0][2:]), *topics[1:3], (7).to_bytes(32))
    for words in (tuple(topics), ours):
        found = adapter.read_event(Log(SERVICES, words, data, BLOCK.hash, BLOCK.hash, 0), BLOCK)
        assert found is None or isinstance(found, Order | Unusable)
