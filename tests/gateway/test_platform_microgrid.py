"""Platform `microgrid`: sums follow each interval, orders of both contracts are told apart."""

from dataclasses import replace

import pytest
from eth_abi.abi import decode, encode

from gateway import services
from gateway.chain.platforms import microgrid, platform
from gateway.chain.platforms.calls import Order, Unusable
from gateway.chain.shapes import Log
from gateway.model import ServiceKind
from tests.gateway.platform_samples import BLOCK, DELIVERY, INTERVAL, SETTINGS, made

AT = {role: "0x" + f"{n:02x}" * 20 for n, role in enumerate(microgrid.SYSTEM.roles, 0xA1)}
ADAPTER = platform(replace(SETTINGS, platform="microgrid", contracts=AT))


def ordered(role: str, kind: int, values: tuple[int, ...]) -> Log:
    data = encode(("uint8", "uint64", "uint64", "int64", "int256[]", "uint256"), (kind, 1, 2, 0, values, 0))
    topics = (bytes.fromhex(ADAPTER.topics[0][2:]), b"\xcc" * 32, (4).to_bytes(32), (7).to_bytes(32))
    return Log(AT[role], topics, data, BLOCK.hash, "0x" + "dd" * 32, 2)


def test_what_was_produced_and_consumed_follows_each_interval():
    (one, produced), (two, consumed) = ADAPTER.follow_ups(made(INTERVAL), "", None)
    assert (one, two) == ("production/5", "consumption/5")
    i = INTERVAL
    (said,) = decode(("(uint48,uint48,uint64,uint64,uint32,uint32)",), produced.data[4:])
    assert said == (i.start_ms, i.end_ms, i.produced_wh, i.discharged_wh, i.frequency_mhz, i.voltage_mv)
    member, used = decode(("uint256", "(uint48,uint48,uint64,uint64)"), consumed.data[4:])
    assert (member, used) == (7, (i.start_ms, i.end_ms, i.consumed_wh, i.imported_wh))


@pytest.mark.parametrize("kind", range(8))
def test_every_measure_has_its_service(kind):
    service = microgrid.SYSTEM.services[kind]
    found = ADAPTER.read_event(ordered("balancing", kind, (1,) * len(services.names(service))), BLOCK)
    assert isinstance(found, Order) and found.command.kind is service


def test_island_orders_take_no_numbers():
    assert isinstance(ADAPTER.read_event(ordered("balancing", 6, (1,)), BLOCK), Unusable)
    assert ADAPTER.read_event(ordered("balancing", 6, ()), BLOCK).command.kind is ServiceKind.ISLAND


def test_a_trade_is_settled_where_it_was_made():
    trade = ADAPTER.read_event(ordered("trading", 0, (2000,)), BLOCK)
    assert trade.reference == "trading/4"
    found = ADAPTER.follow_ups(made(DELIVERY), trade.reference, None)
    assert {call.contract for _, call in found} == {AT["trading"]}
    balance = ADAPTER.read_event(ordered("balancing", 0, (2000,)), BLOCK)
    found = ADAPTER.follow_ups(made(DELIVERY), balance.reference, None)
    assert {call.contract for _, call in found} == {AT["balancing"]}
