"""Platform `storage`: StorageVerification holds the evidence, GridServices orders and pays services.

Pure translation, by the shipped ABIs. Records go out in the packed words of Records.sol; ServiceOrdered and
EmergencyStop come in as commands. It refuses, with a reason, services the gateway has no law for and
parameters that are not exactly those of the service.
"""

import json
from collections.abc import Mapping, Sequence

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from gateway import services
from gateway.chain.platforms import Call, NotEncodable, Order, Unusable, artifact
from gateway.chain.shapes import Block, Log
from gateway.errors import ConfigError
from gateway.evidence import body as bodies
from gateway.evidence.typed import (
    OUTCOMES,
    Gap,
    cause_bits,
    command_bytes,
    curtailments_hash,
    keccak,
    site_hash,
)
from gateway.model import Command, Delivery, Interval, Record, ServiceKind, Source
from gateway.site import ChainSettings

# Roles in `contracts:` of site.yaml -> shipped artifact.
CONTRACTS: Mapping[str, str] = {"verification": "StorageVerification", "services": "GridServices"}
# ServiceType of GridServices.sol -> the law that carries it out; its values are the law's parameters.
SERVICES: Mapping[int, ServiceKind] = {
    0: ServiceKind.FREQUENCY,
    1: ServiceKind.PEAK_SHAVING,
    2: ServiceKind.FIXED_POWER,
    3: ServiceKind.VOLTAGE,
    4: ServiceKind.RESERVE,
}
STOP_MS = 3_600_000  # an emergency stop holds for an hour, and longer when it is repeated
ORDER_BYTES_MAX = 32 * (7 + 16)  # of a ServiceOrdered event: its words, and as many parameters as it may have
INT64 = range(-(2**63), 2**63)
# About twice the dearest measured (61k, 86k, 61k, 44k, 75k); an owner may be a contract that is paid dearer.
GAS: Mapping[str, int] = {
    "interval": 130_000,
    "delivery": 200_000,
    "gap": 130_000,
    "validate": 100_000,
    "settle": 200_000,
}
# (field, lowest bit, width) of the packed words of Records.sol.
_STATUS = (
    ("soc_bp", 167, 14), ("soh_bp", 153, 14), ("available_wh", 123, 30), ("clock", 121, 2), ("flags", 113, 8),
    ("imported_wh", 85, 28), ("exported_wh", 57, 28), ("produced_wh", 29, 28), ("consumed_wh", 1, 28),
)  # fmt: skip
_FIGURES = (
    ("count", 96, 32), ("charged_wh", 68, 28), ("discharged_wh", 40, 28), ("frequency_mhz", 22, 18),
    ("voltage_mv", 0, 22),
)  # fmt: skip
_ORDERED = "ServiceOrdered(bytes32,uint256,uint256,uint8,uint64,uint64,int64,int256[],uint256)"
_ORDERED_DATA = ("uint8", "uint64", "uint64", "int64", "int256[]", "uint256")
_STOP = "EmergencyStop(uint256,address)"


def adapter(settings: ChainSettings) -> "StoragePlatform":
    missing = [role for role in CONTRACTS if role not in settings.contracts]
    unknown = [role for role in settings.contracts if role not in CONTRACTS]
    if missing or unknown:
        raise ConfigError(
            f"chain.contracts: platform storage needs exactly {', '.join(CONTRACTS)}"
            f" ({'missing' if missing else 'unknown'}: {', '.join(missing or unknown)})"
        )
    if settings.storage_id < 1:
        raise ConfigError("chain.storage: the site's id in StorageVerification is needed; ids begin at 1")
    return StoragePlatform(
        settings.contracts["verification"],
        settings.contracts["services"],
        settings.storage_id,
    )


