"""Several Stacks endpoints as one chain, over a mock of it that forks and lies."""

import asyncio

import pytest

from gateway.chain.faults import Fault, RpcError
from gateway.chain.quorum import Head
from gateway.chain.stacks.address import TESTNET_ID
from gateway.chain.stacks.codec import Err, Int, Ok, Some, UInt
from gateway.chain.stacks.operators import HEAD_OFF_MAX_MS, STALL_MAX_MS
from gateway.chain.stacks.transaction import Invocation, payload
from gateway.errors import ChainError, ConfigError
from gateway.model import ClockTrust
from tests.chain.stacks_fake import ACCOUNT, SINK, World, sink
from tests.sim.loop import run

GET = payload(Invocation(SINK, "get", [UInt(1)]))


def simulate(tmp_path, scenario):
    async def main(clock):
        w = World(clock, tmp_path)
        w.block(4)
        return await scenario(w)

    return run(main)


def test_two_honest_endpoints(tmp_path):
    async def scenario(w):
        found = w.operators()
        await found.check()
        assert await found.head() == Head(5, 0)
        assert (await found.anchor(1)).height == 5
        assert (await found.anchor(3)).height == 3
        assert (await found.anchor(30)).height == 1
        assert await found.transaction_count(ACCOUNT, 5) == await found.transaction_count_most(ACCOUNT) == 0
        assert await found.receipts("0x" + "00" * 32) == [None, None]
        assert await found.knows("0x" + "00" * 32) is False
        assert await found.tip() == 1

    simulate(tmp_path, scenario)


def test_another_network_is_said_in_one_line(tmp_path):
    async def scenario(w):
        for endpoint in (w.a, w.b):
            endpoint.lies["/v2/info"] = lambda status, said: (status, said | {"network_id": 1})
        with pytest.raises(ConfigError, match=f"a.example serves chain 1, but chain.id is {TESTNET_ID}"):
            await w.operators().check()

    simulate(tmp_path, scenario)


def test_contracts_that_are_not_there_or_are_others_are_said_by_their_role(tmp_path):
    async def scenario(w):
        uses = {"records": (SINK, frozenset({"put", "get"}))}
        with pytest.raises(ConfigError, match=r"contracts\.records: .* is not deployed on chain\.network"):
            await w.operators(contracts=uses).check()
        w.chain.functions["sink"] = {"put": "public", "get": "private", "other": "read_only"}
        with pytest.raises(ConfigError, match="has no function get: it is another contract"):
            await w.operators(contracts=uses).check()
        with pytest.raises(ChainError, match="has no function get"):
            await w.operators(contracts=uses).ensure()
        w.chain.functions["sink"]["get"] = "read_only"
        await w.operators(contracts=uses).check()
        w.b.lies["/v2/contracts/interface"] = lambda status, said: (404, {})
        with pytest.raises(ChainError, match="disagree about the functions"):
            await w.operators(contracts=uses).check()
        w.b.down = True
        with pytest.raises(ChainError, match="outage"):
            await w.operators(contracts=uses).check()

    simulate(tmp_path, scenario)


@pytest.mark.parametrize("field", ["hash", "index_block_hash", "block_time"])
def test_two_stories_of_one_block(tmp_path, field):
    async def scenario(w):
        other = {"block_time": 1_790_000_001}.get(field, "0x" + "66" * 32)
        w.b.lies["/extended/v2/blocks/3"] = lambda status, said: (status, said | {field: other})
        found = w.operators()
        assert (await found.anchor(1)).height == 5
        with pytest.raises(ChainError, match="disagree about block 3"):
            await found.anchor(3)
        with pytest.raises(ChainError, match="disagree about block 3"):
            await found.transaction_count(ACCOUNT, 3)

    simulate(tmp_path, scenario)


def test_a_head_that_stands_still_or_is_far_from_the_clock(tmp_path):
    async def scenario(w):
        found = w.operators()
        w.clock.trust = ClockTrust.UNTRUSTED  # or its age would give it away first
        await found.head()
        await asyncio.sleep(STALL_MAX_MS / 1000 + 1)
        with pytest.raises(ChainError, match="no new block for 10801 s"):
            await found.head()
        w.block()
        await found.head()
        w.clock.trust = ClockTrust.TRUSTED
        for off_ms, side in ((HEAD_OFF_MAX_MS, "behind"), (-2 * HEAD_OFF_MAX_MS, "ahead of")):
            await found.head()
            w.clock.step(off_ms + (2000 if off_ms > 0 else -2000))
            with pytest.raises(ChainError, match=f"s {side} the clock"):
                await found.head()
            w.clock.step(-2000 if off_ms > 0 else 2000 + HEAD_OFF_MAX_MS)

    simulate(tmp_path, scenario)


