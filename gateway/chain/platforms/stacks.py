"""Platform `stacks`: Clarity contracts on Stacks. record-chain holds the evidence, grid-services and
charge-discharge order, capacity-tracking is kept told.

Pure translation: calls are contract-call payloads, answers are Clarity values. It refuses settings without a
needed contract, and answers that are not of the contracts' shape.
"""

from collections.abc import Mapping, Sequence

import coincurve

from gateway import services
from gateway.analytics.figures import Performance
from gateway.chain.platforms.calls import (
    Call,
    Facts,
    Nameplate,
    NotEncodable,
    Order,
    Owner,
    OwnerCall,
    Report,
    Unusable,
)
from gateway.chain.platforms.carrier import Calls, Carrier, bound_elsewhere
from gateway.chain.stacks.address import of_key, version_of
from gateway.chain.stacks.codec import Int, Some, UInt, Utf8, Value, encode
from gateway.chain.stacks.transaction import Invocation, payload, size
from gateway.errors import ChainError, ConfigError
from gateway.evidence import body as bodies
from gateway.evidence import possession
from gateway.evidence.records import recover
from gateway.evidence.typed import KINDS, Rotation, address_bytes, keccak, site_hash, words
from gateway.model import INT64_MAX, INT64_MIN, Command, Record, ServiceKind, Source
from gateway.principal import Principal, parse
from gateway.site import ChainSettings

# Role of a contract -> the functions that the gateway, or the owner by what it prints, calls there.
FUNCTIONS: Mapping[str, frozenset[str]] = {
    "facility": frozenset({"register-facility", "is-approved"}),
    "records": frozenset({
        "submit-record", "submit-rotation", "check-record", "check-rotation", "last-sequence", "gateway-of",
        "predecessor-of", "set-gateway-key",
    }),
    "capacity": frozenset({"initialize-capacity", "update-capacity"}),
    "actions": frozenset({"record-action", "get-suggested-action"}),
    "services": frozenset({"fulfill-request", "check-fulfilment", "request-of"}),
}  # fmt: skip
ROLES = tuple(FUNCTIONS)
NUMBERS = {kind: number for number, kind in enumerate(KINDS, 1)}  # of kinds of records, as the contract's
# `service` of grid-services.clar -> the law that carries it out; its values are the law's parameters.
KINDS_OF_SERVICE: Mapping[int, ServiceKind] = {
    0: ServiceKind.FREQUENCY,
    1: ServiceKind.PEAK_SHAVING,
    2: ServiceKind.FIXED_POWER,
    3: ServiceKind.VOLTAGE,
    4: ServiceKind.RESERVE,
}
REQUESTED = 1  # state of a request that nobody has fulfilled
CAPACITY_STEP_BP, AVAILABLE_STEP_BP = 100, 500  # of the capacity: less is not worth a transaction
DAY_S = 86_400
END_MAX_S = 2**40
LOCATION_MAX = 100
SHOWN_MAX = 100  # of what a contract said: a reason stays one line
# What the contract is asked before a call is paid for: the read-only function that says what it would say.
TRIALS = {
    "submit-record": "check-record",
    "submit-rotation": "check-rotation",
    "fulfill-request": "check-fulfilment",
}


def verifying_contract(contract: Principal) -> str:
    """What stands for a contract in the domain of records: an address made of its principal."""
    return "0x" + keccak(encode(contract))[12:].hex()


