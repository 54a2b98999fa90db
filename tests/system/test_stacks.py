"""The whole program on Stacks: simulated devices, the contracts in their simulator, `gridseal run`: an order
of the contract moves the battery, and its proof is paid."""

import asyncio
import time

from gateway.chain.platforms import platform
from gateway.chain.stacks.codec import Int, Ok, UInt
from gateway.config import load
from tests import processes
from tests.chain.stacks_ground import OPERATOR, OWNER, STX, StacksNode, stacks_node
from tests.system import stage
from tests.system.stage import Rig, daemon

POWER_W, LEAD_S, LAST_S = 3000, 5, 6
ENERGY_WH = 2  # of 5: a busy machine may begin late
BLOCK_S = 0.5
CHAIN = """\
attest: {{every: 2 s, key: key.json, passphrase: passphrase}}
chain:
  platform: stacks
  network: testnet
  api: {api}
  contracts: {contracts}
  facility: 1
  confirmations: 2
  poll: 200 ms
"""


async def mine(node: StacksNode) -> None:
    while True:
        await node.mine()
        await asyncio.sleep(BLOCK_S)


async def until(probe, what: str):
    """The first true answer."""
    try:
        async with asyncio.timeout(stage.LONG_S):
            while not (found := await probe()):
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"not in time: {what}") from None
    return found


async def test_an_order_of_a_clarity_contract_moves_the_battery_and_is_paid(tmp_path):
    with processes.rig(tmp_path, "--tcp", "0", "--slcan") as where:
        async with stacks_node() as node, asyncio.TaskGroup() as group:
            miner = group.create_task(mine(node))
            key, made = stage.new_key(tmp_path), node.settings()
            more = CHAIN.format(api=list(made.rpc), contracts=dict(made.contracts))
            (tmp_path / "site.yaml").write_text(stage.site(where, more))
            evidence = platform(load(tmp_path / "site.yaml").chain).evidence_contract
            assert await node.register() == 1
            assert await node.bind(1, key, evidence, site="meadow") == Ok(True)
            await node.fund(key)
            with daemon(tmp_path) as running:
                await asyncio.to_thread(running.ready)
                await an_order_is_paid(node, Rig(tmp_path), bytes.fromhex(key.address[2:]))
                status = await asyncio.to_thread(running.status)
                assert status["chain"]["trouble"] == ""
            miner.cancel()
            mined = await node.people("mined")
            assert {t["tx_status"] for t in mined} == {"success"}
            assert sorted(t["nonce"] for t in mined) == list(range(len(mined)))


async def an_order_is_paid(node: StacksNode, rig: Rig, key: bytes) -> None:
    async def recorded():
        return (await node.ask("record-chain", "last-sequence", key)).value

    async def commanded():
        return any(e["demand_w"] == POWER_W for e in await asyncio.to_thread(rig.journal))

    async def fulfilled():
        return (await node.ask("grid-services", "get-request", UInt(1))).value["state"] == UInt(2)

    await until(recorded, "a record is on the chain")
    begin_s = int(time.time()) + LEAD_S
    terms = (Int(ENERGY_WH), [Int(POWER_W)], UInt(10 * STX))
    asked = await node.do(
        "grid-services", "request-service", UInt(1), UInt(2), UInt(begin_s), UInt(begin_s + LAST_S), *terms,
        sender=OPERATOR,
    )  # fmt: skip
    assert asked == Ok(UInt(1))
    await until(commanded, "the battery gives what was asked for")
    await until(fulfilled, "the delivery is proven")
    before = await node.balance(OWNER)
    paid = await node.do("grid-services", "settle-request", UInt(1), sender=OPERATOR)
    assert isinstance(paid, Ok)
    assert await node.do("revenue-sharing", "distribute", UInt(1), sender=OPERATOR) == paid
    assert await node.balance(OWNER) - before == paid.value.value > 0
