"""EIP-712 digests of the record types: interval, delivery, gap, setup, rotation, revocation.

Pure. The hot path packs a struct with one `struct.pack` and hashes it twice; it refuses nothing but values
outside their Solidity type, because what may be signed is decided before. docs/attestation.md is normative
and this file must agree with it byte for byte.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property, lru_cache

import sha3

from gateway.errors import ConfigError
from gateway.model import Cause, CommandState, Delivery, Interval

INTERVAL_TYPE = (
    "Interval(bytes32 site,uint64 sequence,bytes32 previous,uint64 start,uint64 end,uint32 count,"
    "bytes32 merkleRoot,uint64 charged,uint64 discharged,uint64 imported,uint64 exported,uint64 produced,"
    "uint64 consumed,uint16 soc,uint16 soh,uint32 available,uint32 frequency,uint32 voltage,uint8 clock,"
    "uint16 flags)"
)
DELIVERY_TYPE = (
    "Delivery(bytes32 site,uint64 sequence,bytes32 previous,bytes32 command,uint64 start,uint64 end,"
    "int64 requested,int64 delivered,int32 powerMin,int32 powerMax,int32 powerMean,uint32 response,"
    "uint32 error,uint16 available,uint32 curtailed,bytes32 curtailments,uint32 causes,uint8 outcome,"
    "uint32 count,bytes32 merkleRoot)"
)
GAP_TYPE = (
    "Gap(bytes32 site,uint64 sequence,bytes32 previous,uint64 start,uint64 end,uint64 lost,uint8 cause)"
)
SETUP_TYPE = (
    "Setup(bytes32 site,uint64 sequence,bytes32 previous,uint64 at,bytes32 configuration,bytes32 profiles,"
    "string software)"
)
ROTATION_TYPE = (
    "Rotation(bytes32 site,uint64 sequence,bytes32 previous,uint64 at,address next,uint64 asset,"
    "bytes possession)"
)
REVOCATION_TYPE = "Revocation(bytes32 site,uint64 sequence,bytes32 previous,uint64 at,uint8 reason)"
DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
GENESIS = bytes(32)  # `previous` of the first record of a key


def keccak(data: bytes) -> bytes:
    return bytes(sha3.keccak_256(data).digest())


class GapCause(IntEnum):
    """Why records or readings are missing: `Gap.cause`."""

    STORE_LOST = 1  # the database was set aside, a new one begun
    RESTORED = 2  # restored from a backup: the sequence skips past what was signed before
    READINGS_DROPPED = 3  # the store was full: the oldest unsettled readings went
    NOT_ENCODABLE = 4  # a record before cannot be carried by the contract and is skipped there


@dataclass(frozen=True, slots=True)
class Gap:
    """What is missing: the time it covers (Unix ms), how many readings are lost (0: not known), and why."""

    start_ms: int
    end_ms: int
    lost: int
    cause: GapCause


@dataclass(frozen=True, slots=True)
class Setup:
    """Under what the records of times from `at_ms` on are made (gateway.evidence.setup)."""

    at_ms: int
    configuration: bytes
    profiles: bytes
    software: str


@dataclass(frozen=True, slots=True)
class Rotation:
    """The last record of a key: `next` (0x…, lower case) goes on, and proves with its `possession` (65 bytes,
    gateway.evidence.possession) that it is somebody's who agrees."""

    at_ms: int
    next: str
    asset: int
    possession: bytes


class RevocationReason(IntEnum):
    """Why a key signs nothing more: `Revocation.reason`."""

    RETIRED = 1  # the site ends
    COMPROMISED = 2  # others may have it


@dataclass(frozen=True, slots=True)
class Revocation:
    """The last record of a key, and no other key goes on."""

    at_ms: int
    reason: RevocationReason


Body = Interval | Delivery | Gap | Setup | Rotation | Revocation
KINDS: Mapping[str, type[Body]] = {
    "interval": Interval,
    "delivery": Delivery,
    "gap": Gap,
    "setup": Setup,
    "rotation": Rotation,
    "revocation": Revocation,
}

# The number of a delivery's outcome on the wire; states that are not an end are never attested.
OUTCOMES: Mapping[CommandState, int] = {
    CommandState.REFUSED: 1,
    CommandState.DONE: 2,
    CommandState.CUT_SHORT: 3,
}
CAUSES: tuple[Cause, ...] = tuple(Cause)  # bit i of `causes` is CAUSES[i]


@dataclass(frozen=True)
class Domain:
    """Where records count: one contract (0x… address) on one chain. Zero for a site without a chain."""

    chain_id: int
    contract: str

    @cached_property
    def separator(self) -> bytes:
        address = bytes.fromhex(self.contract.removeprefix("0x"))
        if len(address) != 20:
            raise ConfigError(f"{self.contract} is not a contract address: 0x and 40 hex digits are needed")
        return keccak(
            keccak(DOMAIN_TYPE.encode())
            + keccak(b"Gridseal")
            + keccak(b"1")
            + self.chain_id.to_bytes(32, "big")
            + bytes(12)
            + address
        )


NO_CHAIN = Domain(0, "0x" + "00" * 20)


@lru_cache(maxsize=64)
def site_hash(site: str) -> bytes:
    """The `site` field: keccak256 of the site id's UTF-8."""
    return keccak(site.encode())