class StacksPlatform(Carrier):
    """See gateway.chain.platforms.Platform."""

    name = "stacks"

    def __init__(self, settings: ChainSettings) -> None:
        missing = [role for role in ROLES if role not in settings.contracts]
        if missing or settings.asset_id < 1:
            raise ConfigError(
                f"chain: platform stacks needs the contracts {', '.join(ROLES)} and facility: 1 or above"
            )
        self._contracts = {
            role: _contract(role, settings.contracts[role], settings.chain_id) for role in ROLES
        }
        self._facility = settings.asset_id
        self._chain_id = settings.chain_id
        self.evidence_contract = verifying_contract(self._contracts["records"])

    @property
    def uses(self) -> Mapping[str, tuple[Principal, frozenset[str]]]:
        """By role: its contract, and the functions it has to have."""
        return {role: (self._contracts[role], functions) for role, functions in FUNCTIONS.items()}

    @property
    def facility(self) -> str:
        """The facility and the contract that orders from it, in words: whose requests are counted."""
        return f"{self._contracts['services']}/{self._facility}"

    @property
    def reader(self) -> str:
        """An address that asks: contracts are read in somebody's name, and whose makes no difference."""
        records = self._contracts["records"]
        return str(Principal(records.version, records.hash))

    # ---- out --------------------------------------------------------------------------------------------

    def trial(self, call: Invocation) -> Invocation | None:
        """What to ask before sending a call; None when nothing can be asked."""
        if call.contract == self._contracts["capacity"]:
            return Invocation(self._contracts["facility"], "is-approved", call.arguments[:1])
        checks = TRIALS.get(call.function)
        return Invocation(call.contract, checks, call.arguments) if checks else None

    def record_call(self, record: Record) -> Call:
        said = bodies.read(record.kind, record.body)
        if said.domain.contract != self.evidence_contract:
            raise NotEncodable(f"it is for the contract {said.domain.contract}")
        struct = words(said.site, record.sequence, record.previous, said.body)
        if not isinstance(said.body, Rotation):
            return self._call(
                "records", "submit-record", UInt(NUMBERS[record.kind]), struct, record.signature
            )
        binder = recover(record.digest, record.signature)
        consent = possession.digest(said.domain, binder, said.body.asset, said.site)
        key = _key(consent, said.body.possession)
        return self._call("records", "submit-rotation", struct, record.signature, key, said.body.possession)

    def _after_interval(self, record: Record, figures: Performance | None) -> Calls:
        del figures
        call = self._call("actions", "record-action", UInt(self._facility), UInt(record.sequence))
        return ((f"action/{record.sequence}", call),)

    def _after_delivery(self, command: str, reference: str) -> Calls:
        return ((f"fulfil/{command}", self._call("services", "fulfill-request", UInt(int(reference)))),)

    def reports(self, facts: Facts) -> Sequence[Report]:
        if not facts.capacity_wh:
            return ()
        total_wh = _step(facts.capacity_wh, facts.capacity_wh, CAPACITY_STEP_BP)
        facility = UInt(self._facility)
        call = self._call("capacity", "initialize-capacity", facility, UInt(total_wh))
        found = [Report("capacity", str(total_wh), call, DAY_S)]
        if facts.available_wh is not None:
            wh = min(_step(facts.available_wh, facts.capacity_wh, AVAILABLE_STEP_BP), total_wh)
            call = self._call("capacity", "update-capacity", facility, UInt(wh))
            found.append(Report("available", str(wh), call))
        return found

    def owner(self, text: str) -> Owner:
        try:
            found = parse(text)
        except ValueError as error:
            raise ConfigError(f"--owner: {error}") from None
        if found.contract or found.network != _network(self._chain_id):
            raise ConfigError(f"--owner: {text} is no account on the network that chain.network names")
        return Owner(str(found), "0x" + found.hash.hex())

    def registration(self, plate: Nameplate) -> OwnerCall:
        if not plate.capacity_wh:
            raise ConfigError("a facility is registered by its capacity: give --capacity")
        if len(plate.location) > LOCATION_MAX:
            raise ConfigError(f"the contract has room for {LOCATION_MAX} letters of the location")
        return self._by_owner(
            "facility",
            "register-facility",
            UInt(plate.capacity_wh),
            UInt(plate.power_w),
            Utf8(plate.location),
        )

    def binding(self, public_key: bytes, site: str, possession: bytes) -> OwnerCall:
        facility = UInt(self._facility)
        return self._by_owner(
            "records", "set-gateway-key", facility, public_key[1:], site_hash(site), possession
        )

    def account(self, public_key: bytes) -> str:
        return str(of_key(public_key, version_of(self._chain_id)))

    def last_sequence_call(self, address: str) -> Call:
        return self._call("records", "last-sequence", address_bytes(address))

    def key_call(self) -> Call:
        return self._call("records", "gateway-of", UInt(self._facility))

    def predecessor_call(self, address: str) -> Call:
        return self._call("records", "predecessor-of", address_bytes(address))

    def key_problem(self, word: bytes, address: str) -> str:
        return bound_elsewhere(word, address, "facility", self._facility, "set-gateway-key")

    def _by_owner(self, role: str, function: str, *arguments: Value) -> OwnerCall:
        """In the words of a wallet's contract-call (SIP-030)."""
        contract = str(self._contracts[role])
        given = ["0x" + encode(argument).hex() for argument in arguments]
        return OwnerCall(contract, {"contract": contract, "functionName": function, "functionArgs": given})

    def _call(self, role: str, function: str, *arguments: Value) -> Call:
        contract = self._contracts[role]
        data = payload(Invocation(contract, function, arguments))
        return Call(str(contract), data, size(data))

    # ---- in ---------------------------------------------------------------------------------------------

    def request(self, place: int) -> Invocation:
        """Asks for the `place`th request to this facility, from 1 on."""
        return Invocation(self._contracts["services"], "request-of", [UInt(self._facility), UInt(place)])

    def request_id(self, said: Value) -> str:
        """Which request `request` answered with, whatever became of it; empty for none."""
        return "" if said is None else _command(_fields(said, "request-of"), "a request")

    def read_request(self, said: Value) -> Order | Unusable | None:
        """What `request` answered, an optional with something in it: None when it is done with."""
        fields = _fields(said, "request-of")
        if _uint(fields, "facility") != self._facility:
            raise ChainError("request-of gave a request to another facility")
        if _uint(fields, "state") != REQUESTED:
            return None
        number = _uint(fields, "request")
        origin = f"contract {self._contracts['services']}/request {number}"
        kind = KINDS_OF_SERVICE.get(_uint(fields, "service"))
        if kind is None:
            return Unusable(f"{origin}: service {_uint(fields, 'service')} is not carried out here")
        values = _values(fields)
        parameters = services.named(kind, values)
        if parameters is None or any(not INT64_MIN <= v <= INT64_MAX for v in values):
            names = ", ".join(services.LAWS[kind].parameters)
            return Unusable(f"{origin}: {kind} takes the numbers {names}, not {repr(values)[:SHOWN_MAX]}")
        if kind is ServiceKind.FREQUENCY and not parameters["target_mhz"]:
            parameters = {**parameters, "target_mhz": _uint(fields, "target-mhz")}
        return self._order(fields, kind, parameters, origin, str(number))

    @property
    def suggestion(self) -> Invocation:
        """Asks what this facility should do about the grid's demand."""
        return Invocation(self._contracts["actions"], "get-suggested-action", [UInt(self._facility)])

    def read_suggestion(self, said: Value) -> Order | Unusable:
        """What `suggestion` answered, an optional with something in it."""
        fields, origin = _fields(said, "get-suggested-action"), f"demand of {self._contracts['actions']}"
        power_w = fields.get("power-w")
        if not isinstance(power_w, Int) or not INT64_MIN <= power_w.value <= INT64_MAX:
            raise ChainError("get-suggested-action gave no power-w")
        return self._order(fields, ServiceKind.FIXED_POWER, {"power_w": power_w.value}, origin, "")

    def _order(
        self,
        fields: Mapping[str, Value],
        kind: ServiceKind,
        parameters: Mapping[str, int],
        origin: str,
        reference: str,
    ) -> Order | Unusable:
        begin_s, end_s, command = _uint(fields, "start"), _uint(fields, "end"), _command(fields, origin)
        if end_s > END_MAX_S:
            return Unusable(f"{origin}: ends in the year {1970 + end_s // 31_556_952}")
        return Order(
            Command(
                command, Source.CHAIN, kind, begin_s * 1000, end_s * 1000, parameters, origin,
                shared=True,
            ),
            reference,
        )  # fmt: skip


