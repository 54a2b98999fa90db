"""The people at the contracts of a seeded run, and what is true there.

`Market` deploys, registers and orders. Its transactions wait in the pool like any, and a reorg may lose
them. `Truth` follows the honest chain block by block: what was ever at its head, what became final. It
refuses to ask an endpoint: it reads the chain itself, with nothing of the gateway but the shipped artifacts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import cycle
from typing import Any

from eth_abi.abi import decode, encode
from eth_account import Account
from eth_utils import keccak
from rig import deploy
from rig.evmchain import CHAIN_ID, Evm, Refused

from gateway.evidence import records
from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import GENESIS, Domain, Gap, GapCause
from tests.chain.world import Direct
from tests.sim.chain_ends import ORDERED, STOPPED

SITE = "meadow"
FIRST_KEY = b"\x11" * 32  # the site's key of its commissioning, replaced before the run
# Services of each kind: one order at a time under each.
KINDS: Mapping[str, int] = {"load-shifting": 24, "frequency": 6, "peak-shaving": 6, "backup": 6}
FUND_WEI = 50 * deploy.ETHER
MANY_WEI = 200 * 10**9  # what people pay for a place in a block
USUAL_WEI = 3 * 10**8
CROWD_GAS = 14_500_000  # two of them leave room for a few others in a block
CROWD_CODE = b"\xfe"  # takes all its gas


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order as the contract's event tells it."""

    id: str
    service: int
    begin_ms: int
    end_ms: int
    values: tuple[int, ...]


@dataclass
class Truth:
    """What the honest chain said of this site, by block."""

    evm: Evm
    services: str
    storage: int
    final: dict[str, Ordered] = field(default_factory=dict)
    # An id is made of a service and a count: where final blocks are replaced, another order may have it too.
    versions: set[Ordered] = field(default_factory=set)
    final_stops: set[str] = field(default_factory=set)
    stops: set[str] = field(default_factory=set)  # of any block that was ever the head
    number: int = 0  # final up to here
    hashes: list[str] = field(default_factory=list)  # of all blocks that ever were, for the trace
    replaced: bool = False  # a final block is no more
    _final_hash: str = ""

    def look(self) -> list[Ordered]:
        """After each new block: what became final with it."""
        for number in range(max(0, self.evm.number - 32), self.evm.number + 1):
            block = self._block(number)
            if block["hash"] not in self.hashes[-64:]:
                self.hashes.append(block["hash"])
                self.stops |= {stop_id(log) for log in self._logs(block) if _is(log, STOPPED)}
        if self._final_hash and self._block(self.number)["hash"] != self._final_hash:
            self.replaced = True
        found = []
        while self.number < self.evm.final:
            self.number += 1
            block = self._block(self.number)
            self._final_hash = block["hash"]
            for log in self._logs(block):
                if _is(log, STOPPED):
                    self.final_stops.add(stop_id(log))
                elif int(log["topics"][3], 16) == self.storage:
                    found.append(ordered(log))
        self.final |= {order.id: order for order in found}
        self.versions.update(found)
        return found

    def _block(self, number: int) -> dict[str, Any]:
        block = self.evm.block(hex(number))
        assert block is not None
        return block

    def _logs(self, block: dict[str, Any]) -> list[dict[str, Any]]:
        topics = ["0x" + topic.hex() for topic in (ORDERED, STOPPED)]
        return self.evm.logs({"blockHash": block["hash"], "address": [self.services], "topics": [topics]})


def _is(log: dict[str, Any], topic: bytes) -> bool:
    return bool(log["topics"][0] == "0x" + topic.hex())


def stop_id(log: dict[str, Any]) -> str:
    """What docs/attestation.md says a stop is known by: its transaction."""
    return keccak(b"gridseal stop" + bytes.fromhex(log["transactionHash"][2:])).hex()


def ordered(log: dict[str, Any]) -> Ordered:
    types = ("uint8", "uint64", "uint64", "int64", "int256[]", "uint256")
    _, begin_s, end_s, _, values, _ = decode(types, bytes.fromhex(log["data"][2:]))
    return Ordered(log["topics"][1][2:], int(log["topics"][2], 16), begin_s * 1000, end_s * 1000, values)


_account = cache(Account.from_key)


