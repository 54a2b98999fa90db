"""The people at the contracts, what is true there, and the endpoints that tell it or do not."""

import asyncio
import json
from random import Random
from typing import Any

import pytest
from eth_account import Account
from rig import deploy
from rig.evmchain import CHAIN_ID, Evm

from gateway.chain.faults import RpcError
from gateway.evidence.signer import KeySigner
from tests.sim import loop
from tests.sim.chain_ends import ORDERED, STOPPED, Operator
from tests.sim.chain_left import read, story
from tests.sim.chain_market import Market, Truth
from tests.sim.chain_script import LIES, VIEWS, WIRE

START_S = 1_790_000_000
VALUES = [900]


class Place:
    """A prepared market whose blocks come on demand."""

    def __init__(self) -> None:
        self.now_s = START_S
        random = Random(7)
        self.evm = Evm(finality=2, clock=lambda: self.now_s, entropy=random.randbytes)
        self.market, self.key = Market(self.evm), KeySigner(b"\x5a" * 32)
        self.contracts, self.storage = asyncio.run(self.market.prepare(self.key))
        self.now_s += 600
        self.truth = Truth(self.evm, self.contracts["services"].lower(), self.storage)
        self.truth.look()

    def blocks(self, count: int) -> list[Any]:
        found = []
        for _ in range(count):
            self.now_s += 12
            self.evm.mine()
            found += self.truth.look()
        return found

    def order(self) -> None:
        self.market.order("load-shifting", self.now_s, self.now_s + 600, VALUES, 150)


@pytest.fixture
def place() -> Place:
    return Place()


def test_an_order_is_true_when_it_is_final_and_a_stop_when_it_is_seen(place: Place) -> None:
    place.order()
    place.market.stop()
    assert place.blocks(2) == []
    assert (len(place.truth.stops), place.truth.final_stops) == (1, set())
    (found,) = place.blocks(1)
    assert (found.values, found.end_ms - found.begin_ms) == ((900,), 600_000)
    assert place.truth.final == {found.id: found}
    assert place.truth.final_stops == place.truth.stops
    assert not place.truth.replaced


@pytest.mark.parametrize(("keep", "found"), [(True, 1), (False, 0)])
def test_a_reorg_takes_an_order_back_and_may_lose_it(place: Place, keep: bool, found: int) -> None:
    place.order()
    place.market.stop()
    place.blocks(1)
    place.evm.reorg(1, keep=keep)
    assert place.truth.look() == []
    assert len(place.blocks(4)) == found
    assert len(place.truth.stops) == 1, "it was at the head"
    assert len(place.truth.final_stops) == found


def test_while_finality_stands_still_nothing_is_true_and_a_deep_reorg_is_noticed(place: Place) -> None:
    place.evm.final_held = place.evm.final
    place.order()
    assert place.blocks(6) == []
    place.evm.final_held = None
    assert len(place.truth.look()) == 1
    place.evm.reorg(2)
    place.truth.look()
    assert not place.truth.replaced
    place.evm.reorg(3)
    place.truth.look()
    assert place.truth.replaced


def test_the_same_entropy_makes_the_same_chain(place: Place) -> None:
    again = Place()
    for each in (place, again):
        each.order()
        each.blocks(5)
    assert again.truth.hashes == place.truth.hashes
    assert len(set(place.truth.hashes)) == len(place.truth.hashes)


# -- what left ------------------------------------------------------------------------------------------


def sent(place: Place, data: bytes, nonce: int = 0) -> bytes:
    """Signed by the site's key, as the gateway would."""
    fields = {
        "type": 2,
        "chainId": CHAIN_ID,
        "nonce": nonce,
        "gas": 500_000,
        "maxFeePerGas": 10**11,
        "maxPriorityFeePerGas": 10**9,
        "value": 0,
        "to": deploy.to_checksum_address(place.contracts["verification"]),
        "data": data,
    }
    return bytes(Account.from_key(b"\x5a" * 32).sign_transaction(fields).raw_transaction)


def test_what_left_is_read_by_the_contracts_own_names(place: Place) -> None:
    gap = place.market.first_record(place.key)
    found = read(place.evm, sent(place, gap, nonce=3))
    assert (found.nonce, found.sequence, found.to) == (3, 1, place.contracts["verification"].lower())
    assert found.signature == gap[-64:-32]
    other = read(place.evm, sent(place, gap[:100] + b"\x01" + gap[101:]))
    assert (other.sequence, other.signature) == (1, found.signature)
    assert other.content != found.content
    assert read(place.evm, sent(place, b"\x12\x34\x56\x78")).sequence == 0


