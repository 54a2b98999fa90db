"""A storage with a gateway on the in-process chain: what the contract tests and the gas table play with.

Signs with throw-away keys. Records go out through the gateway's own adapter, so that what is measured and
tested is what the daemon sends.
"""

from collections.abc import Sequence
from dataclasses import replace

from contracts.inprocess import Local, Receipt
from eth_abi.abi import encode

from gateway.chain.platforms import packed
from gateway.chain.platforms.evm import Asset, EvmPlatform
from gateway.chain.platforms.storage import SYSTEM
from gateway.evidence import body as bodies
from gateway.evidence import merkle, possession, records
from gateway.evidence.signer import KeySigner
from gateway.evidence.typed import GENESIS, Body, Domain, Gap, GapCause, Rotation, site_hash
from gateway.model import Cause, ClockTrust, CommandState, Delivery, Interval, Record

SITE = "meadow-lane-7"
SPECS = (10**19, 5 * 10**18, 95, "Meadow Lane 7", "LITHIUM_ION")
START_MS = 1_790_000_000_000
EVERY_MS = 900_000
READINGS = [("inverter/battery_power_w", START_MS + 1000 * i, -3000 + i, 0) for i in range(60)] + [
    ("bms/battery_soc_bp", START_MS + 1000 * i, 0, 3) for i in range(7)
]
LEAVES = [merkle.leaf(*reading) for reading in READINGS]
TREE = merkle.tree(LEAVES)

INTERVAL = Interval(
    START_MS, START_MS + EVERY_MS, len(LEAVES), TREE[0], 1250, 40, 913, 7, 2210, 1866, 5540, 9875, 5535,
    50_012, 231_400, ClockTrust.TRUSTED, 8,
)  # fmt: skip
# Every packed field at its largest, so that no byte of calldata is the cheaper zero where it need not be.
FULLEST = Interval(
    2**42 - 2**31, 2**42 - 2, 2**32 - 1, b"\xfe" * 32, *([2**28 - 1] * 6), 2**14 - 1, 2**14 - 1, 2**30 - 1,
    2**18 - 1, 2**22 - 1, ClockTrust.BACKDATED, 255,
)  # fmt: skip
RING = 128


class Scene:
    """One storage (id 1) of `owner`, a bound gateway key, an operator; nothing submitted yet."""

    def __init__(self) -> None:
        self.chain = Local()
        self.admin, self.owner, self.operator, self.stranger = self.chain.accounts[:4]
        self.verification, self.deploy_gas = self.chain.deploy("StorageVerification", self.admin, RING)
        self.services, self.services_gas = self.chain.deploy(
            "GridServices", self.admin, self.verification.address
        )
        self.services.send("grantRole", self.services.call("OPERATOR_ROLE"), self.operator)
        self.verification.send("registerStorage", self.owner, SPECS, sender=self.owner)
        self.domain = Domain(self.chain.chain_id, self.verification.address)
        self.adapter = EvmPlatform(
            SYSTEM, Asset({"verification": self.verification.address, "services": self.services.address}, 1)
        )
        self.bind(KeySigner(b"\x01" * 32))

    def bind(self, key: KeySigner) -> Receipt:
        """Give the storage this gateway key; its chain begins at 1."""
        agreed = self.consent(key, self.owner)
        receipt = self.verification.send(
            "setGatewayKey", 1, key.address, site_hash(SITE), agreed, sender=self.owner
        )
        self.key, self.sequence, self.previous = key, 0, GENESIS
        return receipt

    def consent(self, key: KeySigner, binder: str, asset: int = 1) -> bytes:
        """A key's own possession proof for whoever binds it."""
        return key.sign(possession.digest(self.domain, binder, asset, SITE))

    def rotation(self, to: KeySigner) -> Rotation:
        return Rotation(START_MS, to.address.lower(), 1, self.consent(to, self.key.address))

    def sealed(self, body: Body, *, sequence: int = 0, previous: bytes | None = None) -> Record:
        """The next record (or one of another place), signed."""
        previous = self.previous if previous is None else previous
        made = records.seal(self.domain, SITE, sequence or self.sequence + 1, previous, body)
        return records.signed(made, self.key.sign(made.digest))

    def post(self, record: Record) -> Receipt:
        """Submit by an account that has nothing to do with the storage, and follow the chain."""
        data = self.adapter.record_call(record).data
        receipt = self.chain.send(self.verification.address, data, sender=self.stranger)
        self.sequence, self.previous = record.sequence, record.digest
        return receipt

    def submit(self, body: Body) -> Receipt:
        return self.post(self.sealed(body))

    def verify_installation(self) -> None:
        self.verification.send("verifyInstallation", 1)

    def order(
        self,
        *,
        energy_wh: int,
        value: int,
        service: int = 2,
        seconds: int = 900,
        values: Sequence[int] = (3000,),
    ) -> bytes:
        """Register a service, order it from now on; its command id. (service 2: load shifting)"""
        self.service = self.services.call("serviceCount") + 1
        self.services.send("registerServiceFor", 1, service, 5 * 10**18, sender=self.owner)
        return self.order_again(energy_wh=energy_wh, value=value, seconds=seconds, values=values)

    def order_again(
        self, *, energy_wh: int, value: int, seconds: int = 900, values: Sequence[int] = (3000,)
    ) -> bytes:
        self.not_before = self.chain.now_s
        self.not_after = self.not_before + seconds
        parameters = encode(
            ["uint64", "uint64", "int64", "int256[]"], [self.not_before, self.not_after, energy_wh, values]
        )
        receipt = self.services.send(
            "executeService", self.service, parameters, sender=self.operator, value=value
        )
        return self.services.events(receipt)[0][1]["commandId"]

    def delivery(self, command: bytes, delivered_wh: int, **changes: object) -> Delivery:
        body = Delivery(
            command.hex(), self.not_before * 1000, self.not_after * 1000, 750, delivered_wh, -10, 3010, 2980,
            1500, 12, 10_000, 2000, ((Cause.RAMP, 2000),), CommandState.DONE, TREE[0], len(LEAVES),
        )  # fmt: skip
        return replace(body, **changes)


def proof_of(record: Record, interval: Interval, index: int) -> tuple[object, ...]:
    """Arguments of isReading and proveReading after the gateway's address, for READINGS[index]."""
    words = interval_words(record, interval)
    return (words, *READINGS[index], merkle.proof(TREE, LEAVES[index]))


def interval_words(record: Record, interval: Interval) -> list[bytes]:
    """(site, previous, merkleRoot, status, figures), as submitted: the call's own words."""
    contract = bodies.read(record.kind, record.body).domain.contract
    _, arguments = packed.submission(record, contract)
    words = [w if isinstance(w, bytes) else w.to_bytes(32, "big") for w in arguments[:5]]
    assert words[2] == interval.merkle_root
    return words


def gap(cause: GapCause = GapCause.RESTORED) -> Gap:
    return Gap(START_MS, START_MS + EVERY_MS, 12, cause)