class Market:
    """The operator who orders, the owner, and those who fill the blocks."""

    def __init__(self, evm: Evm) -> None:
        self._evm = evm
        self.services: dict[int, str] = {}  # number -> what it is
        self._next: dict[str, Iterator[int]] = {}

    async def prepare(self, key: KeySigner) -> tuple[dict[str, str], int]:
        """Contracts, a verified storage bound to the site's key, services: role -> address, the storage."""
        node, keys = Direct(self._evm), self._evm.keys
        self.contracts = await deploy.deploy(node, keys[0])
        market = deploy.Market(node, self.contracts, keys[0], keys[1])
        first = KeySigner(FIRST_KEY)
        self.storage = await market.register_storage(first, SITE)
        await node.send(keys[1], self.contracts["verification"], self.first_record(first))
        await market.verify_installation(self.storage)
        agreed = key.sign(await market.possession(self.storage, SITE))
        await market.bind(self.storage, key.address, SITE, agreed, FUND_WEI)
        for kind, count in KINDS.items():
            self._register(keys[1], kind, count)
        while self._evm.base_fee_wei < USUAL_WEI:
            self.crowd(2)
            self._evm.mine()
        return self.contracts, self.storage

    def _register(self, owner_key: str, kind: str, count: int) -> None:
        numbers = range(len(self.services) + 1, len(self.services) + 1 + count)
        self.services |= dict.fromkeys(numbers, kind)
        self._next[kind] = cycle(numbers)
        for _ in numbers:
            said = (self.storage, deploy.SERVICE_TYPES.index(kind), 5 * 10**18)
            self._send(owner_key, "services", "registerServiceFor", *said)
        self._evm.mine()

    def first_record(self, key: KeySigner) -> bytes:
        """The call with a first signed record of a key: what an installation is verified by."""
        domain, gap = (
            Domain(CHAIN_ID, self.contracts["verification"].lower()),
            Gap(0, 1, 0, GapCause.STORE_LOST),
        )
        signature = key.sign(records.seal(domain, SITE, 1, GENESIS, gap).digest)
        parity = (signature[64] - 27) << 255
        vs = (int.from_bytes(signature[32:64], "big") | parity).to_bytes(32, "big")
        said = (keccak(text=SITE), 1, GENESIS, gap.start_ms, gap.end_ms, gap.lost, int(gap.cause))
        return deploy.calldata("StorageVerification", "submitGap", *said, signature[:32], vs)

    # -- orders ---------------------------------------------------------------------------------------

    def order(self, kind: str, begin_s: int, end_s: int, values: list[int], energy_wh: int) -> None:
        """Into the pool. What the contract thinks of it shows when it is mined."""
        data = encode(["uint64", "uint64", "int64", "int256[]"], [begin_s, end_s, energy_wh, values])
        self._send(
            self._evm.keys[0],
            "services",
            "executeService",
            next(self._next[kind]),
            data,
            value=deploy.ETHER // 1000,
        )

    def stop(self) -> None:
        self._send(self._evm.keys[0], "services", "emergencyStop", self.storage)

    def _send(self, key: str, role: str, method: str, *arguments: Any, value: int = 0) -> None:
        contract = {"verification": "StorageVerification", "services": "GridServices"}[role]
        data = deploy.calldata(contract, method, *arguments)
        self._pay(key, self.contracts[role], data, value, 600_000)

    def crowd(self, of: int) -> None:
        """Others fill a block: one half keeps the price, two raise it."""
        for _ in range(of):
            self._pay(self._evm.keys[9], None, CROWD_CODE, 0, CROWD_GAS)

    def _pay(self, key: str, to: str | None, data: bytes, value: int, gas: int) -> None:
        account = _account(key)
        fields: dict[str, Any] = {
            "type": 2,
            "chainId": CHAIN_ID,
            "nonce": self._evm.count(account.address, "pending"),
            "gas": gas,
            "maxFeePerGas": MANY_WEI,
            "maxPriorityFeePerGas": 10**9,
            "value": value,
            "data": data,
        }
        signed = account.sign_transaction(fields | ({"to": deploy.to_checksum_address(to)} if to else {}))
        try:
            self._evm.send(bytes(signed.raw_transaction))
        except Refused:
            return  # an account that is out of ether fills no block