def _network(chain_id: int) -> str:
    return Principal(version_of(chain_id), b"").network


def _contract(role: str, text: str, chain_id: int) -> Principal:
    try:
        found = parse(text)
    except ValueError as error:
        raise ConfigError(f"chain.contracts.{role}: {error}") from None
    if not found.contract:
        raise ConfigError(f"chain.contracts.{role}: {text} is an address, not a contract (SP….name)")
    if found.network != _network(chain_id):
        raise ConfigError(f"chain.contracts.{role}: {text} is not on the network that chain.network names")
    return found


def _key(digest: bytes, signature: bytes) -> bytes:
    """X and Y of the key that signed."""
    raw = signature[:64] + bytes((signature[64] - 27,))
    try:
        key = coincurve.PublicKey.from_signature_and_message(raw, digest, hasher=None)
    except ValueError as error:
        raise NotEncodable(f"the next key's possession: {error}") from None
    return key.format(compressed=False)[1:]


def _step(value: int, whole: int, step_bp: int) -> int:
    """`value` on a grid of steps of the whole, rounded down: what is promised must be there."""
    step = max(1, whole * step_bp // 10_000)
    return value // step * step


def _fields(said: Value, function: str) -> Mapping[str, Value]:
    if not isinstance(said, Some) or not isinstance(said.value, dict):
        raise ChainError(f"{function} answered with no tuple")
    return said.value


def _uint(fields: Mapping[str, Value], name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, UInt):
        raise ChainError(f"the contract's answer has no number {name}")
    return value.value


def _command(fields: Mapping[str, Value], origin: str) -> str:
    command = fields.get("command")
    if not isinstance(command, bytes) or len(command) != 32:
        raise ChainError(f"{origin} has no id of 32 bytes")
    return command.hex()


def _values(fields: Mapping[str, Value]) -> list[int]:
    values = fields.get("values")
    if not isinstance(values, list) or not all(isinstance(v, Int) for v in values):
        raise ChainError("the contract's answer has no list of values")
    return [v.value for v in values if isinstance(v, Int)]


def adapter(settings: ChainSettings) -> StacksPlatform:
    return StacksPlatform(settings)
