"""Agreement of endpoints: what one liar, one laggard or one silent endpoint can and cannot do. The chain is
the rig's EVM; the lies are scripted (a mock)."""

import pytest
from rig.evmchain import CHAIN_ID, Refused

from gateway.chain.faults import Fault, RpcError
from gateway.chain.quorum import FINAL_STALL_MAX_MS, STALL_MAX_MS, Quorum
from gateway.errors import ChainError, ConfigError
from gateway.model import ClockTrust
from tests.chain.world import SINK, world
from tests.sim.loop import run


def simulate(tmp_path, scenario, mined=5):
    async def main(clock):
        async with world(clock, tmp_path) as w:
            w.block(mined)
            return await scenario(w)

    return run(main)


def lie(change, **fields):
    """An endpoint's answer to getBlock with some fields replaced."""

    def told(tag, full=False):
        block = change.truth["eth_getBlockByNumber"](tag)
        return block and block | fields

    change.lies["eth_getBlockByNumber"] = told


def test_two_honest_endpoints(tmp_path):
    async def scenario(w):
        quorum = w.quorum()
        await quorum.check()
        assert (await quorum.head()).number == 5
        final = await quorum.finalised()
        assert final.number == 3
        assert await quorum.logs(final, [SINK], ["0x" + "00" * 32]) == ()
        assert await quorum.transaction_count(SINK, 5) == 0
        assert await quorum.receipts("0x" + "00" * 32) == [None, None]
        assert await quorum.knows("0x" + "00" * 32) is False

    simulate(tmp_path, scenario)


def test_another_chain_and_a_missing_contract_are_said_in_one_line(tmp_path):
    async def scenario(w):
        for endpoint in (w.a, w.b):
            endpoint.lies["eth_chainId"] = lambda: "0x1"
        with pytest.raises(ConfigError, match=r"a\.example serves chain 1, but chain\.id is 31337") as caught:
            await w.quorum().check()
        assert "\n" not in str(caught.value)
        with pytest.raises(ChainError, match="serves chain 1"):
            await w.quorum().ensure()
        w.a.lies.clear()
        for down in (False, True):  # one alone does not end the daemon
            w.a.down = down
            with pytest.raises(ChainError, match=r"b\.example serves chain 1, but chain\.id is 31337"):
                await w.quorum().check()
        w.a.down = False
        w.b.lies.clear()
        with pytest.raises(ConfigError, match="has no code on chain 31337"):
            await w.quorum(contracts=(SINK,)).check()
        w.a.down = True
        with pytest.raises(ChainError):
            await w.quorum().check()

    simulate(tmp_path, scenario)


def test_one_endpoint_is_not_enough_unless_somebody_says_so(tmp_path):
    async def scenario(w):
        with pytest.raises(ConfigError, match="2 endpoints"):
            Quorum((w.a.rpc(),), w.clock, chain_id=CHAIN_ID)
        alone = Quorum((w.a.rpc(),), w.clock, chain_id=CHAIN_ID, needed=1)
        assert (await alone.finalised()).number == 3
        w.b.down = True
        with pytest.raises(ChainError):
            await w.quorum().finalised()

    simulate(tmp_path, scenario)


def test_two_hashes_for_the_finalised_block(tmp_path):
    async def scenario(w):
        lie(w.b, hash="0x" + "66" * 32)
        with pytest.raises(ChainError, match="disagree about block 3"):
            await w.quorum().finalised()

    simulate(tmp_path, scenario)


@pytest.mark.parametrize("logs", [[], None, [{}], "0x"])
def test_logs_that_one_endpoint_hides_or_spoils(tmp_path, logs):
    async def scenario(w):
        quorum = w.quorum()
        block = await quorum.block(3)
        entry = {
            "address": SINK, "topics": ["0x" + "11" * 32], "data": "0x", "blockHash": block.hash,
            "transactionHash": "0x" + "22" * 32, "logIndex": "0x0",
        }  # fmt: skip
        w.a.lies["eth_getLogs"] = lambda query: [entry]
        w.b.lies["eth_getLogs"] = lambda query: logs
        with pytest.raises(ChainError):
            await quorum.logs(block, [SINK], ["0x" + "11" * 32])
        w.b.lies["eth_getLogs"] = w.a.lies["eth_getLogs"]
        assert len(await quorum.logs(block, [SINK], ["0x" + "11" * 32])) == 1

    simulate(tmp_path, scenario)


def test_a_head_that_stands_still(tmp_path):
    async def scenario(w):
        quorum = w.quorum()
        w.clock.trust = ClockTrust.UNTRUSTED  # or its age would give it away first
        await quorum.head()
        w.pass_ms(STALL_MAX_MS + 1)
        with pytest.raises(ChainError, match="no new block for 120 s"):
            await quorum.head()
        w.block()
        await quorum.head()

    simulate(tmp_path, scenario)


