"""An EVM node in one Python process, for machines without anvil: JSON-RPC over HTTP around rig.evmchain.

It plays the outside world and knows nothing of the gateway. Started alone it mines a block a period and
prints one JSON line when it is ready:

    python -m rig.evm --port 0 --contracts
"""

import argparse
import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from rig.evmchain import CHAIN_ID, Evm, Refused

TIP_WEI = 10**9
BODY_BYTES_MAX = 2**20


def methods(evm: Evm, *, at_once: bool = False) -> dict[str, Callable[..., Any]]:
    """JSON-RPC names to what they do; `at_once` mines a block for each transaction."""

    def send(raw: str) -> str:
        name = evm.send(bytes.fromhex(raw[2:]))
        if at_once:
            evm.mine()
        return name

    return {
        "eth_chainId": lambda: hex(CHAIN_ID),
        "eth_blockNumber": lambda: hex(evm.number),
        "eth_getBlockByNumber": lambda tag, full=False: evm.block(tag),
        "eth_getBlockByHash": lambda name, full=False: evm.block_by_hash(name),
        "eth_getLogs": evm.logs,
        "eth_call": lambda query, tag="latest": "0x" + evm.view(query, tag).hex(),
        "eth_estimateGas": lambda query, tag="latest": hex(evm.estimate(query)),
        "eth_getTransactionCount": lambda address, tag="latest": hex(evm.count(address, tag)),
        "eth_sendRawTransaction": send,
        "eth_getTransactionReceipt": evm.receipt,
        "eth_getTransactionByHash": evm.transaction,
        "eth_maxPriorityFeePerGas": lambda: hex(TIP_WEI),
        "eth_getCode": lambda address, tag="latest": "0x" + evm.code(address, tag).hex(),
        "eth_getBalance": lambda address, tag="latest": hex(evm.balance(address, tag)),
        "evm_mine": evm.mine,
        "rig_reorg": lambda depth, keep=True: evm.reorg(depth, keep=keep),
    }


def answer(table: dict[str, Callable[..., Any]], body: bytes) -> dict[str, Any]:
    """One JSON-RPC request to its response."""
    try:
        request = json.loads(body)
        name, parameters, number = request["method"], request.get("params", []), request.get("id")
    except (ValueError, KeyError, TypeError, AttributeError):
        return {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "parse error"}}
    head = {"jsonrpc": "2.0", "id": number}
    if name not in table:
        return head | {"error": {"code": -32601, "message": f"the method {name} does not exist"}}
    try:
        return head | {"result": table[name](*parameters)}
    except Refused as error:
        return head | {"error": {"code": error.code, "message": str(error)}}
    except (ValueError, TypeError, KeyError, IndexError) as error:
        return head | {"error": {"code": -32602, "message": f"invalid parameters: {error}"}}


@contextlib.asynccontextmanager
async def serve(evm: Evm, port: int = 0, block_s: float = 1.0):
    """Serve on loopback and mine every `block_s` (0: a block for each transaction); gives the URL."""
    table = methods(evm, at_once=not block_s)

    async def handle(request: web.Request) -> web.Response:
        return web.json_response(answer(table, await request.read()))

    async def blocks() -> None:
        while True:
            await asyncio.sleep(block_s)
            evm.mine()

    application = web.Application(client_max_size=BODY_BYTES_MAX)
    application.router.add_post("/", handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    miner = asyncio.get_running_loop().create_task(blocks()) if block_s else None
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        if miner:
            miner.cancel()
        await runner.cleanup()


async def _main(options: argparse.Namespace) -> None:
    from rig import deploy

    evm = Evm(finality=options.finality)
    async with serve(evm, options.port, options.block) as url:
        ready: dict[str, Any] = {"url": url, "chain_id": CHAIN_ID, "keys": evm.keys}
        if options.contracts:
            async with deploy.Node(url) as node:
                ready["contracts"] = await deploy.deploy(node, evm.keys[0])
        print(json.dumps(ready), flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="rig.evm", description="an in-process EVM node for demos and tests")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument(
        "--block", type=float, default=1.0, help="seconds between blocks; 0: one for each transaction"
    )
    parser.add_argument("--finality", type=int, default=2, help="blocks behind the head that are finalised")
    parser.add_argument("--contracts", action="store_true", help="deploy the reference contracts")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
