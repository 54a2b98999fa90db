"""Signed records as calls of RecordChains.sol, in the packed words of Records.sol.

Pure. Every EVM system of ours keeps its evidence in such a contract. NotEncodable for a figure that has no
room in the contract's words: nothing is cut to fit.
"""

from collections.abc import Sequence

from gateway.chain.platforms.calls import NotEncodable
from gateway.evidence import body as bodies
from gateway.evidence.typed import (
    OUTCOMES,
    Gap,
    Revocation,
    Rotation,
    Setup,
    cause_bits,
    command_bytes,
    curtailments_hash,
    keccak,
    site_hash,
)
from gateway.model import Delivery, Interval, Record

# (field, lowest bit, width) of the packed words of Records.sol.
_STATUS = (
    ("soc_bp", 167, 14), ("soh_bp", 153, 14), ("available_wh", 123, 30), ("clock", 121, 2), ("flags", 113, 8),
    ("imported_wh", 85, 28), ("exported_wh", 57, 28), ("produced_wh", 29, 28), ("consumed_wh", 1, 28),
)  # fmt: skip
_FIGURES = (
    ("count", 96, 32), ("charged_wh", 68, 28), ("discharged_wh", 40, 28), ("frequency_mhz", 22, 18),
    ("voltage_mv", 0, 22),
)  # fmt: skip


def submission(record: Record, contract: str) -> tuple[str, tuple[object, ...]]:
    """Method and arguments that carry a signed record to its evidence contract. NotEncodable when its words
    have no room for it, or when it is for another contract."""
    said = bodies.read(record.kind, record.body)
    if said.domain.contract != contract:
        raise NotEncodable(f"it is for the contract {said.domain.contract}")
    site = site_hash(said.site)
    match said.body:
        case Interval():
            return "submitInterval", _interval(record, site, said.body)
        case Delivery():
            return "submitDelivery", _delivery(record, site, said.body)
        case Gap():
            return "submitGap", _gap(record, site, said.body)
        case Setup() as s:
            fields = (s.at_ms, s.configuration, s.profiles, keccak(s.software.encode()))
            return "submitSetup", _plain(record, site, *fields)
        case Rotation() as r:
            return "submitRotation", _plain(record, site, r.at_ms, r.next, r.asset, r.possession)
        case Revocation() as r:
            return "submitRevocation", _plain(record, site, r.at_ms, int(r.reason))


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


def _interval(record: Record, site: bytes, i: Interval) -> tuple[object, ...]:
    status = (
        _fit("sequence", record.sequence, 32) << 223 | _fit("end", i.end_ms, 42) << 181 | _packed(i, _STATUS)
    )
    figures = _fit("duration", i.end_ms - i.start_ms, 32) << 128 | _packed(i, _FIGURES)
    return (site, record.previous, i.merkle_root, status, figures, *_signature(record))


def _delivery(record: Record, site: bytes, d: Delivery) -> tuple[object, ...]:
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
    return (
        site, record.previous, command, d.merkle_root, curtailments, times, amounts, tracking,
        *_signature(record),
    )  # fmt: skip


def _gap(record: Record, site: bytes, g: Gap) -> tuple[object, ...]:
    return _plain(record, site, g.start_ms, g.end_ms, g.lost, int(g.cause))


def _plain(record: Record, site: bytes, *fields: object) -> tuple[object, ...]:
    """A kind that the contract takes field by field."""
    _fit("sequence", record.sequence, 32)
    return (site, record.sequence, record.previous, *fields, *_signature(record))
