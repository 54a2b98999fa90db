"""The events of Orders.sol, read: what is ordered from the site, and the emergency stop.

Pure. Each EVM system of ours orders through that base contract; what its service numbers mean is the
system's own table. It refuses, with a reason, services the gateway has no law for and parameters that are
not exactly those of the service.
"""

from collections.abc import Mapping

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from gateway import services
from gateway.chain.platforms.calls import Order, Unusable
from gateway.chain.shapes import Block, Log
from gateway.evidence.typed import keccak
from gateway.model import Command, ServiceKind, Source

STOP_MS = 3_600_000  # an emergency stop holds for an hour, and longer when it is repeated
ORDER_BYTES_MAX = 32 * (7 + 16)  # of a ServiceOrdered event: its words, and as many parameters as it may have
INT64 = range(-(2**63), 2**63)
_DATA = ("uint8", "uint64", "uint64", "int64", "int256[]", "uint256")


def read_stop(log: Log, block: Block) -> Order:
    at_ms = block.timestamp_s * 1000
    # By its transaction alone: a reorg may move it to another block, and it stays the same stop.
    command_id = keccak(b"gridseal stop" + bytes.fromhex(log.transaction[2:])).hex()
    origin = f"emergency stop by 0x{log.topics[2][12:].hex()}"
    return Order(Command(command_id, Source.CHAIN, ServiceKind.STOP, at_ms, at_ms + STOP_MS, {}, origin), "")


def read_order(log: Log, role: str, kinds: Mapping[int, ServiceKind]) -> Order | Unusable:
    """A ServiceOrdered event with its four topics, of the contract in `role`; `kinds`: the system's service
    numbers."""
    key = int.from_bytes(log.topics[2], "big")
    origin = f"contract {log.address}/service {key}"
    if len(log.data) > ORDER_BYTES_MAX:
        return Unusable(f"{origin}: the event has more parameters than any service takes")
    try:
        number, begin_s, end_s, _, values, _ = decode(_DATA, log.data)
    except (DecodingError, OverflowError) as error:
        return Unusable(f"{origin}: the event does not decode: {error}")
    kind = kinds.get(number)
    if kind is None:
        return Unusable(f"{origin}: service type {number} is not carried out here")
    parameters = services.named(kind, values)
    if parameters is None or any(v not in INT64 for v in values):
        names = ", ".join(services.LAWS[kind].parameters)
        return Unusable(f"{origin}: {kind} takes the numbers {names}, not {values}")
    if end_s > 2**40:
        return Unusable(f"{origin}: ends in the year {1970 + end_s // 31_556_952}")
    # One order at a time for each service: orders of several services share the battery.
    command = Command(
        log.topics[1].hex(), Source.CHAIN, kind, begin_s * 1000, end_s * 1000, parameters, origin, shared=True
    )
    return Order(command, f"{role}/{key}")
