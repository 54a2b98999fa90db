"""Real nodes and the people around a contract system: what the end-to-end tests of all platforms share.

NODES are endpoints (the rig's in-process EVM over HTTP, and anvil); `Ground` deploys and acts on one by
rig.deploy, which uses nothing of the gateway but the shipped artifacts; `living` runs the chain side of a
site on it.
"""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_utils import keccak
from rig import deploy
from rig.evm import serve
from rig.evmchain import CHAIN_ID, Evm

from gateway.chain.assembly import Chain
from gateway.chain.platforms import platform
from gateway.chain.platforms.calls import Facts, Signal
from gateway.chain.side import Ears
from gateway.clock import SystemClock
from gateway.model import Command
from gateway.site import ChainSettings, StoreSettings
from gateway.store import Store
from tests.chain.people import SITE, Attestor
from tests.chain.world import KeySigner
from tests.tools import need

ANVIL_KEYS = (  # the public development keys of anvil and hardhat
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
)
GATEWAY_KEY = "0x" + "5a" * 32
WAIT_S = 40.0
BLOCK_GAS = 3_000_000


@asynccontextmanager
async def rig_node() -> AsyncIterator[tuple[str, Any]]:
    evm = Evm(finality=2)
    async with serve(evm, block_s=0) as url:
        yield url, evm.keys


@asynccontextmanager
async def anvil_node() -> AsyncIterator[tuple[str, Any]]:
    command = [need("anvil"), "--port", "0", "--chain-id", str(CHAIN_ID), "--slots-in-an-epoch", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            for line in process.stdout:
                if line.startswith("Listening on"):
                    break
            yield "http://" + line.split()[-1], ANVIL_KEYS
        finally:
            process.terminate()


NODES = {"rig": rig_node, "anvil": anvil_node}


@dataclass
class Ground:
    """A node, an administrator's and an owner's key, and the contracts by name as they are deployed."""

    node: deploy.Node
    admin_key: str
    owner_key: str
    at: dict[str, str] = field(default_factory=dict)

    @property
    def admin(self) -> str:
        return str(Account.from_key(self.admin_key).address)

    @property
    def owner(self) -> str:
        return str(Account.from_key(self.owner_key).address)

    async def deploy(self, contract: str, *arguments: Any) -> str:
        self.at[contract] = await deploy.create(self.node, self.admin_key, contract, *arguments)
        return self.at[contract]

    async def do(self, contract: str, method: str, *arguments: Any, key: str = "", value: int = 0) -> Any:
        """A transaction, by the administrator unless another key is given; its receipt."""
        data = deploy.calldata(contract, method, *arguments)
        return await self.node.send(key or self.admin_key, self.at[contract], data, value, gas=BLOCK_GAS)

    async def ask(self, contract: str, method: str, *arguments: Any) -> Any:
        found = await self.node.view(contract, self.at[contract], method, *arguments)
        return found[0] if len(found) == 1 else found

    async def bind(self, contract: str, asset: int, signer: KeySigner) -> None:
        """Bind the gateway's key, which agrees, to the owner's asset, and fund it."""
        digest = await deploy.possession(self.node, self.at[contract], self.owner, asset, SITE)
        await self.do(
            contract, "setGatewayKey", asset, signer.address, keccak(text=SITE), signer.sign(digest),
            key=self.owner_key,
        )  # fmt: skip
        await self.node.send(self.owner_key, signer.address, b"", deploy.ETHER)


@asynccontextmanager
async def ground(kind: str) -> AsyncIterator[Ground]:
    async with NODES[kind]() as (url, keys), deploy.Node(url) as client:
        yield Ground(client, keys[0], keys[1])


@dataclass
class Living:
    """The chain side of a site while it runs: what it heard, and how to wait for what it does."""

    mine: Callable[[], Awaitable[Any]]
    clock: SystemClock
    store: Store
    chain: Chain
    attestor: Attestor
    signer: KeySigner
    commands: list[Command] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)

    async def until(self, what: Callable[[], Awaitable[Any]]) -> Any:
        """What `what` answers once it is true, mining meanwhile: each block is a second of chain time, and
        the chain must not run far ahead of the clock."""
        async with asyncio.timeout(WAIT_S):
            while not (found := await what()):
                await self.mine()
                await asyncio.sleep(0.2)
        return found

    async def command(self, count: int = 1) -> Command:
        """The newest command, once there are so many."""

        async def heard() -> bool:
            return len(self.commands) >= count

        await self.until(heard)
        return self.commands[-1]

    async def quiet(self) -> None:
        """Until nothing waits to be sent or confirmed."""

        async def idle() -> bool:
            status = self.chain.status()
            return status["queued"] == status["sent"] == 0

        await self.until(idle)


@asynccontextmanager
async def living(
    made: Ground,
    folder: Path,
    name: str,
    contracts: dict[str, str],
    asset: int,
    facts: Callable[[], Facts | None] = lambda: None,
    **settings: Any,
) -> AsyncIterator[Living]:
    """The chain parts of a site of platform `name`, on the node, until the block ends."""
    urls = (made.node.url, made.node.url.replace("127.0.0.1", "localhost"))
    chain_settings = ChainSettings(
        CHAIN_ID, urls, name, contracts, asset, confirmations=2, poll_ms=50, **settings
    )
    async with running(chain_settings, folder, lambda: made.node.call("evm_mine"), facts) as found:
        yield found


@asynccontextmanager
async def running(
    settings: ChainSettings,
    folder: Path,
    mine: Callable[[], Awaitable[Any]],
    facts: Callable[[], Facts | None] = lambda: None,
) -> AsyncIterator[Living]:
    """The chain parts of a site with these settings; `mine` lets its chain go on by a block."""
    clock, signer = SystemClock(assume_synchronised=True), KeySigner(GATEWAY_KEY)
    store = Store(StoreSettings(folder / "store.db"), clock)
    await store.open()
    adapter = platform(settings)
    commands: list[Command] = []
    signals: list[Signal] = []

    async def submit(command: Command) -> None:
        commands.append(command)

    async def signalled(signal: Signal) -> str:
        signals.append(signal)
        return ""

    async def known() -> Facts | None:
        return facts()

    chain = Chain(settings, adapter, store, clock, signer, Ears(submit, signalled), known)
    attestor = Attestor(store, signer, settings.chain_id, adapter.evidence_contract)
    found = Living(mine, clock, store, chain, attestor, signer, commands, signals)
    try:
        await chain.check()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run()) for run in chain.parts.values()]
            yield found
            for task in tasks:
                task.cancel()
    finally:
        await chain.close()
        await store.close()