class StoragePlatform:
    """See gateway.chain.platforms.Platform."""

    name = "storage"

    def __init__(self, verification: str, services: str, storage_id: int) -> None:
        self.evidence_contract = verification.lower()
        self._services = services.lower()
        self.watched: Sequence[str] = (self._services,)
        self._storage_id = storage_id
        self._ordered, self._stop = keccak(_ORDERED.encode()), keccak(_STOP.encode())
        self.topics: Sequence[str] = tuple("0x" + t.hex() for t in (self._ordered, self._stop))
        self.stop_topics: Sequence[str] = self.topics[1:]

    # ---- out --------------------------------------------------------------------------------------------

    def record_call(self, record: Record) -> Call:
        said = bodies.read(record.kind, record.body)
        if said.domain.contract != self.evidence_contract:
            raise NotEncodable(f"it is for the contract {said.domain.contract}")
        site = site_hash(said.site)
        match said.body:
            case Interval():
                data = _interval(record, site, said.body)
            case Delivery():
                data = _delivery(record, site, said.body)
            case Gap():
                data = _gap(record, site, said.body)
        return Call(self.evidence_contract, data, GAS[record.kind])

    def fits(self, record: Record) -> bool:
        try:
            self.record_call(record)
        except NotEncodable:
            return False
        return True

    def command_id(self, record: Record) -> str:
        return (
            str(json.loads(record.body)["command_id"]).removeprefix("0x") if record.kind == "delivery" else ""
        )

    def follow_ups(self, record: Record, reference: str) -> Sequence[tuple[str, Call]]:
        if record.kind != "delivery" or not reference:
            return ()
        command, service = self.command_id(record), int(reference)
        return tuple(
            (f"{step}/{command}", Call(self._services, _call("GridServices", method, service), GAS[step]))
            for step, method in (("validate", "validateServiceDelivery"), ("settle", "settlePayments"))
        )

    def last_sequence_call(self, address: str) -> Call:
        return Call(self.evidence_contract, _call("StorageVerification", "lastSequence", address), 0)

    def key_call(self) -> Call:
        return Call(self.evidence_contract, _call("StorageVerification", "gatewayOf", self._storage_id), 0)

    def key_problem(self, word: bytes, address: str) -> str:
        bound = "0x" + word[-20:].hex()
        if not any(word) or bound == address.lower():
            return ""
        return (
            f"chain.storage: storage {self._storage_id} is bound to the key {bound}, but attest.key is"
            f" {address}: correct one of them, or have the storage's owner bind this key (setGatewayKey)"
        )

    # ---- in ---------------------------------------------------------------------------------------------

    def read_event(self, log: Log, block: Block) -> Order | Unusable | None:
        if not log.topics or log.address != self._services:
            return None
        if log.topics[0] == self._stop and len(log.topics) == 3:
            return self._read_stop(log, block) if self._ours(log.topics[1]) else None
        if log.topics[0] == self._ordered and len(log.topics) == 4:
            return self._read_order(log) if self._ours(log.topics[3]) else None
        return None

    def _ours(self, topic: bytes) -> bool:
        return int.from_bytes(topic, "big") == self._storage_id

    def _read_stop(self, log: Log, block: Block) -> Order:
        at_ms = block.timestamp_s * 1000
        # By its transaction alone: a reorg may move it to another block, and it stays the same stop.
        transaction = bytes.fromhex(log.transaction[2:])
        operator = "0x" + log.topics[2][12:].hex()
        return Order(
            Command(
                keccak(b"gridseal stop" + transaction).hex(),
                Source.CHAIN,
                ServiceKind.STOP,
                at_ms,
                at_ms + STOP_MS,
                {},
                f"emergency stop by {operator}",
            ),
            "",
        )

    def _read_order(self, log: Log) -> Order | Unusable:
        command_id, service_id = log.topics[1].hex(), int.from_bytes(log.topics[2], "big")
        origin = f"contract {log.address}/service {service_id}"
        if len(log.data) > ORDER_BYTES_MAX:
            return Unusable(f"{origin}: the event has more parameters than any service takes")
        try:
            kind_number, begin_s, end_s, _, values, _ = decode(_ORDERED_DATA, log.data)
        except (DecodingError, OverflowError) as error:
            return Unusable(f"{origin}: the event does not decode: {error}")
        kind = SERVICES.get(kind_number)
        if kind is None:
            return Unusable(f"{origin}: service type {kind_number} is not carried out here")
        parameters = services.named(kind, values)
        if parameters is None or any(v not in INT64 for v in values):
            names = ", ".join(services.LAWS[kind].parameters)
            return Unusable(f"{origin}: {kind} takes the numbers {names}, not {values}")
        if end_s > 2**40:
            return Unusable(f"{origin}: ends in the year {1970 + end_s // 31_556_952}")
        # One order at a time for each service: orders of several services share the battery.
        command = Command(
            command_id, Source.CHAIN, kind, begin_s * 1000, end_s * 1000, parameters, origin, shared=True
        )
        return Order(command, str(service_id))


