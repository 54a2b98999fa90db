"""The adapter of every EVM system: evidence by RecordChains.sol, orders by Orders.sol, the rest by a table.

Pure translation, by the shipped ABIs. A system is a `System`: its contracts by role, its service numbers,
its own events and what it wants to be told. It refuses settings in which a contract or the site's id in it
is missing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.analytics.figures import Performance
from gateway.chain.platforms import market, packed
from gateway.chain.platforms.artifacts import calldata, event
from gateway.chain.platforms.calls import (
    Call,
    Facts,
    Heard,
    Nameplate,
    Owner,
    OwnerCall,
    Report,
)
from gateway.chain.platforms.carrier import Calls, Carrier, bound_elsewhere
from gateway.chain.shapes import Block, Log
from gateway.errors import ConfigError
from gateway.evidence import body as bodies
from gateway.evidence.address import address_of, checksum
from gateway.evidence.typed import keccak, site_hash
from gateway.model import Interval, Record, ServiceKind

# About twice the dearest measured (61k, 86k, 61k, 44k, 75k); an owner may be a contract that is paid dearer.
GAS: Mapping[str, int] = {
    "interval": 130_000,
    "delivery": 200_000,
    "gap": 130_000,
    "setup": 140_000,
    "rotation": 400_000,
    "revocation": 150_000,
    "validate": 100_000,
    "settle": 200_000,
}


@dataclass(frozen=True, slots=True)
class Role:
    """A contract of a system: the shipped artifact, and whether a site can do without it."""

    artifact: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Asset:
    """A site in its system's contracts: their addresses by role, its id there and its pool's; whether it
    leaves the pool."""

    contracts: Mapping[str, str]
    id: int
    pool: int = 0
    leave: bool = False

    def call(self, role: str, system: "System", method: str, *arguments: object, gas: int) -> Call:
        return Call(self.contracts[role], calldata(system.roles[role].artifact, method, *arguments), gas)


@dataclass(frozen=True, slots=True)
class Event:
    """An event of one contract that says something to sites; topic `place` (1 to 3) holds whom it is for:
    an asset's id, or a pool's."""

    role: str
    name: str
    place: int
    topics: int  # how many it has
    read: Callable[[Log, Block], Heard]
    of: Callable[[Asset], int] = lambda asset: asset.id


def _no_reports(asset: Asset, facts: Facts) -> Sequence[Report]:
    del asset, facts
    return ()


def _no_figures(asset: Asset, interval: Interval, figures: Performance | None) -> Calls:
    del asset, interval, figures
    return ()


@dataclass(frozen=True, slots=True)
class System:
    """One contract system.

    `asset`: what it calls a site's id, in words ("storage"). `steps`: the calls that follow a delivery,
    (name, method) in the contract that ordered it. `reports`: what it wants to know; `figures`: the calls
    that follow an interval, each with a name unique for it, in order.
    """

    name: str
    asset: str
    roles: Mapping[str, Role]
    evidence: str  # the role that takes records
    orders: Sequence[str]  # the roles that order and pay, the one that may stop first
    services: Mapping[int, ServiceKind]
    register: tuple[
        str, Callable[[Nameplate], Sequence[object]]
    ]  # method of the evidence contract, arguments
    steps: Sequence[tuple[str, str]] = (("validate", "validateDelivery"), ("settle", "settle"))
    events: Sequence[Event] = ()
    reports: Callable[[Asset, Facts], Sequence[Report]] = _no_reports
    figures: Callable[[Asset, Interval, Performance | None], Calls] = _no_figures


class EvmPlatform(Carrier):
    """See gateway.chain.platforms.Platform."""

    def __init__(self, system: System, asset: Asset) -> None:
        _check(system, asset)
        contracts = {role: address.lower() for role, address in asset.contracts.items()}
        self.name = system.name
        self._system = system
        self._asset = replace(asset, contracts=contracts)
        self.evidence_contract = contracts[system.evidence]
        orders = [Event(role, "ServiceOrdered", 3, 4, self._read_order(role)) for role in system.orders]
        stop = Event(system.orders[0], "EmergencyStop", 1, 3, market.read_stop)
        self._events = {
            (contracts[e.role], self._topic(e)): e
            for e in (*orders, stop, *system.events)
            if e.role in contracts
        }
        self.watched: Sequence[str] = tuple(dict.fromkeys(address for address, _ in self._events))
        self.topics: Sequence[str] = tuple(dict.fromkeys("0x" + topic.hex() for _, topic in self._events))
        self.stop_topics: Sequence[str] = ("0x" + self._topic(stop).hex(),)

    def _topic(self, e: Event) -> bytes:
        return keccak(event(self._system.roles[e.role].artifact, e.name).encode())

    def _read_order(self, role: str) -> Callable[[Log, Block], Heard]:
        return lambda log, block: market.read_order(log, role, self._system.services)

    # ---- out --------------------------------------------------------------------------------------------

    def record_call(self, record: Record) -> Call:
        method, arguments = packed.submission(record, self.evidence_contract)
        return self._call(self._system.evidence, method, *arguments, gas=GAS[record.kind])

    def _after_interval(self, record: Record, figures: Performance | None) -> Calls:
        interval = bodies.read(record.kind, record.body).body
        assert isinstance(interval, Interval)
        return tuple(
            (f"{name}/{record.sequence}", call)
            for name, call in self._system.figures(self._asset, interval, figures)
        )

    def _after_delivery(self, command: str, reference: str) -> Calls:
        role, key = reference.split("/")
        return tuple(
            (f"{step}/{command}", self._call(role, method, int(key), gas=GAS[step]))
            for step, method in self._system.steps
        )

    def reports(self, facts: Facts) -> Sequence[Report]:
        return self._system.reports(self._asset, facts)

    def owner(self, text: str) -> Owner:
        address = checksum(text)
        return Owner(address, address)

    def registration(self, plate: Nameplate) -> OwnerCall:
        method, arguments = self._system.register
        return _by_owner(self._call(self._system.evidence, method, *arguments(plate), gas=0))

    def binding(self, public_key: bytes, site: str, possession: bytes) -> OwnerCall:
        arguments = self._asset.id, address_of(public_key), site_hash(site), possession
        return _by_owner(self._call(self._system.evidence, "setGatewayKey", *arguments, gas=0))

    def account(self, public_key: bytes) -> str:
        return address_of(public_key)

    def last_sequence_call(self, address: str) -> Call:
        return self._call(self._system.evidence, "lastSequence", address, gas=0)

    def key_call(self) -> Call:
        return self._call(self._system.evidence, "gatewayOf", self._asset.id, gas=0)

    def predecessor_call(self, address: str) -> Call:
        return self._call(self._system.evidence, "predecessorOf", address, gas=0)

    def key_problem(self, word: bytes, address: str) -> str:
        return bound_elsewhere(word, address, self._system.asset, self._asset.id, "setGatewayKey")

    def _call(self, role: str, method: str, *arguments: object, gas: int) -> Call:
        return self._asset.call(role, self._system, method, *arguments, gas=gas)

    # ---- in ---------------------------------------------------------------------------------------------

    def read_event(self, log: Log, block: Block) -> Heard:
        found = self._events.get((log.address, log.topics[0])) if log.topics else None
        if found is None or len(log.topics) != found.topics:
            return None
        if int.from_bytes(log.topics[found.place], "big") != found.of(self._asset):
            return None
        return found.read(log, block)


def _by_owner(call: Call) -> OwnerCall:
    contract = checksum(call.contract)
    return OwnerCall(contract, {"to": contract, "data": "0x" + call.data.hex()})


def _check(system: System, asset: Asset) -> None:
    needed = [role for role, contract in system.roles.items() if not contract.optional]
    missing = [role for role in needed if role not in asset.contracts]
    unknown = [role for role in asset.contracts if role not in system.roles]
    if missing or unknown:
        raise ConfigError(
            f"chain.contracts: platform {system.name} needs {', '.join(needed)}"
            f" ({'missing' if missing else 'unknown'}: {', '.join(missing or unknown)})"
        )
    if asset.id < 1:
        raise ConfigError(
            f"chain.{system.asset}: the site's id in {system.roles[system.evidence].artifact} is needed;"
            " ids begin at 1"
        )