def test_finality_that_stands_still(tmp_path):
    async def scenario(w):
        quorum = w.quorum()
        await quorum.finalised()
        w.evm.finality = 10**6
        for endpoint in (w.a, w.b):
            old = w.evm.block("0x3")
            truth = endpoint.truth["eth_getBlockByNumber"]
            endpoint.lies["eth_getBlockByNumber"] = lambda tag, full=False, old=old, truth=truth: (
                old if tag == "finalized" else truth(tag)
            )
        for _ in range(FINAL_STALL_MAX_MS // 60_000):
            w.pass_ms(48_000)
            w.block()
            await quorum.finalised()
        w.pass_ms(48_000)
        w.block()
        with pytest.raises(ChainError, match="no new block"):
            await quorum.finalised()

    simulate(tmp_path, scenario)


@pytest.mark.parametrize(("off_s", "side"), [(-200, "behind"), (200, "ahead of")])
def test_a_head_far_from_the_trusted_clock(tmp_path, off_s, side):
    async def scenario(w):
        w.clock.step(-off_s * 1000)
        with pytest.raises(ChainError, match=f"{abs(off_s)} s {side} the clock"):
            await w.quorum().head()
        w.clock.trust = ClockTrust.UNTRUSTED  # then it says nothing about the head
        await w.quorum().head()

    simulate(tmp_path, scenario)


def test_what_each_endpoint_says_of_a_receipt_is_told_apart(tmp_path):
    async def scenario(w):
        name = "0x" + "33" * 32
        told = {
            "transactionHash": name, "blockNumber": "0x4", "blockHash": "0x" + "44" * 32, "status": "0x1",
            "gasUsed": "0x5208", "effectiveGasPrice": "0x1",
        }  # fmt: skip
        w.a.lies["eth_getTransactionReceipt"] = lambda n: told
        first, second = await w.quorum().receipts(name)
        assert (first.block_number, second) == (4, None)
        w.b.lies["eth_getTransactionReceipt"] = lambda n: told | {"blockHash": "0x" + "55" * 32}
        first, second = await w.quorum().receipts(name)
        assert first != second
        w.b.lies["eth_getTransactionReceipt"] = lambda n: told
        assert len(set(await w.quorum().receipts(name))) == 1
        w.a.down = True
        with pytest.raises(ChainError):
            await w.quorum().receipts(name)

    simulate(tmp_path, scenario)


def test_one_endpoint_alone_cannot_say_that_a_call_would_fail(tmp_path):
    """A refusal counts towards giving a call up; a liar would have a service never settled."""

    async def scenario(w):
        def refuse(*_):
            raise Refused("execution reverted", 3)

        quorum = w.quorum()
        w.a.lies["eth_estimateGas"] = refuse
        with pytest.raises(ChainError, match="do not agree"):
            await quorum.estimate_gas(w.signer.address, SINK, b"")
        w.b.down = True
        with pytest.raises(ChainError, match="do not agree"):
            await quorum.estimate_gas(w.signer.address, SINK, b"")
        w.b.down = False
        w.b.lies["eth_estimateGas"] = refuse
        with pytest.raises(RpcError) as told:
            await quorum.estimate_gas(w.signer.address, SINK, b"")
        assert told.value.fault is Fault.REVERTED

    simulate(tmp_path, scenario)


def test_numbers_take_the_careful_side(tmp_path):
    async def scenario(w):
        w.a.lies |= {
            "eth_getTransactionCount": lambda *_: "0x9",
            "eth_maxPriorityFeePerGas": lambda: hex(10**12),
            "eth_estimateGas": lambda *_: "0xffff",
        }
        quorum = w.quorum()
        assert await quorum.transaction_count(SINK, "latest") == 0
        assert await quorum.tip() == 10**9
        assert await quorum.estimate_gas(w.signer.address, SINK, b"") == 0xFFFF
        w.a.lies["eth_estimateGas"] = lambda *_: hex(10**9)
        with pytest.raises(ChainError, match="more than any call"):
            await quorum.estimate_gas(w.signer.address, SINK, b"")

    simulate(tmp_path, scenario)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (("underpriced", "header not found"), Fault.UNDERPRICED),
        (("nonce too low", "underpriced"), Fault.NONCE_TOO_LOW),
        (("header not found", "rate limit"), Fault.UNAVAILABLE),
    ],
)
def test_publishing_tells_the_most_certain_fault(tmp_path, said, fault):
    async def scenario(w):
        for endpoint, message in zip((w.a, w.b), said, strict=True):

            def refuse(raw, message=message):
                raise Refused(message)

            endpoint.lies["eth_sendRawTransaction"] = refuse
        with pytest.raises(RpcError) as caught:
            await w.quorum().publish(b"\x02")
        assert caught.value.fault is fault
        w.b.lies["eth_sendRawTransaction"] = lambda raw: "0x" + "00" * 32
        await w.quorum().publish(b"\x02")  # one that takes it is enough

    simulate(tmp_path, scenario)


def test_a_view_is_asked_at_one_block(tmp_path):
    async def scenario(w):
        asked = []
        for endpoint in (w.a, w.b):
            endpoint.lies["eth_call"] = lambda query, tag: asked.append(tag) or "0x07"
        assert await w.quorum().view(SINK, b"") == b"\x07"
        assert await w.quorum().view(SINK, b"", depth=3) == b"\x07"
        assert asked == ["0x5", "0x5", "0x3", "0x3"]

    simulate(tmp_path, scenario)
