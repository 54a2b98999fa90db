"""The chain of rig.evm: blocks, mempool, receipts and logs around py-evm, without a wire.

Real contract execution, a mempool with the rules of geth (one transaction a nonce, +10 % on both fees to
replace it), finality some blocks behind the head, reorgs on demand. Synchronous; clock and entropy are
parameters, so it also runs in virtual time, the same each time. Answers are the JSON that a node would give.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eth.vm.spoof import SpoofTransaction
from eth_tester.backends.pyevm.main import PyEVMBackend, get_default_genesis_params
from eth_tester.exceptions import TransactionFailed
from eth_utils import ValidationError

CHAIN_ID = 31337
POOL_MAX = 4096
BLOCK_TRANSACTIONS_MAX = 200


class Refused(Exception):
    """What a node answers instead of a result."""

    def __init__(self, message: str, code: int = -32000) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Done:
    """A mined transaction: where, and its receipt's figures."""

    transaction: Any
    number: int
    index: int
    ok: bool
    gas_used: int
    price_wei: int
    created: bytes
    first_log: int
    logs: tuple[tuple[bytes, tuple[int, ...], bytes], ...]


class Evm:
    """The chain and its mempool. Everything is synchronous and takes milliseconds."""

    def __init__(
        self,
        *,
        finality: int = 0,
        clock: Callable[[], float] = time.time,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        start = {"gas_limit": 30_000_000, "timestamp": int(clock()) - 1}
        self._backend = PyEVMBackend(genesis_parameters=get_default_genesis_params(start))
        type(self._backend.chain).chain_id = CHAIN_ID
        self._backend.chain.gas_estimator = _estimate
        self._clock, self._entropy = clock, entropy
        self.finality = finality
        self.final_held: int | None = None  # finality stands still here
        self._pool: dict[bytes, dict[int, Any]] = {}
        self._done: dict[bytes, Done] = {}
        self.keys = tuple("0x" + k.to_bytes().hex() for k in self._backend.account_keys)
        self._rich = self._backend.account_keys[0].public_key.to_canonical_address()

    @property
    def _chain(self) -> Any:
        return self._backend.chain

    @property
    def number(self) -> int:
        return self._chain.get_canonical_head().block_number

    @property
    def base_fee_wei(self) -> int:
        return int(self._chain.get_canonical_head().base_fee_per_gas)

    @property
    def final(self) -> int:
        """The newest block that no reorg may take back."""
        number = max(0, self.number - self.finality)
        return number if self.final_held is None else min(number, self.final_held)

    # ---- blocks -----------------------------------------------------------------------------------------

    def mine(self, count: int = 1) -> None:
        for _ in range(count):
            self._mine_one()

    def _mine_one(self) -> None:
        chain, head = self._chain, self._chain.get_canonical_head()
        at = max(head.timestamp + 1, int(self._clock()))
        chain.header = chain.create_header_from_parent(head, timestamp=at, gas_limit=head.gas_limit)
        base, before, logs, index = chain.header.base_fee_per_gas, 0, 0, 0
        done = []
        for transaction in self._includable(base):
            try:
                _, receipt, computation = chain.apply_transaction(transaction)
            except ValidationError:
                self._drop(transaction)  # cannot pay, say: a node forgets it
                continue
            used, before = receipt.gas_used - before, receipt.gas_used
            entry = Done(
                transaction, head.block_number + 1, index, not computation.is_error, used,
                min(transaction.max_fee_per_gas, base + transaction.max_priority_fee_per_gas),
                computation.msg.storage_address if computation.msg.is_create else b"", logs,
                tuple((log.address, log.topics, log.data) for log in receipt.logs),
            )  # fmt: skip
            logs, index = logs + len(entry.logs), index + 1
            done.append(entry)
        chain.mine_block(blob_gas_used=0, mix_hash=self._entropy(32))
        for entry in done:
            self._done[entry.transaction.hash] = entry
            self._drop(entry.transaction)

    def _includable(self, base_wei: int) -> list[Any]:
        found, room = [], self._chain.get_canonical_head().gas_limit
        for sender, waiting in self._pool.items():
            nonce = self._backend.get_nonce(sender)
            while nonce in waiting and waiting[nonce].max_fee_per_gas >= base_wei:
                if (room := room - waiting[nonce].gas) < 0:  # the block is full
                    return found
                found.append(waiting[nonce])
                nonce += 1
        return found[:BLOCK_TRANSACTIONS_MAX]

    def _drop(self, transaction: Any) -> None:
        self._pool.get(transaction.sender, {}).pop(transaction.nonce, None)

    def forget_pool(self) -> None:
        """No node has the waiting transactions any more."""
        self._pool = {}

    def decoded(self, raw: bytes) -> Any:
        """A signed transaction's fields and its sender."""
        return self._chain.get_vm().get_transaction_builder().decode(raw)

    def reorg(self, depth: int, *, keep: bool = True) -> None:
        """Undo the newest blocks and mine as many others, empty. `keep`: their transactions wait again."""
        height = self.number
        target = self._chain.get_canonical_block_header_by_number(height - depth)
        self._backend.revert_to_snapshot(target.hash)
        undone = [d for d in self._done.values() if d.number > height - depth]
        for entry in undone:
            del self._done[entry.transaction.hash]
        pool, self._pool = self._pool, {}
        self.mine(depth)
        self._pool = pool
        if keep:
            for entry in undone:
                self._pool.setdefault(entry.transaction.sender, {})[entry.transaction.nonce] = (
                    entry.transaction
                )

    # ---- what is asked ----------------------------------------------------------------------------------

    def _header(self, tag: str) -> Any:
        chain, head = self._chain, self._chain.get_canonical_head()
        if tag in ("latest", "pending"):
            return head
        if tag in ("safe", "finalized"):
            return chain.get_canonical_block_header_by_number(self.final)
        number = 0 if tag == "earliest" else int(tag, 16)
        return chain.get_canonical_block_header_by_number(number) if number <= head.block_number else None

    def block(self, tag: str) -> dict[str, Any] | None:
        header = self._header(tag)
        return None if header is None else self._block_json(header)

    def block_by_hash(self, name: str) -> dict[str, Any] | None:
        header = self._canonical(name)
        return None if header is None else self._block_json(header)

    def _block_json(self, header: Any) -> dict[str, Any]:
        inside = sorted(
            (d.index, d.transaction.hash) for d in self._done.values() if d.number == header.block_number
        )
        return _header_json(header) | {"transactions": ["0x" + name.hex() for _, name in inside]}

    def _canonical(self, name: str) -> Any:
        for number in range(self.number, -1, -1):  # dev chains are short
            header = self._chain.get_canonical_block_header_by_number(number)
            if "0x" + header.hash.hex() == name:
                return header
        return None

    def logs(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        """By blockHash only, as the gateway asks; first topics are alternatives."""
        header = self._canonical(query["blockHash"])
        if header is None:
            raise Refused("unknown block")
        wanted = query.get("address", [])
        addresses = {wanted.lower()} if isinstance(wanted, str) else {a.lower() for a in wanted}
        first = (query.get("topics") or [None])[0]
        firsts = {first} if isinstance(first, str) else set(first or ())
        found = []
        for entry in self._done.values():
            if entry.number == header.block_number:
                found += [
                    j for j in _logs_json(entry, header)
                    if (not addresses or j["address"] in addresses)
                    and (not firsts or (j["topics"] and j["topics"][0] in firsts))
                ]  # fmt: skip
        return sorted(found, key=lambda j: int(j["logIndex"], 16))

    def receipt(self, name: str) -> dict[str, Any] | None:
        entry = self._done.get(bytes.fromhex(name[2:]))
        if entry is None:
            return None
        header = self._chain.get_canonical_block_header_by_number(entry.number)
        return {
            "transactionHash": name,
            "transactionIndex": hex(entry.index),
            "blockNumber": hex(entry.number),
            "blockHash": "0x" + header.hash.hex(),
            "from": "0x" + entry.transaction.sender.hex(),
            "to": "0x" + entry.transaction.to.hex() if entry.transaction.to else None,
            "status": hex(int(entry.ok)),
            "gasUsed": hex(entry.gas_used),
            "cumulativeGasUsed": hex(entry.gas_used),
            "effectiveGasPrice": hex(entry.price_wei),
            "contractAddress": "0x" + entry.created.hex() if entry.created else None,
            "logs": _logs_json(entry, header),
            "logsBloom": "0x" + "00" * 256,
            "type": "0x2",
        }

    def transaction(self, name: str) -> dict[str, Any] | None:
        wanted = bytes.fromhex(name[2:])
        entry = self._done.get(wanted)
        waiting = [t for nonces in self._pool.values() for t in nonces.values() if t.hash == wanted]
        if entry is None and not waiting:
            return None
        found = entry.transaction if entry else waiting[0]
        return {
            "hash": name,
            "from": "0x" + found.sender.hex(),
            "to": "0x" + found.to.hex() if found.to else None,
            "nonce": hex(found.nonce),
            "input": "0x" + found.data.hex(),
            "blockNumber": hex(entry.number) if entry else None,
        }

    def count(self, address: str, tag: str) -> int:
        sender = bytes.fromhex(address[2:])
        header = self._header(tag)
        if header is None:
            raise Refused("header not found")
        nonce: int = self._backend.get_nonce(sender, _tag(header))
        while tag == "pending" and nonce in self._pool.get(sender, {}):
            nonce += 1
        return nonce

    def balance(self, address: str, tag: str) -> int:
        return int(self._backend.get_balance(bytes.fromhex(address[2:]), _tag(self._header(tag))))

    def code(self, address: str, tag: str) -> bytes:
        return bytes(self._backend.get_code(bytes.fromhex(address[2:]), _tag(self._header(tag))))

    def view(self, query: dict[str, Any], tag: str) -> bytes:
        header = self._header(tag)
        if header is None:
            raise Refused("header not found")
        return self._run(lambda: bytes(self._backend.call(self._asked(query, header), _tag(header))))

    def estimate(self, query: dict[str, Any]) -> int:
        header = self._chain.get_canonical_head()
        return self._run(lambda: int(self._backend.estimate_gas(self._asked(query, header), "latest")))

    def _asked(self, query: dict[str, Any], header: Any) -> dict[str, Any]:
        asked = {
            "from": bytes.fromhex(query["from"][2:]) if query.get("from") else self._rich,
            "to": bytes.fromhex(query["to"][2:]) if query.get("to") else b"",
            "data": bytes.fromhex((query.get("data") or query.get("input") or "0x")[2:]),
            "value": int(query.get("value", "0x0"), 16),
            "max_fee_per_gas": header.base_fee_per_gas,
            "max_priority_fee_per_gas": 0,
        }
        asked["nonce"] = self._backend.get_nonce(asked["from"], _tag(header))
        return asked

    @staticmethod
    def _run(work: Callable[[], Any]) -> Any:
        try:
            return work()
        except TransactionFailed as error:
            raise Refused(f"execution reverted: {error}", 3) from error
        except ValidationError as error:
            raise Refused(str(error)) from error

    def send(self, raw: bytes) -> str:
        try:
            transaction = self.decoded(raw)
            transaction.validate()
            sender = transaction.sender
        except (ValidationError, ValueError, TypeError) as error:
            raise Refused(f"invalid transaction: {error}") from error
        self._check(transaction, sender)
        self._pool.setdefault(sender, {})[transaction.nonce] = transaction
        return "0x" + transaction.hash.hex()

    def _check(self, transaction: Any, sender: bytes) -> None:
        nonce, waiting = self._backend.get_nonce(sender), self._pool.get(sender, {})
        before = waiting.get(transaction.nonce)
        if transaction.hash in self._done or (before and before.hash == transaction.hash):
            raise Refused("already known")
        if transaction.chain_id != CHAIN_ID:
            raise Refused("invalid chain id for signer")
        if transaction.nonce < nonce:
            raise Refused(f"nonce too low: next nonce {nonce}, tx nonce {transaction.nonce}")
        if len(waiting) >= POOL_MAX:
            raise Refused("txpool is full")
        most = transaction.gas * transaction.max_fee_per_gas + transaction.value
        if self._backend.get_balance(sender) < most:
            raise Refused("insufficient funds for gas * price + value")
        if before and not all(
            getattr(transaction, fee) * 10 >= getattr(before, fee) * 11
            for fee in ("max_fee_per_gas", "max_priority_fee_per_gas")
        ):
            raise Refused("replacement transaction underpriced")


def _estimate(state: Any, transaction: Any) -> int:
    """Gas with which it succeeds: what it used, and an eighth more as long as that is too little."""

    def tried(gas: int) -> Any:
        snapshot = state.snapshot()
        try:
            return state.apply_transaction(SpoofTransaction(transaction, gas=gas))
        finally:
            state.revert(snapshot)

    most = tried(state.gas_limit)
    most.raise_if_error()
    gas = int(transaction.intrinsic_gas + most.get_gas_used())
    while gas < state.gas_limit and tried(gas).is_error:
        gas = gas * 9 // 8
    return min(gas, int(state.gas_limit))


def _tag(header: Any) -> int:
    return int(header.block_number)


def _header_json(header: Any) -> dict[str, Any]:
    return {
        "number": hex(header.block_number),
        "hash": "0x" + header.hash.hex(),
        "parentHash": "0x" + header.parent_hash.hex(),
        "timestamp": hex(header.timestamp),
        "baseFeePerGas": hex(header.base_fee_per_gas),
        "gasLimit": hex(header.gas_limit),
        "gasUsed": hex(header.gas_used),
    }


def _logs_json(entry: Done, header: Any) -> list[dict[str, Any]]:
    return [
        {
            "address": "0x" + address.hex(),
            "topics": [f"0x{topic:064x}" for topic in topics],
            "data": "0x" + data.hex(),
            "blockHash": "0x" + header.hash.hex(),
            "blockNumber": hex(entry.number),
            "transactionHash": "0x" + entry.transaction.hash.hex(),
            "transactionIndex": hex(entry.index),
            "logIndex": hex(entry.first_log + i),
            "removed": False,
        }
        for i, (address, topics, data) in enumerate(entry.logs)
    ]
