"""The endpoints of a seeded run: two operators' nodes on one honest chain, each with its own troubles.

Every request and answer passes as the bytes it would be over HTTP; what leaves the gateway signed is noted
here before anything can lose it. A trouble is a name of `chain_script`; several at once are one on top of
the other. It refuses to be asked twice and answer by chance: the same seed tells the same lies.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from eth_abi.abi import encode
from eth_utils import keccak
from rig.evm import answer, methods
from rig.evmchain import Evm, Refused

from gateway.chain.faults import Fault, RpcError

LATENCY_S = 0.05
SLOW_S, LATE_S = 3.0, 15.0
BEHIND = 3  # blocks
ORDERED = keccak(text="ServiceOrdered(bytes32,uint256,uint256,uint8,uint64,uint64,int64,int256[],uint256)")
STOPPED = keccak(text="EmergencyStop(uint256,address)")
MADE_UP_W = 777  # what a made-up order asks for


class Operator:
    """One endpoint. `services` is the contract whose events it may invent, for the asset `storage`."""

    def __init__(self, name: str, evm: Evm, random: Random) -> None:
        self.name, self._evm, self._random = name, evm, random
        self._truth = methods(evm)
        self.troubles: dict[str, int] = {}  # name -> block at which it began
        self.hits: Counter[str] = Counter()
        self.left: list[bytes] = []  # every signed transaction that was handed to it
        self.invented: set[str] = set()  # ids of orders and transactions that nobody made
        self.services, self.storage = "", 0

    def begin(self, trouble: str) -> None:
        self.troubles.setdefault(trouble, self._evm.number)

    def end(self, trouble: str) -> None:
        self.troubles.pop(trouble, None)

    async def post(self, body: bytes) -> bytes:
        request = json.loads(body)
        name, parameters = request["method"], request["params"]
        if name == "eth_sendRawTransaction":
            self.left.append(bytes.fromhex(parameters[0][2:]))
        await asyncio.sleep(LATENCY_S)
        for trouble in sorted(self.troubles):
            if on_wire := getattr(self, f"_wire_{trouble}", None):
                self.hits[f"rpc_{trouble}"] += 1
                said = await on_wire(request, self._answered(request))
                if said is not None:
                    return bytes(said)
        return json.dumps(self._answered(request)).encode()

    def _answered(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["method"]
        table = dict(self._truth)
        for trouble in sorted(self.troubles):
            spoilt = getattr(self, "_says_" + trouble.replace(" ", "_").replace("-", "_"), None)
            if spoilt is None:
                continue
            other = spoilt(name, table, self.troubles[trouble])
            if other is not None:
                self.hits["rpc_" + trouble.replace(" ", "_").replace("-", "_")] += 1
                table[name] = other
        return answer(table, json.dumps(request).encode())

    # -- on the wire: None lets the answer pass -------------------------------------------------------

    async def _wire_down(self, request: dict[str, Any], answered: dict[str, Any]) -> bytes:
        raise RpcError(self.name, Fault.UNAVAILABLE, "ClientConnectorError")

    async def _wire_late(self, request: dict[str, Any], answered: dict[str, Any]) -> None:
        await asyncio.sleep(LATE_S)

    async def _wire_slow(self, request: dict[str, Any], answered: dict[str, Any]) -> None:
        await asyncio.sleep(SLOW_S)

    async def _wire_limited(self, request: dict[str, Any], answered: dict[str, Any]) -> bytes | None:
        if self._random.random() < 0.4:
            return None
        if self._random.random() < 0.5:
            raise RpcError(self.name, Fault.RATE_LIMITED, "HTTP 429")
        error = {"code": -32005, "message": "daily request count exceeded, request rate limited"}
        return json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error}).encode()

    async def _wire_busy(self, request: dict[str, Any], answered: dict[str, Any]) -> bytes:
        error = {"code": -32603, "message": "internal error"}
        return json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error}).encode()

    async def _wire_garbage(self, request: dict[str, Any], answered: dict[str, Any]) -> bytes:
        return self._random.randbytes(self._random.randrange(200))

    async def _wire_cut(self, request: dict[str, Any], answered: dict[str, Any]) -> bytes:
        whole = json.dumps(answered).encode()
        return whole[: self._random.randrange(len(whole))]

    async def _wire_nested(self, request: dict[str, Any], answered: dict[str, Any]) -> bytes:
        return b'{"result":' + b"[" * 100_000

    async def _wire_null(self, request: dict[str, Any], answered: dict[str, Any]) -> bytes:
        return json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": None}).encode()

    async def _wire_stranger(self, request: dict[str, Any], answered: dict[str, Any]) -> bytes:
        return json.dumps(answered | {"id": request["id"] + 1}).encode()

    # -- views: well meant, and not the others' -------------------------------------------------------

    def _says_behind(self, name: str, table: "Table", since: int) -> "Said":
        return self._seen_from(max(0, self._evm.number - BEHIND), name, table)

    def _says_frozen(self, name: str, table: "Table", since: int) -> "Said":
        return self._seen_from(min(since, self._evm.number), name, table)

    def _seen_from(self, head: int, name: str, table: "Table") -> "Said":
        """As if the chain ended at `head`."""
        truth = table[name]

        def at(tag: str) -> str:
            if tag in ("latest", "pending"):
                return hex(head)
            if tag in ("safe", "finalized"):
                return hex(max(0, min(self._evm.final, head - self._evm.finality)))
            if int(tag, 16) > head:
                raise Refused("header not found")
            return tag

        match name:
            case "eth_getBlockByNumber":
                return lambda tag, full=False: (
                    None if tag.startswith("0x") and int(tag, 16) > head else truth(at(tag))
                )
            case "eth_call" | "eth_getTransactionCount" | "eth_getBalance" | "eth_getCode":
                return lambda what, tag="latest": truth(what, at(tag))
            case "eth_getTransactionReceipt":
                return lambda name: _until(truth(name), "blockNumber", head)
            case "eth_getLogs":
                return lambda query: self._known_logs(truth(query), head)
        return None

    @staticmethod
    def _known_logs(found: list[dict[str, Any]], head: int) -> list[dict[str, Any]]:
        if any(int(log["blockNumber"], 16) > head for log in found):
            raise Refused("unknown block")
        return found

    def _says_forgets(self, name: str, table: "Table", since: int) -> "Said":
        if name in ("eth_getTransactionReceipt", "eth_getTransactionByHash"):
            return lambda name: None
        return None

    def _says_swallows(self, name: str, table: "Table", since: int) -> "Said":
        if name == "eth_sendRawTransaction":
            return lambda raw: "0x" + keccak(hexstr=raw).hex()
        return None

    def _says_forked(self, name: str, table: "Table", since: int) -> "Said":
        """Other hashes from some block on, one following the other, and none of its own true logs there."""
        truth = table[name]
        if name == "eth_getBlockByNumber":
            return lambda tag, full=False: self._renamed(truth(tag), since)
        if name == "eth_getLogs":  # of blocks before the fork it says what all say: two may be forked at once
            return lambda query: truth(query) if self._before(query["blockHash"], since) else []
        return None

    def _before(self, hash_: str, since: int) -> bool:
        block = self._evm.block_by_hash(hash_)
        return block is not None and int(block["number"], 16) <= since

    def _renamed(self, block: dict[str, Any] | None, since: int) -> dict[str, Any] | None:
        if block is None or int(block["number"], 16) <= since:
            return block
        changed = block | {"hash": self._other(block["hash"])}
        if int(block["number"], 16) > since + 1:
            changed["parentHash"] = self._other(block["parentHash"])
        return changed

    def _other(self, hash_: str) -> str:
        return "0x" + keccak(text=f"{self.name} {hash_}").hex()

    # -- lies -----------------------------------------------------------------------------------------

    def _says_no_logs(self, name: str, table: "Table", since: int) -> "Said":
        return (lambda query: []) if name == "eth_getLogs" else None

    def _says_other_power(self, name: str, table: "Table", since: int) -> "Said":
        """Every order in its place, with a figure of its own."""
        truth = table[name]
        if name != "eth_getLogs":
            return None

        def changed(query: dict[str, Any]) -> list[dict[str, Any]]:
            return [
                log | {"data": log["data"][:-64] + f"{MADE_UP_W:064x}"} if len(log["topics"]) == 4 else log
                for log in truth(query)
            ]

        return changed

    def _says_made_up_order(self, name: str, table: "Table", since: int) -> "Said":
        return self._with_log(name, table, self._made_up_order)

    def _says_made_up_stop(self, name: str, table: "Table", since: int) -> "Said":
        return self._with_log(name, table, self._made_up_stop)

    def _with_log(self, name: str, table: "Table", invent: Callable[[int], dict[str, Any]]) -> "Said":
        truth = table[name]
        if name != "eth_getLogs":
            return None

        def more(query: dict[str, Any]) -> list[dict[str, Any]]:
            found, block = truth(query), self._evm.block_by_hash(query["blockHash"])
            log = invent(int(block["timestamp"], 16)) if block else {}
            if not log or log["topics"][0] not in query["topics"][0]:
                return list(found)
            place = {
                "address": self.services,
                "blockHash": query["blockHash"],
                "blockNumber": block["number"] if block else "0x0",
                "transactionHash": self._other(query["blockHash"]),
                "logIndex": hex(len(found) + 100),
                "removed": False,
            }
            self.invented.add(place["transactionHash"][2:])
            return [*found, log | place]

        return more

    def _made_up_order(self, at_s: int) -> dict[str, Any]:
        command = keccak(text=f"{self.name} invents {at_s}")
        self.invented.add(command.hex())
        topics = [ORDERED, command, (1).to_bytes(32, "big"), self.storage.to_bytes(32, "big")]
        data = encode(
            ["uint8", "uint64", "uint64", "int64", "int256[]", "uint256"],
            [2, at_s, at_s + 600, 100, [MADE_UP_W], 1],
        )
        return {"topics": ["0x" + topic.hex() for topic in topics], "data": "0x" + data.hex()}

    def _made_up_stop(self, at_s: int) -> dict[str, Any]:
        topics = [STOPPED, self.storage.to_bytes(32, "big"), bytes(32)]
        return {"topics": ["0x" + topic.hex() for topic in topics], "data": "0x"}

    def _says_final_too_early(self, name: str, table: "Table", since: int) -> "Said":
        truth = table[name]
        if name == "eth_getBlockByNumber":
            return lambda tag, full=False: truth("latest" if tag == "finalized" else tag)
        return None

    def _says_mined(self, name: str, table: "Table", since: int) -> "Said":
        """Receipts of what never was in a block."""
        truth = table[name]
        if name != "eth_getTransactionReceipt":
            return None
        return lambda hash_: (
            truth(hash_)
            or {
                "transactionHash": hash_,
                "blockNumber": hex(self._evm.final),
                "blockHash": self._other(hash_),
                "status": "0x1",
                "gasUsed": "0x5208",
                "effectiveGasPrice": "0x1",
            }
        )

    def _says_not_mined(self, name: str, table: "Table", since: int) -> "Said":
        return (lambda hash_: None) if name == "eth_getTransactionReceipt" else None

    def _says_spent(self, name: str, table: "Table", since: int) -> "Said":
        truth = table[name]
        if name == "eth_getTransactionCount":
            return lambda address, tag="latest": hex(int(truth(address, tag), 16) + 5)
        return None

    def _says_unspent(self, name: str, table: "Table", since: int) -> "Said":
        return (lambda address, tag="latest": "0x0") if name == "eth_getTransactionCount" else None

    def _says_last_sequence(self, name: str, table: "Table", since: int) -> "Said":
        """Records that nobody sealed."""
        truth = table[name]
        if name == "eth_call":
            return lambda query, tag="latest": f"0x{int(truth(query, tag)[2:66] or '0', 16) + 1000:064x}"
        return None

    def _says_dear(self, name: str, table: "Table", since: int) -> "Said":
        truth = table[name]
        if name == "eth_maxPriorityFeePerGas":
            return lambda: hex(10**12)
        if name == "eth_getBlockByNumber":
            return lambda tag, full=False: (truth(tag) or {}) | {"baseFeePerGas": hex(10**12)}
        return None

    def _says_refused(self, name: str, table: "Table", since: int) -> "Said":
        if name not in ("eth_estimateGas", "eth_sendRawTransaction"):
            return None

        def refused(*_: object) -> None:
            raise Refused("execution reverted", 3)

        return refused

    def _says_estimate(self, name: str, table: "Table", since: int) -> "Said":
        return (lambda query, tag="latest": hex(4_900_000)) if name == "eth_estimateGas" else None

    def _says_other_chain(self, name: str, table: "Table", since: int) -> "Said":
        return (lambda: "0x1") if name == "eth_chainId" else None

    def _says_no_code(self, name: str, table: "Table", since: int) -> "Said":
        return (lambda address, tag="latest": "0x") if name == "eth_getCode" else None


Table = dict[str, Callable[..., Any]]
Said = Callable[..., Any] | None


def _until(found: dict[str, Any] | None, key: str, head: int) -> dict[str, Any] | None:
    return None if found is None or int(found[key], 16) > head else found
