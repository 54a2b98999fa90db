"""The other side of the contracts: the people who deploy, register, verify, order and look at settlements.

It speaks JSON-RPC to any node (anvil, rig.evm, a real one) with keys given to it, and uses eth-account to
sign: nothing of the gateway but the shipped artifacts, so that the gateway is checked by somebody else.
"""

import asyncio
import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Protocol

import aiohttp
from eth_abi.abi import decode, encode
from eth_account import Account
from eth_account.messages import _hash_eip191_message, encode_typed_data
from eth_utils import keccak, to_checksum_address

WAIT_S = 30.0
DEPLOY_GAS = 8_000_000
CALL_GAS = 1_000_000
RING = 128  # 32 hours of 15-minute intervals
ETHER = 10**18
SERVICE_TYPES = ("frequency", "peak-shaving", "load-shifting", "voltage", "backup")
ORDER_STATES = ("none", "ordered", "validated", "settled", "cancelled")
_CONTRACT_OF = {"verification": "StorageVerification", "services": "GridServices"}


def artifact(contract: str) -> dict[str, Any]:
    folder = files("gateway.chain.platforms") / "abi"
    return json.loads((folder / f"{contract}.json").read_text("utf-8"))


POSSESSION = [
    {"name": name, "type": kind}
    for name, kind in (("binder", "address"), ("asset", "uint64"), ("site", "bytes32"))
]
DOMAIN = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]


class Key(Protocol):
    """A gateway's key, to be bound: `sign` takes a digest and gives r || s || v."""

    address: str

    def sign(self, digest: bytes) -> bytes: ...


class Failed(Exception):
    """A node or a contract said no."""


@dataclass
class Node:
    """One endpoint. `async with Node(url) as node`."""

    url: str
    _session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Node":
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WAIT_S))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session
        await self._session.close()

    async def call(self, method: str, *parameters: Any) -> Any:
        assert self._session
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        async with self._session.post(self.url, json=request) as response:
            answer = await response.json()
        if "error" in answer:
            raise Failed(f"{method}: {answer['error']}")
        return answer["result"]

    async def send(
        self, key: str, to: str | None, data: bytes, value: int = 0, gas: int = CALL_GAS
    ) -> dict[str, Any]:
        """Sign, send and wait for the receipt. Failed when it reverts."""
        account = Account.from_key(key)
        fields = {
            "type": 2,
            "chainId": int(await self.call("eth_chainId"), 16),
            "nonce": int(await self.call("eth_getTransactionCount", account.address, "pending"), 16),
            "gas": gas,
            "maxFeePerGas": 20 * 10**9,
            "maxPriorityFeePerGas": 10**9,
            "value": value,
            "data": data,
        }
        signed = account.sign_transaction(fields | ({"to": to_checksum_address(to)} if to else {}))
        name = await self.call("eth_sendRawTransaction", "0x" + bytes(signed.raw_transaction).hex())
        async with asyncio.timeout(WAIT_S):
            while (receipt := await self.call("eth_getTransactionReceipt", name)) is None:
                await asyncio.sleep(0.05)
        if int(receipt["status"], 16) != 1:
            raise Failed(f"transaction {name} reverted")
        return receipt

    async def view(self, contract: str, address: str, method: str, *arguments: Any) -> tuple[Any, ...]:
        entry = _method(contract, method)
        data = calldata(contract, method, *arguments)
        answer = await self.call("eth_call", {"to": address, "data": "0x" + data.hex()}, "latest")
        return decode([_type(o) for o in entry["outputs"]], bytes.fromhex(answer[2:]))


def _type(argument: dict[str, Any]) -> str:
    if argument["type"].startswith("tuple"):
        inner = ",".join(_type(c) for c in argument["components"])
        return f"({inner}){argument['type'][5:]}"
    return argument["type"]


def _method(contract: str, name: str) -> dict[str, Any]:
    return next(e for e in artifact(contract)["abi"] if e["type"] == "function" and e["name"] == name)


def calldata(contract: str, method: str, *arguments: Any) -> bytes:
    types = [_type(i) for i in _method(contract, method)["inputs"]]
    return keccak(text=f"{method}({','.join(types)})")[:4] + encode(types, arguments)


async def deploy(node: Node, admin_key: str, ring: int = RING) -> dict[str, str]:
    """Both contracts, `admin_key` as their administrator, verifier and operator: role -> address. `ring` is
    the dispute window in records; a steady interval is cheaper than those of its first round."""
    admin = Account.from_key(admin_key).address
    verification = await create(node, admin_key, "StorageVerification", admin, ring)
    services = await create(node, admin_key, "GridServices", admin, verification)
    return {"verification": verification, "services": services}


