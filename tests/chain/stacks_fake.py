"""A mock of Stacks for the parts above it: blocks that fork, accounts, a mempool, contracts by script, and
endpoints that fail and lie.

It reads transactions by SIP-005's offsets, with nothing of ours. What real contracts say is tested on the
simulator (tests.chain.stacks_ground).
"""

import json
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from Crypto.Hash import SHA512

from gateway.chain.faults import Fault, RpcError
from gateway.chain.send_state import Policy
from gateway.chain.stacks import side
from gateway.chain.stacks.address import TESTNET_ID, of_key, version_of
from gateway.chain.stacks.client import Api
from gateway.chain.stacks.codec import UInt, Value, encode
from gateway.chain.stacks.operators import Operators
from gateway.chain.stacks.transaction import Invocation, payload
from gateway.chain.txmgr import TxManager
from gateway.principal import Principal, c32
from gateway.site import StoreSettings
from gateway.store import Store
from tests.chain.world import KeySigner

BLOCK_MS = 10_000
SINK = Principal(26, bytes(20), "sink")
KEY = KeySigner("0x" + "42" * 32)
ACCOUNT = str(of_key(KEY.public_key, version_of(TESTNET_ID)))


def sink(number: int) -> bytes:
    """A call of the contract that takes everything."""
    return payload(Invocation(SINK, "put", [UInt(number)]))


@dataclass(frozen=True)
class Sent:
    """A transaction as its bytes say."""

    id: str
    sender: str
    nonce: int
    fee: int
    call: bytes
    raw: bytes


def read(raw: bytes) -> Sent:
    """By offset: version, chain, authorisation with key hash, nonce, fee, signature, modes; then the call."""
    version, chain, _, _, who, nonce, fee = struct.unpack(">BIBB20sQQ", raw[:43])
    assert (version, chain) == (0x80, TESTNET_ID)
    name = SHA512.new(raw, truncate="256").hexdigest()
    return Sent("0x" + name, c32(26, who), nonce, fee, raw[116:], raw)


@dataclass
class Block:
    hash: str
    index: str
    time_s: int
    sent: list[Sent] = field(default_factory=list)


