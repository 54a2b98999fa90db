"""The canonical JSON body of a record, and back: what the store keeps and an export carries.

Pure. A body names where it counts (chain_id, contract, site) and then every field under its model name, so
a verifier rebuilds the digest from it alone. Reading refuses anything that is not exactly that: an unknown,
missing or wrongly typed field is a ValueError, for a body may come from a stranger's file.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from gateway.errors import ConfigError
from gateway.evidence.typed import (
    CAUSES,
    KINDS,
    OUTCOMES,
    Body,
    Domain,
    GapCause,
    RevocationReason,
    command_bytes,
)
from gateway.model import Cause, ClockTrust, Delivery

BODY_CHARS_MAX = 4096  # the longest real body is under 1200
_HEAD = ("chain_id", "contract", "site")
# Fields of bytes, and how many. bytes.fromhex alone would skip spaces: fewer bytes than digits.
_HEX = {"merkle_root": 32, "command_id": 32, "configuration": 32, "profiles": 32, "possession": 65}
_DIGITS = re.compile(r"0x([0-9a-fA-F]*)")
_ADDRESS = re.compile(r"0x[0-9a-f]{40}")
SOFTWARE_CHARS_MAX = 64
_NUMBERED = {"clock": ClockTrust, "cause": GapCause, "reason": RevocationReason}
_OUTCOME_OF = {number: state for state, number in OUTCOMES.items()}


@dataclass(frozen=True, slots=True)
class Statement:
    """A body with the place it counts in: what a record says, without its position in the chain."""

    domain: Domain
    site: str
    body: Body


def write(domain: Domain, site: str, body: Body) -> str:
    """Canonical JSON: sorted keys, no spaces, bytes as 0x hex, enums as numbers, curtailments as pairs."""
    fields: dict[str, Any] = {name: getattr(body, name) for name in type(body).__dataclass_fields__}
    if isinstance(body, Delivery):
        fields["curtailments"] = [[CAUSES.index(cause), ms] for cause, ms in body.curtailments]
        fields["outcome"] = OUTCOMES[body.outcome]
        fields["command_id"] = command_bytes(body.command_id)
    for name in _HEX:
        if name in fields:
            fields[name] = "0x" + fields[name].hex()
    fields |= {"chain_id": domain.chain_id, "contract": domain.contract.lower(), "site": site}
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _bytes(name: str, value: object, count: int) -> bytes:
    found = _DIGITS.fullmatch(value) if isinstance(value, str) else None
    if found is None or len(found[1]) != 2 * count:
        raise ValueError(f"{name} is not 0x and {2 * count} hex digits")
    return bytes.fromhex(found[1])


def _text(name: str, value: object) -> str:
    """The fields that are text: an address in one form only, a version of bounded length."""
    if name == "next" and isinstance(value, str) and _ADDRESS.fullmatch(value):
        return value
    if name == "software" and isinstance(value, str) and 0 < len(value) <= SOFTWARE_CHARS_MAX:
        return value
    form = "a lower-case address" if name == "next" else f"1 to {SOFTWARE_CHARS_MAX} characters"
    raise ValueError(f"{name} is not {form}")


def _integer(name: str, value: object) -> int:
    if type(value) is not int:  # a bool is an int, and true is not 1 here
        raise ValueError(f"{name} is not an integer")
    return value


def _delivery_fields(fields: dict[str, Any]) -> None:
    if fields["outcome"] not in _OUTCOME_OF:
        raise ValueError(f"outcome {fields['outcome']} is none of {sorted(_OUTCOME_OF)}")
    fields["outcome"] = _OUTCOME_OF[fields["outcome"]]
    fields["command_id"] = fields["command_id"].hex()


def _curtailments(value: object) -> tuple[tuple[Cause, int], ...]:
    """Pairs of a cause's number and its ms, each cause once."""
    if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        raise ValueError("curtailments is not a list of pairs")
    found: dict[Cause, int] = {}
    for number, ms in value:
        if not 0 <= _integer("a curtailment's cause", number) < len(CAUSES):
            raise ValueError(f"curtailments has cause {number}, beyond the {len(CAUSES)} known")
        if CAUSES[number] in found:
            raise ValueError(f"curtailments has cause {number} twice")
        found[CAUSES[number]] = _integer("a curtailment's time", ms)
    return tuple(found.items())


def _field(name: str, value: object) -> object:
    if name == "curtailments":
        return _curtailments(value)
    if name in ("next", "software"):
        return _text(name, value)
    return _bytes(name, value, _HEX[name]) if name in _HEX else _integer(name, value)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("body names a field twice")
    return fields


def _load(text: str) -> dict[str, Any]:
    if len(text) > BODY_CHARS_MAX:
        raise ValueError(f"body is longer than {BODY_CHARS_MAX} characters")
    try:
        fields = json.loads(text, object_pairs_hook=_once)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"body is not JSON: {error}")
    if not isinstance(fields, dict):
        raise ValueError("body is not a JSON object")
    return fields


def _statement_head(fields: dict[str, Any]) -> tuple[Domain, str]:
    chain_id, contract, site = (fields.pop(name) for name in _HEAD)
    if not isinstance(contract, str) or not isinstance(site, str):
        raise ValueError("contract and site must be strings")
    domain = Domain(_integer("chain_id", chain_id), contract)
    try:
        domain.separator  # noqa: B018  computed once here, so a bad address is found here
    except (ConfigError, OverflowError, ValueError) as error:
        raise ValueError(f"chain_id or contract: {error}")
    return domain, site


def read(kind: str, text: str) -> Statement:
    """The statement in a body of that kind. ValueError, one line, when it is not exactly one."""
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r} is none of {', '.join(KINDS)}")
    fields, cls = _load(text), KINDS[kind]
    wanted = {*_HEAD, *cls.__dataclass_fields__}
    if fields.keys() != wanted:
        raise ValueError(f"body has missing or unknown fields: {', '.join(sorted(fields.keys() ^ wanted))}")
    domain, site = _statement_head(fields)
    for name, value in fields.items():
        fields[name] = _field(name, value)
    if kind == "delivery":
        _delivery_fields(fields)
    for name, numbered in _NUMBERED.items():
        if name in fields:
            fields[name] = numbered(fields[name])
    return Statement(domain, site, cls(**fields))
