"""One operator's Stacks node and API over HTTP: the paths the gateway needs, each answer checked for shape.

It owns what each path's answer has to be. It refuses to retry and to believe: agreement of several is
gateway.chain.stacks.operators.
"""

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.chain.endpoint import TIMEOUT_S, Http, in_time, parsed
from gateway.chain.faults import Fault, RpcError, printable
from gateway.chain.shapes import mapping
from gateway.chain.stacks.codec import Value, decode, encode
from gateway.errors import ChainError
from gateway.principal import Principal

UINT32_MAX = 2**32 - 1  # of heights, nonces, and seconds until the year 2106
RATE_MAX_USTX = 10**6  # a byte: a STX for each is absurd
_HASH = re.compile(r"(0x)?[0-9a-f]{64}")
# Why a node does not take a transaction, by its own names, and what that means here.
REASONS = {
    "FeeTooLow": Fault.UNDERPRICED,
    "ConflictingNonceInMempool": Fault.UNDERPRICED,
    "BadNonce": Fault.NONCE_TOO_LOW,
    "TooMuchChaining": Fault.NONCE_TOO_HIGH,
    "NotEnoughFunds": Fault.INSUFFICIENT_FUNDS,
    "TransferAmountMustBePositive": Fault.REFUSED,
    "ServerFailureDatabase": Fault.UNAVAILABLE,
    "ServerFailureNoSuchChainTip": Fault.UNAVAILABLE,
    "ServerFailureOther": Fault.UNAVAILABLE,
    "TemporarilyBlacklisted": Fault.UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class Anchor:
    """A block: `index` is what state is asked at. Hashes without 0x."""

    height: int
    hash: str
    index: str
    time_s: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A transaction as the API knows it. `height` 0: in no block."""

    status: str
    height: int
    block_hash: str
    fee_ustx: int

    @property
    def waiting(self) -> bool:
        return self.status == "pending"


Send = Callable[[str, str, bytes], Awaitable[tuple[int, bytes]]]  # method, path, body -> status, answer


class HttpApi(Http):
    """GET and POST below one URL."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        super().__init__(url.rstrip("/"), timeout_s)

    async def __call__(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        kind = "application/octet-stream" if path == "/v2/transactions" else "application/json"
        return await self.request(method, path, body, kind)


class Api:
    """A typed client of one endpoint."""

    def __init__(self, name: str, send: Send, timeout_s: float = TIMEOUT_S) -> None:
        self.name = name
        self._send = send
        self._timeout_s = timeout_s

    async def chain_id(self) -> int:
        return self._count(await self._get("/v2/info"), "network_id", UINT32_MAX)

    async def newest(self) -> Anchor:
        """The newest block that the API has; its node, which is ahead of it, has its state."""
        listed = (await self._get("/extended/v2/blocks?limit=1")).get("results")
        if not isinstance(listed, list) or len(listed) != 1:
            raise self._wrong("no newest block")
        return self._anchor(mapping(listed[0], "block"))

    async def nonce(self, address: str, index: str = "") -> int:
        """How many transactions of the account are in blocks, up to the one of `index` (the newest)."""
        tip = f"&tip={index}" if index else ""
        return self._count(await self._get(f"/v2/accounts/{address}?proof=0{tip}"), "nonce", UINT32_MAX)

    async def fee_rate(self) -> int:
        """MicroSTX a byte that a plain transfer needs now."""
        said = await self._json("GET", "/v2/fees/transfer", b"")
        return self._number(said, "fee", RATE_MAX_USTX)

    async def block(self, height: int) -> Anchor | None:
        """The canonical one of that height; None when there is none (yet)."""
        status, said = await self._ask("GET", f"/extended/v2/blocks/{height}", b"")
        if status == 404:
            return None
        found = self._anchor(self._good(status, said))
        if found.height != height:
            raise self._wrong(f"not block {height}")
        return found

    def _anchor(self, fields: Any) -> Anchor:
        if fields.get("canonical") is not True:
            raise self._wrong("no canonical block")
        return Anchor(
            self._count(fields, "height", UINT32_MAX),
            self._hash(fields, "hash"),
            self._hash(fields, "index_block_hash"),
            self._count(fields, "block_time", UINT32_MAX),
        )

    async def transaction(self, txid: str) -> Seen | None:
        """None when the endpoint does not know it."""
        status, said = await self._ask("GET", f"/extended/v1/tx/{txid}", b"")
        if status == 404:
            return None
        fields = self._good(status, said)
        state = fields.get("tx_status")
        if fields.get("tx_id") != txid or not isinstance(state, str) or len(state) > 60:
            raise self._wrong(f"not the transaction {txid}")
        fee = fields.get("fee_rate")
        if not isinstance(fee, str) or not re.fullmatch(r"[0-9]{1,19}", fee):
            raise self._wrong("a transaction without a fee")
        # One on a fork that lost is not in the chain, whatever became of it there.
        if state == "pending" or state.startswith("dropped") or fields.get("canonical") is not True:
            return Seen("pending" if state == "pending" else "dropped", 0, "", int(fee))
        height = self._count(fields, "block_height", UINT32_MAX)
        return Seen(state, height, self._hash(fields, "block_hash"), int(fee))

    async def read(
        self, contract: Principal, function: str, arguments: Sequence[Value], sender: str, index: str
    ) -> Value:
        """What a read-only function gives at the block of `index`."""
        where = f"{str(contract).replace('.', '/')}/{function}"
        body = {"sender": sender, "arguments": ["0x" + encode(value).hex() for value in arguments]}
        said = await self._json(
            "POST", f"/v2/contracts/call-read/{where}?tip={index}", json.dumps(body).encode()
        )
        fields = mapping(said, "answer of a contract")
        if fields.get("okay") is not True:
            raise RpcError(
                self.name, Fault.REVERTED, f"{function}: {printable(str(fields.get('cause'))[:200])}"
            )
        result = fields.get("result")
        if not isinstance(result, str) or not re.fullmatch(r"0x([0-9a-f]{2})+", result):
            raise self._wrong(f"no value of {function}")
        return decode(bytes.fromhex(result[2:]))

    async def functions(self, contract: Principal) -> frozenset[str] | None:
        """Names of what can be called there; None when no such contract is deployed."""
        where = str(contract).replace(".", "/")
        status, said = await self._ask("GET", f"/v2/contracts/interface/{where}", b"")
        if status == 404:
            return None
        listed = self._good(status, said).get("functions")
        if not isinstance(listed, list):
            raise self._wrong(f"no interface of {contract}")
        shown = [mapping(f, "function") for f in listed]
        return frozenset(str(f.get("name")) for f in shown if f.get("access") in ("public", "read_only"))

    async def publish(self, raw: bytes) -> str:
        """Hand a signed transaction in; its id as the endpoint names it. RpcError when it is not taken."""
        status, said = await self._ask("POST", "/v2/transactions", raw)
        if status == 200 and isinstance(said, str) and _HASH.fullmatch(said):
            return "0x" + said.removeprefix("0x")
        reason = said.get("reason") if isinstance(said, dict) else None
        if status == 400 and isinstance(reason, str):
            raise RpcError(self.name, REASONS.get(reason, Fault.REFUSED), printable(reason))
        raise RpcError(self.name, Fault.UNAVAILABLE, f"HTTP {status}")

    # ---- shapes -----------------------------------------------------------------------------------------

    async def _get(self, path: str) -> Any:
        return mapping(await self._json("GET", path, b""), "answer")

    async def _json(self, method: str, path: str, body: bytes) -> Any:
        return self._checked(*await self._ask(method, path, body))

    def _good(self, status: int, said: Any) -> Any:
        return mapping(self._checked(status, said), "answer")

    def _checked(self, status: int, said: Any) -> Any:
        if status != 200:
            raise RpcError(self.name, Fault.UNAVAILABLE, f"HTTP {status}")
        return said

    async def _ask(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        status, raw = await in_time(self.name, self._send(method, path, body), self._timeout_s)
        if status == 429:
            raise RpcError(self.name, Fault.RATE_LIMITED, "HTTP 429")
        if status not in (200, 400, 404):
            raise RpcError(self.name, Fault.UNAVAILABLE, f"HTTP {status}")
        return status, parsed(self.name, raw)

    def _wrong(self, what: str) -> ChainError:
        return RpcError(self.name, Fault.UNAVAILABLE, f"the answer is {what}")

    def _number(self, value: object, name: str, top: int) -> int:
        if type(value) is not int or not 0 <= value <= top:
            raise self._wrong(f"no {name} up to {top}")
        return value

    def _count(self, fields: Any, name: str, top: int) -> int:
        return self._number(fields.get(name), name, top)

    def _hash(self, fields: Any, name: str) -> str:
        value = fields.get(name)
        if not isinstance(value, str) or not _HASH.fullmatch(value):
            raise self._wrong(f"no {name}")
        return value.removeprefix("0x")
