"""One JSON-RPC endpoint over HTTP: the methods the gateway needs, each answer checked for shape.

It owns what each method's answer has to be. It refuses to retry and to believe: agreement of several is
gateway.chain.quorum.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from gateway.chain import shapes
from gateway.chain.endpoint import TIMEOUT_S, Http, in_time, parsed
from gateway.chain.faults import Fault, RpcError, classify, printable
from gateway.chain.shapes import Block, Log, Receipt
from gateway.errors import ChainError

CALL_BYTES_MAX = 64 * 1024  # what a view function may return

Post = Callable[[bytes], Awaitable[bytes]]


class HttpPost(Http):
    """POST to one URL."""

    async def __call__(self, body: bytes) -> bytes:
        status, content = await self.request("POST", "", body)
        if status == 429:
            raise RpcError(self.name, Fault.RATE_LIMITED, "HTTP 429")
        if status >= 500 or status in (301, 302, 307, 308):
            raise RpcError(self.name, Fault.UNAVAILABLE, f"HTTP {status}")
        return content


class Rpc:
    """A typed client. `post` carries one request body to the endpoint and gives the answer's body."""

    def __init__(self, name: str, post: Post, timeout_s: float = TIMEOUT_S) -> None:
        self.name = name
        self._post = post
        self._timeout_s = timeout_s
        self._id = 0

    async def call(self, method: str, *parameters: Any) -> Any:
        """The `result` of one request. RpcError when the endpoint does not answer or says no."""
        self._id += 1
        request = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": parameters}
        raw = await in_time(self.name, self._post(json.dumps(request).encode()), self._timeout_s)
        return self._result(raw, request["id"])

    def _result(self, raw: bytes, wanted: object) -> Any:
        answer = parsed(self.name, raw)
        if not isinstance(answer, dict):
            raise RpcError(self.name, Fault.UNAVAILABLE, "the answer is no JSON-RPC object")
        error = answer.get("error")
        if error is not None:
            raise self._refusal(error)
        if type(answer.get("id")) is not int or answer["id"] != wanted or "result" not in answer:
            raise RpcError(self.name, Fault.UNAVAILABLE, "the answer is not to the request")
        return answer["result"]

    def _refusal(self, error: object) -> RpcError:
        fields = error if isinstance(error, dict) else {}
        code, message = fields.get("code"), fields.get("message")
        if type(code) is not int or not isinstance(message, str):
            return RpcError(self.name, Fault.UNAVAILABLE, "an error without code and message")
        return RpcError(self.name, classify(code, message), printable(message))

    async def chain_id(self) -> int:
        return shapes.quantity(await self.call("eth_chainId"), shapes.UINT64_MAX)

    async def block(self, at: int | str) -> Block | None:
        """By number, or "latest", "safe", "finalized". None when there is none (yet)."""
        tag = hex(at) if isinstance(at, int) else at
        answer = await self.call("eth_getBlockByNumber", tag, False)
        if answer is None:
            return None
        block = shapes.block(answer)
        if isinstance(at, int) and block.number != at:
            raise ChainError(f"RPC {self.name}: asked for block {at}, was given {block.number}")
        return block

    async def logs(self, block_hash: str, addresses: Sequence[str], topics: Sequence[str]) -> tuple[Log, ...]:
        """Events of these contracts with one of these first topics, in one block, by its hash."""
        query = {"blockHash": block_hash, "address": list(addresses), "topics": [list(topics)]}
        found = shapes.logs(await self.call("eth_getLogs", query), block_hash)
        wanted = {a.lower() for a in addresses}
        if any(log.address not in wanted for log in found):
            raise ChainError(f"RPC {self.name}: gave a log of a contract that was not asked for")
        return found

    async def transaction_count(self, address: str, at: int | str) -> int:
        tag = hex(at) if isinstance(at, int) else at
        answer = await self.call("eth_getTransactionCount", address, tag)
        return shapes.quantity(answer, shapes.UINT64_MAX)

    async def balance(self, address: str) -> int:
        return shapes.quantity(await self.call("eth_getBalance", address, "latest"))

    async def has_code(self, address: str) -> bool:
        return len(shapes.data(await self.call("eth_getCode", address, "latest"), 64 * 1024)) > 0

    async def receipt(self, transaction: str) -> Receipt | None:
        answer = await self.call("eth_getTransactionReceipt", transaction)
        return None if answer is None else shapes.receipt(answer, transaction)

    async def knows(self, transaction: str) -> bool:
        """Whether the endpoint has it, mined or waiting."""
        answer = await self.call("eth_getTransactionByHash", transaction)
        if answer is None:
            return False
        return shapes.hash32(shapes.mapping(answer, "transaction").get("hash")) == transaction

    async def estimate_gas(self, sender: str, to: str, data: bytes) -> int:
        query = {"from": sender, "to": to, "data": "0x" + data.hex()}
        return shapes.quantity(await self.call("eth_estimateGas", query), 2**40)

    async def tip(self) -> int:
        return shapes.quantity(await self.call("eth_maxPriorityFeePerGas"), shapes.WEI_MAX)

    async def view(self, to: str, data: bytes, at: int | str = "latest") -> bytes:
        """What a view function returns, ABI-encoded."""
        tag = hex(at) if isinstance(at, int) else at
        answer = await self.call("eth_call", {"to": to, "data": "0x" + data.hex()}, tag)
        return shapes.data(answer, CALL_BYTES_MAX)

    async def publish(self, raw: bytes) -> str:
        """Hand a signed transaction in; its hash as the endpoint names it."""
        return shapes.hash32(await self.call("eth_sendRawTransaction", "0x" + raw.hex()))