def _call(contract: str, method: str, *arguments: object) -> bytes:
    """Calldata of a method whose name is unique in its contract."""
    for signature, selector in artifact(contract)["methods"].items():
        name, _, types = signature.partition("(")
        if name == method:
            listed = types.rstrip(")")
            return bytes.fromhex(selector) + encode(listed.split(",") if listed else [], arguments)
    raise ConfigError(f"the shipped ABI of {contract} has no {method}: reinstall gridseal")


def _fit(what: str, value: int, width: int) -> int:
    if not 0 <= value < 1 << width:
        raise NotEncodable(f"the contract has {width} bits for {what}, which is {value}")
    return value


def _packed(body: Interval, fields: Sequence[tuple[str, int, int]]) -> int:
    return sum(_fit(name, int(getattr(body, name)), width) << low for name, low, width in fields)


def _signature(record: Record) -> tuple[bytes, bytes]:
    """r and vs of EIP-2098."""
    r, s, v = record.signature[:32], record.signature[32:64], record.signature[64]
    return r, (int.from_bytes(s, "big") | (v - 27) << 255).to_bytes(32, "big")


def _interval(record: Record, site: bytes, i: Interval) -> bytes:
    status = (
        _fit("sequence", record.sequence, 32) << 223 | _fit("end", i.end_ms, 42) << 181 | _packed(i, _STATUS)
    )
    figures = _fit("duration", i.end_ms - i.start_ms, 32) << 128 | _packed(i, _FIGURES)
    r, vs = _signature(record)
    return _call(
        "StorageVerification", "submitInterval", site, record.previous, i.merkle_root, status, figures, r, vs
    )


def _delivery(record: Record, site: bytes, d: Delivery) -> bytes:
    _fit("sequence", record.sequence, 32)
    times = (
        record.sequence << 192
        | _fit("start", d.start_ms, 48) << 128
        | _fit("end", d.end_ms, 48) << 64
        | _fit("count", d.count, 32) << 32
        | _fit("curtailed", d.curtailed_ms, 32)
    )
    amounts = (
        d.available_bp << 232
        | (d.requested_wh & 2**64 - 1) << 168
        | (d.delivered_wh & 2**64 - 1) << 104
        | (d.power_min_w & 2**32 - 1) << 72
        | (d.power_max_w & 2**32 - 1) << 40
        | cause_bits(d.causes) << 8
        | OUTCOMES[d.outcome]
    )
    tracking = (d.power_mean_w & 2**32 - 1) << 64 | d.response_ms << 32 | d.error_mean_w
    command, curtailments = command_bytes(d.command_id), curtailments_hash(d.curtailments)
    r, vs = _signature(record)
    return _call(
        "StorageVerification", "submitDelivery",
        site, record.previous, command, d.merkle_root, curtailments, times, amounts, tracking, r, vs,
    )  # fmt: skip


def _gap(record: Record, site: bytes, g: Gap) -> bytes:
    _fit("sequence", record.sequence, 32)
    r, vs = _signature(record)
    return _call(
        "StorageVerification", "submitGap",
        site, record.sequence, record.previous, g.start_ms, g.end_ms, g.lost, int(g.cause), r, vs,
    )  # fmt: skip