def test_the_story_of_a_key_counts_what_was_accepted_and_what_failed(place: Place) -> None:
    gap = place.market.first_record(place.key)
    for nonce in range(2):
        place.evm.send(sent(place, gap, nonce))
    place.blocks(1)
    told = story(place.evm, place.key.address)
    assert {number: len(digests) for number, digests in told.accepted.items()} == {1: 1}
    assert (told.mined, told.reverted, told.again) == (2, 1, 0)


# -- endpoints ------------------------------------------------------------------------------------------


def ask(operator: Operator, method: str, *parameters: object) -> bytes:
    request = {"jsonrpc": "2.0", "id": 5, "method": method, "params": parameters}

    async def asked(_: object) -> bytes:
        async with asyncio.timeout(10):
            return await operator.post(json.dumps(request).encode())

    return loop.run(asked)


def questions(place: Place) -> list[tuple[object, ...]]:
    """One of each kind that the gateway asks, about a block with an order and a stop in it."""
    block = place.evm.block(hex(place.evm.number))
    assert block is not None
    topics = [["0x" + topic.hex() for topic in (ORDERED, STOPPED)]]
    person = Account.from_key(place.evm.keys[0]).address
    call = {"from": person, "to": place.contracts["verification"]}
    last = deploy.calldata("StorageVerification", "lastSequence", place.key.address)
    return [
        ("eth_chainId",),
        ("eth_getCode", place.contracts["services"], "latest"),
        ("eth_getBlockByNumber", "latest", False),
        ("eth_getBlockByNumber", "finalized", False),
        ("eth_getLogs", {"blockHash": block["hash"], "address": [], "topics": topics}),
        ("eth_getTransactionReceipt", block["transactions"][0]),
        ("eth_getTransactionReceipt", "0x" + "12" * 32),
        ("eth_getTransactionCount", person, "latest"),
        ("eth_call", {"to": place.contracts["verification"], "data": "0x" + last.hex()}, "latest"),
        ("eth_maxPriorityFeePerGas",),
        ("eth_estimateGas", call | {"data": "0x" + last.hex()}),
    ]


def test_each_view_and_lie_is_another_answer_than_the_truth_and_over_when_it_ends(place: Place) -> None:
    for trouble in sorted({*VIEWS, *LIES} - {"swallows"}):
        honest, other = (Operator(name, place.evm, Random(1)) for name in ("honest", "a.example"))
        other.services, other.storage = place.contracts["services"], place.storage
        other.begin(trouble)
        place.order()
        place.market.stop()
        place.blocks(1)
        differ = [said for said in questions(place) if ask(other, *said) != ask(honest, *said)]
        assert differ, trouble
        assert other.hits.total() >= len(differ)
        other.end(trouble)
        assert [ask(other, *said) for said in differ] == [ask(honest, *said) for said in differ]


def test_what_is_swallowed_left_all_the_same_and_never_arrives(place: Place) -> None:
    operator = Operator("a.example", place.evm, Random(1))
    raw = sent(place, b"")
    operator.begin("swallows")
    assert b"result" in ask(operator, "eth_sendRawTransaction", "0x" + raw.hex())
    place.blocks(1)
    assert story(place.evm, place.key.address).mined == 0
    operator.end("swallows")
    ask(operator, "eth_sendRawTransaction", "0x" + raw.hex())
    place.blocks(1)
    assert story(place.evm, place.key.address).mined == 1
    assert operator.left == [raw, raw]


@pytest.mark.parametrize("trouble", WIRE)
def test_an_endpoint_that_is_in_trouble_does_not_answer_as_it_should(trouble: str) -> None:
    operator = Operator("a.example", Evm(clock=lambda: START_S), Random(1))
    right = ask(operator, "eth_chainId")
    operator.begin(trouble)
    answers: list[bytes | None] = []
    for _ in range(8):  # one that limits lets some through
        try:
            answers.append(ask(operator, "eth_chainId"))
        except (RpcError, TimeoutError):
            answers.append(None)
    assert trouble == "slow" or any(found != right for found in answers)
    assert operator.hits.total() == 8