def test_one_that_lags_holds_the_others_back(tmp_path):
    """What is asked is asked of a block that all have."""

    async def scenario(w):
        old = w.chain._block(3)[1]
        w.a.lies["/extended/v2/blocks?limit=1"] = lambda status, said: (status, {"results": [old]})
        assert await w.operators().head() == Head(3, 0)
        assert (await w.operators().anchor(1)).height == 3
        w.a.lies["/extended/v2/blocks?limit=1"] = lambda status, said: (status, {"results": []})
        with pytest.raises(ChainError, match="no newest block"):
            await w.operators().head()
        assert await w.operators(needed=1).head() == Head(5, 0)

    simulate(tmp_path, scenario)


def test_a_view_is_read_at_one_block_and_both_must_say_the_same(tmp_path):
    async def scenario(w):
        heights = []
        w.chain.views["get"] = lambda arguments, height: heights.append(height) or Some(UInt(7))
        found = w.operators()
        word = await found.view(str(SINK), GET, 3)
        assert (int.from_bytes(word, "big"), len(word)) == (7, 32)
        assert heights == [3, 3]
        w.b.lies["/v2/contracts"] = lambda status, said: (status, said | {"result": "0x09"})
        with pytest.raises(ChainError, match="disagree about get of"):
            await found.view(str(SINK), GET)
        w.b.down = True
        with pytest.raises(ChainError, match="outage"):
            await found.view(str(SINK), GET)

    simulate(tmp_path, scenario)


@pytest.mark.parametrize(
    ("said", "word"),
    [
        (None, bytes(32)),
        (UInt(2**128 - 1), bytes(16) + b"\xff" * 16),
        (Some(b"\x01" * 20), bytes(12) + b"\x01" * 20),
        (b"\x01" * 33, None),
        (Int(3), None),
        (Ok(UInt(3)), None),
        ([UInt(3)], None),
    ],
)
def test_what_a_word_is(tmp_path, said, word):
    async def scenario(w):
        w.chain.views["get"] = lambda arguments, height: said
        if word is None:
            with pytest.raises(ChainError, match="no number and no word"):
                await w.operators().view(str(SINK), GET)
        else:
            assert await w.operators().view(str(SINK), GET) == word

    simulate(tmp_path, scenario)


def test_numbers_take_the_careful_side(tmp_path):
    async def scenario(w):
        w.a.lies["/v2/accounts"] = lambda status, said: (status, {"nonce": 9})
        w.a.lies["/v2/fees"] = lambda status, said: (status, 500)
        found = w.operators()
        assert await found.transaction_count(ACCOUNT, 5) == 0
        assert await found.transaction_count_most(ACCOUNT) == 9
        assert await found.tip() == 1
        w.b.lies["/v2/fees"] = lambda status, said: (status, 0)
        assert await found.tip() == 1

    simulate(tmp_path, scenario)


def test_a_call_is_tried_out_by_what_the_contract_can_be_asked(tmp_path):
    async def scenario(w):
        answers = [Ok(UInt(1)), Err(UInt(203)), Err(Int(-1)), False, True]
        w.chain.views["would"] = lambda arguments, height: answers[0]
        trial = Invocation(SINK, "would", [])
        found = w.operators(lambda call: trial)
        assert await found.estimate_gas(ACCOUNT, str(SINK), sink(1)) == 0
        for words in ("would says error 203", "would says an error", "would says no"):
            answers.pop(0)
            with pytest.raises(RpcError, match=words) as caught:
                await found.estimate_gas(ACCOUNT, str(SINK), sink(1))
            assert caught.value.fault is Fault.REVERTED
        answers.pop(0)
        assert await found.estimate_gas(ACCOUNT, str(SINK), sink(1)) == 0
        w.b.lies["/v2/contracts"] = lambda status, said: (status, said | {"result": "0x0703"})
        with pytest.raises(ChainError, match="disagree") as caught:
            await found.estimate_gas(ACCOUNT, str(SINK), sink(1))
        assert not isinstance(caught.value, RpcError), "one alone cannot say that a call would fail"
        untried = w.operators(lambda call: None)
        assert await untried.estimate_gas(ACCOUNT, str(SINK), sink(1)) == 0

    simulate(tmp_path, scenario)


def test_a_node_that_cannot_run_a_view_does_not_count_as_the_contracts_no(tmp_path):
    """`okay: false` is the node's word on the view, not the contract's on the call."""

    async def scenario(w):
        w.chain.views["would"] = lambda arguments, height: Ok(True)
        trial = Invocation(SINK, "would", [])
        w.a.lies["/v2/contracts"] = lambda status, said: (200, {"okay": False, "cause": "Runtime"})
        with pytest.raises(ChainError, match="do not agree") as caught:
            await w.operators(lambda call: trial).estimate_gas(ACCOUNT, str(SINK), sink(1))
        assert not isinstance(caught.value, RpcError)
        w.b.lies = w.a.lies
        with pytest.raises(RpcError, match="refuses it: would: Runtime"):
            await w.operators(lambda call: trial).estimate_gas(ACCOUNT, str(SINK), sink(1))
        w.a.down = True
        with pytest.raises(ChainError) as caught:
            await w.operators(lambda call: trial).estimate_gas(ACCOUNT, str(SINK), sink(1))
        assert not isinstance(caught.value, RpcError) or caught.value.fault is not Fault.REVERTED

    simulate(tmp_path, scenario)
