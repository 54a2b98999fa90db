"""The whole road on real EVM nodes: a record signed, sent, N deep, confirmed; a service ordered on chain,
handed on, delivered, validated, settled. On the rig's in-process EVM and on anvil, over real HTTP."""

import asyncio
import json
import subprocess

import pytest
from rig import deploy
from rig.evmchain import CHAIN_ID

from gateway.chain.assembly import Chain
from gateway.chain.platforms import platform
from gateway.chain.side import Ears
from gateway.clock import SystemClock
from gateway.errors import ConfigError
from gateway.model import ServiceKind
from gateway.site import ChainSettings, StoreSettings
from gateway.store import Store, intents
from tests.chain.ground import GATEWAY_KEY, NODES
from tests.chain.people import SITE, Attestor, delivery, interval
from tests.chain.world import KeySigner

WAIT_S = 40.0


@pytest.fixture(params=NODES)
async def node(request):
    async with NODES[request.param]() as (url, keys), deploy.Node(url) as client:
        contracts = await deploy.deploy(client, keys[0])
        yield deploy.Market(client, contracts, keys[0], keys[1])


async def until(what, *, node=None):
    """Wait for `await what()`, mining meanwhile; every block is a second of chain time."""
    async with asyncio.timeout(WAIT_S):
        while not (found := await what()):
            if node:
                await node.call("evm_mine")
            await asyncio.sleep(0.05)
    return found


async def nobody(signal):
    raise AssertionError(f"no prices were set: {signal}")


async def nothing():
    """Of the site is known."""


async def test_a_service_from_order_to_settlement(node, tmp_path):
    clock, signer = SystemClock(assume_synchronised=True), KeySigner(GATEWAY_KEY)
    store = Store(StoreSettings(tmp_path / "store.db"), clock)
    storage = await node.register_storage(signer, SITE)
    urls = (node.node.url, node.node.url.replace("127.0.0.1", "localhost"))
    settings = ChainSettings(CHAIN_ID, urls, "storage", node.contracts, storage, confirmations=2, poll_ms=50)
    commands = []

    async def submit(command):
        commands.append(command)

    await store.open()
    adapter = platform(settings)
    chain = Chain(settings, adapter, store, clock, signer, Ears(submit, nobody), nothing)
    attestor = Attestor(store, signer, CHAIN_ID, adapter.evidence_contract)
    try:
        await chain.check()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run()) for run in chain.parts.values()]
            for number in range(3):
                await attestor.attest(interval(number))

            async def three():
                return await attestor.confirmed() == [1, 2, 3]

            await until(three, node=node.node)
            assert await node.last_sequence(signer.address) == 3
            assert await chain.last_sequence() == 3
            assert not await chain.replaces()

            await node.verify_installation(storage)
            service = await node.register_service(storage, "load-shifting")
            begin = clock.now().wall_ms // 1000
            ordered = await node.order(service, begin, begin + 600, 100, [1500], 10**16)

            async def heard():
                return commands

            (command,) = await until(heard, node=node.node)
            assert (command.id, command.kind) == (ordered, ServiceKind.FIXED_POWER)
            assert dict(command.parameters) == {"power_w": 1500}

            done = delivery(command.id, command.not_before_ms, command.not_after_ms, 100)
            assert await attestor.attest(done) == 4

            async def settled():
                return (await node.order_state(service))["state"] == "settled"

            await until(settled, node=node.node)

            async def quiet():
                status = chain.status()
                return status["queued"] == status["sent"] == 0 and await attestor.confirmed() == [1, 2, 3, 4]

            await until(quiet, node=node.node)
            for task in tasks:
                task.cancel()
        assert (await node.order_state(service))["share_bp"] == 10_000
        assert len(commands) == 1
        used = {}
        for key in ("validate/", "settle/"):
            used[key] = await store.call(intents.get, key + ordered)
        assert {i.state for i in used.values()} == {"confirmed"}
        sent = int(await node.node.call("eth_getTransactionCount", signer.address, "latest"), 16)
        assert sent == 6, "three intervals, a delivery, validate, settle: nothing twice"
    finally:
        await chain.close()
        await store.close()


async def test_a_contract_that_is_not_there_is_one_clear_line(node, tmp_path):
    clock, signer = SystemClock(assume_synchronised=True), KeySigner(GATEWAY_KEY)
    urls = (node.node.url, node.node.url.replace("127.0.0.1", "localhost"))
    for change, said in (
        ({"chain_id": 10}, r"serves chain 31337, but chain.id is 10"),
        ({"contracts": node.contracts | {"services": "0x" + "12" * 20}}, r"0x1212\w+ has no code"),
    ):
        settings = ChainSettings(
            **{"chain_id": CHAIN_ID, "contracts": node.contracts}
            | change
            | {"rpc": urls, "platform": "storage", "asset_id": 1}
        )
        chain = Chain(settings, platform(settings), None, clock, signer, Ears(None, nobody), nothing)
        try:
            with pytest.raises(ConfigError, match=said) as caught:
                await chain.check()
            assert "\n" not in str(caught.value)
        finally:
            await chain.close()


async def test_the_rig_node_says_when_it_is_ready():
    import sys
    from pathlib import Path

    folder = Path(__file__).parents[2] / "hardware-in-loop"
    command = [sys.executable, "-m", "rig.evm", "--contracts", "--block", "0.05"]
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=subprocess.PIPE)
    try:
        async with asyncio.timeout(30):
            ready = json.loads(await process.stdout.readline())
        async with deploy.Node(ready["url"]) as client:
            assert int(await client.call("eth_chainId"), 16) == ready["chain_id"] == CHAIN_ID
            for address in ready["contracts"].values():
                assert len(await client.call("eth_getCode", address, "latest")) > 1000
            with pytest.raises(deploy.Failed, match="does not exist"):
                await client.call("eth_nosuch")
    finally:
        process.terminate()
        await process.wait()