async def create(node: Node, key: str, contract: str, *arguments: Any) -> str:
    """A shipped contract deployed by `key`; its address."""
    inputs = next((e["inputs"] for e in artifact(contract)["abi"] if e["type"] == "constructor"), [])
    code = bytes.fromhex(artifact(contract)["bytecode"][2:]) + encode([_type(i) for i in inputs], arguments)
    return str((await node.send(key, None, code, gas=DEPLOY_GAS))["contractAddress"])


async def possession(node: Node, contract: str, binder: str, asset: int, site: str) -> bytes:
    """What a key signs that agrees to be bound to an asset by its owner (or by the key before it)."""
    domain = {
        "name": "Gridseal",
        "version": "1",
        "chainId": int(await node.call("eth_chainId"), 16),
        "verifyingContract": contract,
    }
    said = {"binder": binder, "asset": asset, "site": keccak(text=site)}
    types = {"EIP712Domain": DOMAIN, "Possession": POSSESSION}
    full = {"types": types, "primaryType": "Possession", "domain": domain, "message": said}
    return bytes(_hash_eip191_message(encode_typed_data(full_message=full)))


@dataclass(frozen=True)
class Market:
    """The deployed contracts and who may do what with them. `owner_key` owns the storage and is paid."""

    node: Node
    contracts: dict[str, str]
    admin_key: str
    owner_key: str

    async def _do(self, key: str, role: str, method: str, *arguments: Any, value: int = 0) -> dict[str, Any]:
        data = calldata(_CONTRACT_OF[role], method, *arguments)
        return await self.node.send(key, self.contracts[role], data, value)

    async def _ask(self, role: str, method: str, *arguments: Any) -> tuple[Any, ...]:
        return await self.node.view(_CONTRACT_OF[role], self.contracts[role], method, *arguments)

    @property
    def owner(self) -> str:
        return str(Account.from_key(self.owner_key).address)

    async def register_storage(
        self, gateway: Key, site: str, capacity_kwh: int = 10, power_kw: int = 10, fund_wei: int = ETHER
    ) -> int:
        """A storage of `owner_key` with the gateway's key bound and funded; its id."""
        storage = await self.add_storage(capacity_kwh, power_kw)
        agreed = gateway.sign(await self.possession(storage, site))
        await self.bind(storage, gateway.address, site, agreed, fund_wei)
        return storage

    async def add_storage(self, capacity_kwh: int = 10, power_kw: int = 10) -> int:
        specs = (capacity_kwh * 10**18, power_kw * 10**18, 92, "meadow lane", "LITHIUM_ION")
        await self._do(self.owner_key, "verification", "registerStorage", self.owner, specs)
        (storage,) = await self._ask("verification", "storageCount")
        return int(storage)

    async def possession(self, storage: int, site: str, binder: str = "") -> bytes:
        return await possession(
            self.node, self.contracts["verification"], binder or self.owner, storage, site
        )

    async def bind(self, storage: int, gateway: str, site: str, agreed: bytes, fund_wei: int = ETHER) -> None:
        """Give the storage this key, which agreed, and the key money for its transactions."""
        name = keccak(text=site)
        await self._do(self.owner_key, "verification", "setGatewayKey", storage, gateway, name, agreed)
        if fund_wei:
            await self.node.send(self.owner_key, gateway, b"", fund_wei)

    async def verify_installation(self, storage: int) -> None:
        """Possible once the first signed record has been accepted."""
        await self._do(self.admin_key, "verification", "verifyInstallation", storage)

    async def register_service(self, storage: int, service: str, capacity_kw: int = 5) -> int:
        """`service` is one of SERVICE_TYPES; its id."""
        number = SERVICE_TYPES.index(service)
        await self._do(
            self.owner_key, "services", "registerServiceFor", storage, number, capacity_kw * 10**18
        )
        (found,) = await self._ask("services", "serviceCount")
        return int(found)

    async def order(
        self, service: int, begin_s: int, end_s: int, energy_wh: int, values: list[int], pay_wei: int
    ) -> str:
        """executeService with the payment in escrow; the command id, 64 hex digits."""
        parameters = encode(["uint64", "uint64", "int64", "int256[]"], [begin_s, end_s, energy_wh, values])
        receipt = await self._do(
            self.admin_key, "services", "executeService", service, parameters, value=pay_wei
        )
        return str(receipt["logs"][0]["topics"][1][2:])

    async def emergency_stop(self, storage: int) -> None:
        await self._do(self.admin_key, "services", "emergencyStop", storage)

    async def order_state(self, service: int) -> dict[str, Any]:
        """State, share in basis points and payment in wei of the newest order of a service."""
        ((command, _, _, _, energy_wh, state, share_bp, payment, _, _),) = await self._ask(
            "services", "getOrder", service
        )
        return {
            "command": command.hex(),
            "state": ORDER_STATES[state],
            "energy_wh": energy_wh,
            "share_bp": share_bp,
            "payment_wei": payment,
        }

    async def last_sequence(self, gateway: str) -> int:
        (last,) = await self._ask("verification", "lastSequence", gateway)
        return int(last)