_INTERVAL = struct.Struct(">32s32s24xQ32s24xQ24xQ28xI32s24xQ24xQ24xQ24xQ24xQ24xQ30xH30xH28xI28xI28xI31xB30xH")
_DELIVERY = struct.Struct(">32s32s24xQ32s32s24xQ24xQ32s32s32s32s32s28xI28xI30xH28xI32s28xI31xB28xI32s")
_GAP = struct.Struct(">32s32s24xQ32s24xQ24xQ24xQ31xB")
_SETUP = struct.Struct(">32s32s24xQ32s24xQ32s32s32s")
_ROTATION = struct.Struct(">32s32s24xQ32s24xQ12x20s24xQ32s")
_REVOCATION = struct.Struct(">32s32s24xQ32s24xQ31xB")
_CURTAILMENT = struct.Struct(">BI")
_INTERVAL_HASH = keccak(INTERVAL_TYPE.encode())
_DELIVERY_HASH = keccak(DELIVERY_TYPE.encode())
_GAP_HASH = keccak(GAP_TYPE.encode())
_SETUP_HASH = keccak(SETUP_TYPE.encode())
_ROTATION_HASH = keccak(ROTATION_TYPE.encode())
_REVOCATION_HASH = keccak(REVOCATION_TYPE.encode())


def _signed(value: int, bits: int) -> bytes:
    if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
        raise struct.error(f"{value} does not fit int{bits}")
    return value.to_bytes(32, "big", signed=True)


def cause_bits(causes: tuple[Cause, ...]) -> int:
    return sum(1 << CAUSES.index(cause) for cause in set(causes))


def curtailments_hash(curtailments: tuple[tuple[Cause, int], ...]) -> bytes:
    """Each cause's number and its ms, in order; of none it is the hash of nothing."""
    return keccak(b"".join(_CURTAILMENT.pack(CAUSES.index(cause), ms) for cause, ms in curtailments))


def _pack_interval(site: bytes, sequence: int, previous: bytes, i: Interval) -> bytes:
    return _INTERVAL.pack(
        _INTERVAL_HASH, site, sequence, previous, i.start_ms, i.end_ms, i.count, i.merkle_root,
        i.charged_wh, i.discharged_wh, i.imported_wh, i.exported_wh, i.produced_wh, i.consumed_wh,
        i.soc_bp, i.soh_bp, i.available_wh, i.frequency_mhz, i.voltage_mv, i.clock, i.flags,
    )  # fmt: skip


def _pack_delivery(site: bytes, sequence: int, previous: bytes, d: Delivery) -> bytes:
    return _DELIVERY.pack(
        _DELIVERY_HASH, site, sequence, previous, command_bytes(d.command_id), d.start_ms, d.end_ms,
        _signed(d.requested_wh, 64), _signed(d.delivered_wh, 64), _signed(d.power_min_w, 32),
        _signed(d.power_max_w, 32), _signed(d.power_mean_w, 32), d.response_ms, d.error_mean_w,
        d.available_bp, d.curtailed_ms, curtailments_hash(d.curtailments), cause_bits(d.causes),
        OUTCOMES[d.outcome], d.count, d.merkle_root,
    )  # fmt: skip


def _pack_gap(site: bytes, sequence: int, previous: bytes, g: Gap) -> bytes:
    return _GAP.pack(_GAP_HASH, site, sequence, previous, g.start_ms, g.end_ms, g.lost, g.cause)


def _pack_setup(site: bytes, sequence: int, previous: bytes, s: Setup) -> bytes:
    return _SETUP.pack(
        _SETUP_HASH,
        site,
        sequence,
        previous,
        s.at_ms,
        s.configuration,
        s.profiles,
        keccak(s.software.encode()),
    )


def _pack_rotation(site: bytes, sequence: int, previous: bytes, r: Rotation) -> bytes:
    return _ROTATION.pack(
        _ROTATION_HASH,
        site,
        sequence,
        previous,
        r.at_ms,
        address_bytes(r.next),
        r.asset,
        keccak(r.possession),
    )


def _pack_revocation(site: bytes, sequence: int, previous: bytes, r: Revocation) -> bytes:
    return _REVOCATION.pack(_REVOCATION_HASH, site, sequence, previous, r.at_ms, r.reason)


_PACK: Mapping[type[Body], Callable[..., bytes]] = {
    Interval: _pack_interval,
    Delivery: _pack_delivery,
    Gap: _pack_gap,
    Setup: _pack_setup,
    Rotation: _pack_rotation,
    Revocation: _pack_revocation,
}


def address_bytes(address: str) -> bytes:
    """The 20 bytes of 0x and 40 hex digits; ConfigError otherwise."""
    try:
        raw = bytes.fromhex(address.removeprefix("0x"))
    except ValueError:
        raw = b""
    if len(raw) != 20:
        raise ConfigError(f"{address} is not an address: 0x and 40 hex digits are needed")
    return raw


def command_bytes(command_id: str) -> bytes:
    """A command id (32 bytes in hex, with or without 0x) as bytes; ValueError otherwise."""
    raw = bytes.fromhex(command_id.removeprefix("0x"))
    if len(raw) != 32:
        raise ValueError(f"command id {command_id!r} is not 32 bytes of hex")
    return raw


def digest(domain: Domain, site: str, sequence: int, previous: bytes, body: Body) -> bytes:
    """The EIP-712 digest (32 bytes) that is signed. struct.error when a value does not fit its type."""
    packed = _packed(site, sequence, previous, body)
    return keccak(b"\x19\x01" + domain.separator + keccak(packed))


def words(site: str, sequence: int, previous: bytes, body: Body) -> bytes:
    """The struct's fields as 32-byte words, in order: its ABI encoding, and what `hashStruct` hashes behind
    the type hash. struct.error as `digest`."""
    return _packed(site, sequence, previous, body)[32:]


def _packed(site: str, sequence: int, previous: bytes, body: Body) -> bytes:
    if len(previous) != 32:
        raise struct.error(f"previous has {len(previous)} bytes, not 32")
    return _PACK[type(body)](site_hash(site), sequence, previous, body)
