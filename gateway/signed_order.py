"""Orders from a distance: a command that its sender signed, whatever carried it.

Pure. MQTT and HTTP are transport, not authority: an order counts because one of the site's listed signers
signed exactly it, for this site, this chain and this contract, with an id that is used once and a time in
which it holds. What is signed is the EIP-712 struct ORDER_TYPE in the records' domain; docs/attestation.md
is normative. It refuses everything else with a reason.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from gateway import services
from gateway.errors import ServiceRefused
from gateway.evidence.records import recover
from gateway.evidence.typed import Domain, command_bytes, keccak, site_hash
from gateway.model import Command, ServiceKind, Source

ORDER_TYPE = (
    "Order(bytes32 site,bytes32 id,string service,uint64 notBefore,uint64 notAfter,"
    "bool shared,int64[] values)"
)  # fmt: skip
_ORDER_HASH = keccak(ORDER_TYPE.encode())
TEXT_MAX = 4096
VALUES_MAX = 32
_FIELDS = frozenset({"site", "id", "service", "not_before", "not_after", "shared", "values", "signature"})
_INT64, _MOMENT = range(-(2**63), 2**63), range(2**63)  # later ones are beyond what a database can hold


def digest(domain: Domain, site: str, command: Command) -> bytes:
    """What the sender of `command` signs; its parameters in their law's own order."""
    values = b"".join(value.to_bytes(32, "big", signed=True) for value in command.parameters.values())
    struct = (
        _ORDER_HASH
        + site_hash(site)
        + command_bytes(command.id)
        + keccak(command.kind.value.encode())
        + command.not_before_ms.to_bytes(32, "big")
        + command.not_after_ms.to_bytes(32, "big")
        + int(command.shared).to_bytes(32, "big")
        + keccak(values)
    )
    return keccak(b"\x19\x01" + domain.separator + keccak(struct))


def write(site: str, command: Command, signature: bytes) -> str:
    """The JSON that carries it."""
    fields = {
        "site": site,
        "id": "0x" + command.id,
        "service": command.kind.value,
        "not_before": command.not_before_ms,
        "not_after": command.not_after_ms,
        "shared": command.shared,
        "values": list(command.parameters.values()),
        "signature": "0x" + signature.hex(),
    }
    return json.dumps(fields, separators=(",", ":"))


def read(text: bytes, domain: Domain, site: str, signers: Collection[str]) -> Command:
    """The command in `text`, if one of `signers` (lower-case addresses) signed it. ServiceRefused if not."""
    fields = _load(text)
    if fields["site"] != site:
        raise ServiceRefused("the order is for another site")
    try:
        command, signature = _command(fields), bytes.fromhex(_hex(fields["signature"]))
        signer = recover(digest(domain, site, command), signature)
    except (ValueError, OverflowError) as error:
        raise ServiceRefused(f"the order is not well formed: {error}") from error
    if signer.lower() not in signers:
        raise ServiceRefused(f"{signer} may not order here (or the order was changed after signing)")
    return replace(command, origin=f"signed by {signer}")


def _load(text: bytes) -> Mapping[str, Any]:
    if len(text) > TEXT_MAX:
        raise ServiceRefused(f"an order has at most {TEXT_MAX} bytes")
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ServiceRefused(f"the order is not JSON: {error}") from error
    if not isinstance(fields, dict) or fields.keys() != _FIELDS:
        raise ServiceRefused(f"an order has exactly the fields {', '.join(sorted(_FIELDS))}")
    return fields


def _command(fields: Mapping[str, Any]) -> Command:
    """The command as its sender wrote it; who he is is found from it."""
    values = fields["values"]
    if not isinstance(values, list) or len(values) > VALUES_MAX or not all(_whole(v, _INT64) for v in values):
        raise ValueError(f"values must be at most {VALUES_MAX} integers")
    if not _whole(fields["not_before"], _MOMENT) or not _whole(fields["not_after"], _MOMENT):
        raise ValueError("not_before and not_after must be Unix milliseconds")
    if type(fields["shared"]) is not bool:
        raise ValueError("shared must be true or false")
    command_id = command_bytes(_hex(fields["id"])).hex()
    kind = ServiceKind(fields["service"])
    named = services.named(kind, values)
    if named is None or len(named) != len(values):
        raise ValueError(f"{kind} takes all of its values: {', '.join(services.names(kind)) or 'none'}")
    return Command(
        command_id,
        Source.REMOTE,
        kind,
        fields["not_before"],
        fields["not_after"],
        named,
        "",
        fields["shared"],
    )


def _whole(value: object, within: range) -> bool:
    return type(value) is int and value in within


def _hex(value: object) -> str:
    if not isinstance(value, str) or not value.startswith("0x"):
        raise ValueError("ids and signatures are written in hex, beginning with 0x")
    return value[2:]
