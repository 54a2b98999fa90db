"""The reference contracts on an EVM inside this process (py-evm), for tests and the gas table.

Knows the shipped artifacts and nothing of RPC; every transaction is mined at once in its own block. It
refuses to hide a revert: `send` raises Reverted with the error's name.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from eth_abi.abi import decode, encode
from eth_tester import EthereumTester, PyEVMBackend
from eth_tester.exceptions import TransactionFailed

from gateway.chain.platforms.artifacts import artifact
from gateway.evidence.typed import keccak

GAS_MAX = 5_000_000  # deploying the larger contract takes under 4 million
BASE_FEE_ROOM = 10**10


class Reverted(Exception):
    """A call or transaction that the contract turned down: the name of its error."""


@dataclass(frozen=True, slots=True)
class Receipt:
    gas: int
    logs: tuple[dict[str, Any], ...]


def _type(item: dict[str, Any]) -> str:
    if not item["type"].startswith("tuple"):
        return str(item["type"])
    return "(" + ",".join(_type(c) for c in item["components"]) + ")" + item["type"][5:]


def types(items: Sequence[dict[str, Any]]) -> list[str]:
    return [_type(item) for item in items]


class Contract:
    """One deployed contract: `send` makes a transaction, `call` only asks, `events` reads logs back."""

    def __init__(self, chain: "Local", name: str, address: str) -> None:
        self.chain, self.address = chain, address
        abi = artifact(name)["abi"]
        self.functions = {f["name"]: f for f in abi if f["type"] == "function"}
        self.by_topic = {self._topic(e): e for e in abi if e["type"] == "event"}

    @staticmethod
    def _topic(item: dict[str, Any]) -> bytes:
        return keccak(f"{item['name']}({','.join(types(item['inputs']))})".encode())

    def data(self, method: str, *args: Any) -> bytes:
        item = self.functions[method]
        return self._topic(item)[:4] + encode(types(item["inputs"]), args)

    def send(self, method: str, *args: Any, sender: str = "", value: int = 0) -> Receipt:
        return self.chain.send(self.address, self.data(method, *args), sender=sender, value=value)

    def call(self, method: str, *args: Any) -> Any:
        raw = self.chain.call(self.address, self.data(method, *args))
        out = decode(types(self.functions[method]["outputs"]), raw)
        return out[0] if len(out) == 1 else out

    def events(self, receipt: Receipt) -> list[tuple[str, dict[str, Any]]]:
        found = []
        for log in receipt.logs:
            topics = [bytes.fromhex(t[2:]) for t in log["topics"]]
            if log["address"].lower() != self.address.lower() or topics[0] not in self.by_topic:
                continue
            item = self.by_topic[topics[0]]
            plain = [i for i in item["inputs"] if not i["indexed"]]
            values = dict(
                zip([i["name"] for i in plain], decode(types(plain), _bytes(log["data"])), strict=True)
            )
            indexed = [i for i in item["inputs"] if i["indexed"]]
            for i, topic in zip(indexed, topics[1:], strict=True):
                values[i["name"]] = decode([_type(i)], topic)[0]
            found.append((item["name"], values))
        return found


def _bytes(data: str | bytes) -> bytes:
    return bytes.fromhex(data[2:]) if isinstance(data, str) else bytes(data)


class Local:
    """A chain with ten rich accounts; the first deploys and is administrator. `gas`: of a block, and of a
    transaction."""

    def __init__(self, gas: int = GAS_MAX) -> None:
        self._gas = gas
        genesis = PyEVMBackend.generate_genesis_params({"gas_limit": 2 * gas})
        self.tester = EthereumTester(PyEVMBackend(genesis_parameters=genesis))
        self.accounts: tuple[str, ...] = self.tester.get_accounts()
        self.chain_id = int(self.tester.backend.chain.chain_id)
        self.errors = {
            Contract._topic(e)[:4]: e["name"]
            for file in (files("gateway.chain.platforms") / "abi").iterdir()
            for e in artifact(file.name.removesuffix(".json"))["abi"]
            if e["type"] == "error"
        }

    def deploy(self, name: str, *args: Any) -> tuple[Contract, int]:
        made = artifact(name)
        inputs = next((f["inputs"] for f in made["abi"] if f["type"] == "constructor"), [])
        code = bytes.fromhex(made["bytecode"][2:]) + encode(types(inputs), args)
        address, gas = self.create(code)
        return Contract(self, name, address), gas

    def create(self, code: bytes) -> tuple[str, int]:
        """The address of a contract made by this creation code, and the gas it took."""
        receipt = self._transact({"data": "0x" + code.hex()})
        return str(receipt["contract_address"]), int(receipt["gas_used"])

    def send(self, to: str, data: bytes, *, sender: str = "", value: int = 0) -> Receipt:
        self.call(to, data, sender=sender, value=value)  # a revert is named here, before it is mined
        receipt = self._transact({"to": to, "data": "0x" + data.hex(), "value": value}, sender)
        if receipt["status"] != 1:
            raise Reverted("mined as failed")
        return Receipt(int(receipt["gas_used"]), tuple(receipt["logs"]))

    def call(self, to: str, data: bytes, *, sender: str = "", value: int = 0) -> bytes:
        transaction = self._filled({"to": to, "data": "0x" + data.hex(), "value": value}, sender)
        try:
            return _bytes(self.tester.call(transaction, "pending"))
        except TransactionFailed as error:
            raise Reverted(self._name(error))

    def _name(self, error: TransactionFailed) -> str:
        """eth-tester passes the returned bytes on as their Python repr, or says it in words."""
        said = str(error.args[0]) if error.args else ""
        if not said.startswith("b"):
            return said or "reverted"
        return self.errors.get(ast.literal_eval(said)[:4], said)

    def adopt(self, secret: bytes) -> str:
        """An account with this key, funded, so that a gateway can send too; its address."""
        address = str(self.tester.add_account("0x" + secret.hex()))
        self.send(address, b"", value=10**18)
        return address

    def balance(self, account: str) -> int:
        return int(self.tester.get_balance(account))

    def travel(self, to_s: int) -> None:
        self.tester.time_travel(to_s)

    @property
    def now_s(self) -> int:
        return int(self.tester.get_block_by_number("pending")["timestamp"])

    def _filled(self, fields: dict[str, Any], sender: str) -> dict[str, Any]:
        fees = {"max_fee_per_gas": BASE_FEE_ROOM, "max_priority_fee_per_gas": 1}
        return {"from": sender or self.accounts[0], "gas": self._gas, **fees, **fields}

    def _transact(self, fields: dict[str, Any], sender: str = "") -> dict[str, Any]:
        digest = self.tester.send_transaction(self._filled(fields, sender))
        return dict(self.tester.get_transaction_receipt(digest))