class Stacks:
    """One truth. `views` says what each read-only function gives: (arguments, height) -> hex of a value."""

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self.blocks: list[Block] = []
        self.pool: dict[str, Sent] = {}
        self.known: dict[str, Sent] = {}  # everything that was ever handed in
        self.replaced: set[str] = set()
        self.failing: set[bytes] = set()  # calls that the contract aborts
        self.views: dict[str, Callable[[list[str], int], Value]] = {}
        self.functions: dict[str, dict[str, str]] = {}  # of contracts: name -> access
        self.rate = 1
        self._forks = 0
        self.mine()

    @property
    def height(self) -> int:
        return len(self.blocks)

    def mine(self, *, empty: bool = False) -> None:
        made = Block(self._name("block"), self._name("index"), self._clock.now().wall_ms // 1000)
        self.blocks.append(made)
        ready = () if empty else sorted(self.pool.values(), key=lambda s: s.nonce)
        for sent in ready:
            if sent.nonce == self.nonce(sent.sender, self.height):
                made.sent.append(self.pool.pop(sent.id))

    def _name(self, what: str) -> str:
        return sha256(f"{what} {len(self.blocks) + 1} {self._forks}".encode()).hexdigest()

    def fork(self, depth: int, *, forget: bool = False) -> None:
        """The last `depth` blocks are no more; what was in them waits again, or is forgotten."""
        self._forks += 1
        for block in (self.blocks.pop() for _ in range(depth)):
            if not forget:
                self.pool |= {s.id: s for s in block.sent}

    def nonce(self, address: str, height: int) -> int:
        return sum(s.sender == address for b in self.blocks[:height] for s in b.sent)

    def calls(self) -> list[bytes]:
        return [s.call for b in self.blocks for s in b.sent]

    # -- the paths ------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        where, _, query = path.partition("?")
        tip = query.partition("tip=")[2]
        match [method, *where.split("/")[1:]]:
            case ["GET", "v2", "info"]:
                return 200, {"network_id": TESTNET_ID}
            case ["GET", "extended", "v2", "blocks"]:
                return 200, {"results": [self._block(self.height)[1]]}
            case ["GET", "v2", "fees", "transfer"]:
                return 200, self.rate
            case ["GET", "v2", "accounts", address]:
                at = self._at(tip)
                return (404, {}) if at is None else (200, {"nonce": self.nonce(address, at)})
            case ["GET", "extended", "v2", "blocks", height]:
                return self._block(int(height))
            case ["GET", "extended", "v1", "tx", name]:
                return self._transaction(name)
            case ["GET", "v2", "contracts", "interface", _, name]:
                found = [{"name": f, "access": a} for f, a in self.functions.get(name, {}).items()]
                return (200, {"functions": found}) if found else (404, {})
            case ["POST", "v2", "contracts", "call-read", _, _, function]:
                at = self._at(tip)
                said = None if at is None else self.views[function](json.loads(body)["arguments"], at)
                if at is None:
                    return 404, {}
                return 200, {"okay": True, "result": "0x" + encode(said).hex()}
            case ["POST", "v2", "transactions"]:
                return self._accept(read(body))
        raise AssertionError(f"no path {method} {path}")

    def _at(self, tip: str) -> int | None:
        if not tip:
            return self.height
        return next((n for n, b in enumerate(self.blocks, 1) if b.index == tip), None)

    def _block(self, height: int) -> tuple[int, Any]:
        if not 0 < height <= self.height:
            return 404, {"error": "no block"}
        block = self.blocks[height - 1]
        return 200, {
            "canonical": True, "height": height, "hash": "0x" + block.hash,
            "index_block_hash": "0x" + block.index, "block_time": block.time_s,
        }  # fmt: skip

    def _transaction(self, name: str) -> tuple[int, Any]:
        sent = self.known.get(name)
        if sent is None:
            return 404, {"error": "could not find transaction by ID"}
        said = {"tx_id": name, "fee_rate": str(sent.fee), "nonce": sent.nonce}
        for height, block in enumerate(self.blocks, 1):
            if sent in block.sent:
                status = "abort_by_response" if sent.call in self.failing else "success"
                place = {"block_height": height, "block_hash": "0x" + block.hash, "canonical": True}
                return 200, said | place | {"tx_status": status}
        if name in self.pool:
            return 200, said | {"tx_status": "pending"}
        gone = "dropped_replace_by_fee" if name in self.replaced else "dropped_stale_garbage_collect"
        return 200, said | {"tx_status": gone}

    def _accept(self, sent: Sent) -> tuple[int, Any]:
        def no(reason: str) -> tuple[int, Any]:
            return 400, {"error": "transaction rejected", "reason": reason, "txid": sent.id[2:]}

        if sent.id in self.pool:
            return 200, sent.id[2:]
        if sent.nonce < self.nonce(sent.sender, self.height):
            return no("BadNonce")
        if sent.fee < len(sent.raw) * self.rate:
            return no("FeeTooLow")
        for other in [s for s in self.pool.values() if (s.sender, s.nonce) == (sent.sender, sent.nonce)]:
            if other.fee >= sent.fee:
                return no("ConflictingNonceInMempool")
            self.replaced.add(self.pool.pop(other.id).id)
        self.pool[sent.id] = self.known[sent.id] = sent
        return 200, sent.id[2:]


class Endpoint:
    """One operator's. `lies`: beginning of a path -> what it answers instead, made of the truth."""

    def __init__(self, name: str, chain: Stacks) -> None:
        self.name = name
        self.chain = chain
        self.down = False
        self.lies: dict[str, Callable[[int, Any], tuple[int, Any]]] = {}

    async def send(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        if self.down:
            raise RpcError(self.name, Fault.UNAVAILABLE, "scripted outage")
        status, said = self.chain.answer(method, path, body)
        for start, lie in self.lies.items():
            if path.startswith(start):
                status, said = lie(status, said)
        return status, said if isinstance(said, bytes) else json.dumps(said).encode()


class World:
    """Two endpoints of one chain, a store and a key."""

    def __init__(self, clock: Any, folder: Path) -> None:
        self.clock = clock
        self.chain = Stacks(clock)
        self.a, self.b = Endpoint("a.example", self.chain), Endpoint("b.example", self.chain)
        self.store = Store(StoreSettings(folder / "store.db"), clock, threaded=False)
        self.policy = Policy(
            confirmations=3, fee_cap_wei=100, spend_per_day_wei=5 * 10**6, bump_after_ms=side.BUMP_AFTER_MS
        )

    def operators(
        self, trial: Callable[[Invocation], Invocation | None] = lambda call: None, **options: Any
    ) -> Operators:
        endpoints = [Api(e.name, e.send) for e in (self.a, self.b)]
        return Operators(endpoints, self.clock, chain_id=TESTNET_ID, account=ACCOUNT, trial=trial, **options)

    def manager(self, policy: Policy | None = None, **options: Any) -> TxManager:
        sign = side.wallet(TESTNET_ID, KEY).sign
        operators = self.operators(**options)
        return TxManager(self.store, operators, ACCOUNT, sign, self.clock, policy or self.policy)

    def block(self, count: int = 1, *, empty: bool = False) -> None:
        for _ in range(count):
            self.clock._loop._time.now_s += BLOCK_MS / 1000
            self.chain.mine(empty=empty)


@asynccontextmanager
async def world(clock: Any, folder: Path) -> AsyncIterator[World]:
    """With some blocks, and its store open."""
    made = World(clock, folder)
    await made.store.open()
    made.block(4)
    try:
        yield made
    finally:
        await made.store.close()
