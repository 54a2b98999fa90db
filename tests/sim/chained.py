"""A chain for the rigged site: the rig's EVM behind two scripted endpoints, a block each 12 virtual seconds.

The wire alone is replaced: every request and answer passes as the bytes it would be over HTTP.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from rig import deploy
from rig.evmchain import CHAIN_ID, Evm

from gateway.chain import side
from gateway.evidence.signer import KeySigner
from tests.chain.world import Direct, Endpoint
from tests.sim.rigged import SECRET, Rigged

BLOCK_S = 12
CHAIN = """\
chain:
  id: {chain_id}
  rpc: ["http://a.example", "http://b.example"]
  platform: storage
  storage: {storage}
  contracts: {{verification: "{verification}", services: "{services}"}}
  confirmations: 2
  spend: 1 ether
  poll: 4 s
"""


class Chained:
    """The EVM, its endpoints by URL, and the people around the contracts."""

    def __init__(self, rigged: Rigged) -> None:
        self.rigged = rigged
        self.evm = Evm(finality=2, clock=lambda: rigged.clock.now().wall_ms / 1000)
        names = ("http://a.example", "http://b.example")
        self.endpoints = {name: Endpoint(name, self.evm) for name in names}
        self.key = KeySigner(SECRET)
        self.address = self.key.address

    def post(self, url: str) -> "Post":
        return Post(self.endpoints[url])

    def down(self, value: bool) -> None:
        for endpoint in self.endpoints.values():
            endpoint.down = value

    async def prepare(self) -> None:
        """Contracts, the site's storage and key, and site.yaml with the chain in it."""
        node = Direct(self.evm)
        contracts = await deploy.deploy(node, self.evm.keys[0])
        self.market = deploy.Market(node, contracts, self.evm.keys[0], self.evm.keys[1])
        self.storage = await self.market.register_storage(self.key, "meadow")
        self.rigged.add(CHAIN.format(chain_id=CHAIN_ID, storage=self.storage, **contracts))

    async def open_market(self) -> int:
        """A service that can be ordered; the first record must be on chain."""
        await self.market.verify_installation(self.storage)
        return await self.market.register_service(self.storage, "load-shifting")

    async def order(self, service: int, power_w: int, lead_s: int, seconds: int) -> str:
        begin_s = self.rigged.clock.now().wall_ms // 1000 + lead_s
        energy_wh = power_w * seconds // 3600
        return await self.market.order(
            service, begin_s, begin_s + seconds, energy_wh, [power_w], deploy.ETHER // 100
        )

    @asynccontextmanager
    async def mining(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            miner = group.create_task(self._mine())
            yield
            miner.cancel()

    async def _mine(self) -> None:
        while True:
            await asyncio.sleep(BLOCK_S)
            self.evm.mine()


class Post:
    """gateway.chain.rpc.HttpPost without HTTP."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, body: bytes) -> bytes:
        await asyncio.sleep(0.05)
        return await self._endpoint.post(body)

    async def close(self) -> None:
        return


@asynccontextmanager
async def chained(rigged: Rigged) -> AsyncIterator[Chained]:
    """The chain around a site, mining; a Daemon made inside is on it."""
    made = Chained(rigged)
    await made.prepare()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(side, "HttpPost", made.post)
        async with made.mining():
            yield made
