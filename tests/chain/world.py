"""A chain for tests of gateway.chain: the rig's EVM behind scripted endpoints, in virtual time.

The EVM is real; an endpoint's `lies` are a mock: a table that answers a method instead of the node.
"""

import json
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path

import coincurve
from rig.deploy import Failed, Node
from rig.evm import answer, methods
from rig.evmchain import CHAIN_ID, Evm

from gateway.chain import transaction
from gateway.chain.faults import Fault, RpcError
from gateway.chain.quorum import Quorum
from gateway.chain.rpc import Rpc
from gateway.chain.send_state import Policy
from gateway.chain.txmgr import TxManager
from gateway.evidence.address import address_of
from gateway.site import StoreSettings
from gateway.store import Store

BLOCK_MS = 12_000
SINK = "0x00000000000000000000000000000000000a11ce"  # an address without code takes any calldata


class KeySigner:
    """A key in the open, for tests."""

    def __init__(self, key: str) -> None:
        self._key = coincurve.PrivateKey(bytes.fromhex(key[2:]))
        self.public_key = self._key.public_key.format(compressed=False)
        self.address = address_of(self.public_key)
        self.signed = 0

    def sign(self, digest: bytes) -> bytes:
        self.signed += 1
        signature = self._key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes((signature[64] + 27,))


class Endpoint:
    """One operator's view of the chain. `down` silences it; `lies` replaces the answers of methods."""

    def __init__(self, name: str, evm: Evm) -> None:
        self.name = name
        self.down = False
        self.lies: dict[str, Callable] = {}
        self.asked: list[str] = []
        self.truth = methods(evm)

    async def post(self, body: bytes) -> bytes:
        self.asked.append(json.loads(body)["method"])
        if self.down:
            raise RpcError(self.name, Fault.UNAVAILABLE, "scripted outage")
        return json.dumps(answer(self.truth | self.lies, body)).encode()

    def rpc(self) -> Rpc:
        return Rpc(self.name, self.post)


class Direct(Node):
    """The people around the contracts on the same EVM, without a wire: each transaction is mined at once."""

    def __init__(self, evm: Evm) -> None:
        super().__init__("direct")
        self._table = methods(evm, at_once=True)

    async def call(self, method, *parameters):
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        told = answer(self._table, json.dumps(body).encode())
        if "error" in told:
            raise Failed(f"{method}: {told['error']}")
        return told["result"]


class World:
    """Evm, two endpoints, store and a funded key. `blocks(n)` lets time pass and mines."""

    def __init__(self, clock, folder: Path) -> None:
        self.clock = clock
        self.evm = Evm(finality=2, clock=lambda: clock.now().wall_ms / 1000)
        self.a, self.b = Endpoint("a.example", self.evm), Endpoint("b.example", self.evm)
        self.signer = KeySigner(self.evm.keys[3])
        self.store = Store(StoreSettings(folder / "store.db"), clock, threaded=False)
        self.policy = Policy(confirmations=3)

    def quorum(self, **options) -> Quorum:
        return Quorum((self.a.rpc(), self.b.rpc()), self.clock, chain_id=CHAIN_ID, **options)

    def manager(self, policy: Policy | None = None) -> TxManager:
        sign = transaction.signing(CHAIN_ID, self.signer.sign)
        return TxManager(
            self.store, self.quorum(), self.signer.address, sign, self.clock, policy or self.policy
        )

    def block(self, count: int = 1, *, empty: bool = False) -> None:
        """Mine, a block period each. The clock is the chain's: it is stepped, monotonic time with it."""
        for _ in range(count):
            self.pass_ms(BLOCK_MS)
            if empty:
                pool, self.evm._pool = self.evm._pool, {}
                self.evm.mine()
                self.evm._pool = pool
            else:
                self.evm.mine()

    def pass_ms(self, ms: int) -> None:
        self.clock._loop._time.now_s += ms / 1000

    def used_nonces(self) -> dict[int, int]:
        """Nonce -> how many different calls were mined with it."""
        found: dict[int, int] = {}
        for done in self.evm._done.values():
            if done.transaction.sender.hex() == self.signer.address[2:].lower():
                found[done.transaction.nonce] = found.get(done.transaction.nonce, 0) + 1
        return found

    def payloads(self) -> list[bytes]:
        """Calldata of the signer's mined transactions, in the order of the chain."""
        mine = [
            d for d in self.evm._done.values()
            if d.transaction.sender.hex() == self.signer.address[2:].lower()
        ]  # fmt: skip
        return [d.transaction.data for d in sorted(mine, key=lambda d: (d.number, d.index))]


@asynccontextmanager
async def world(clock, folder: Path):
    made = World(clock, folder)
    await made.store.open()
    try:
        yield made
    finally:
        await made.store.close()
