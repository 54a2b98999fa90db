"""The commissioning certificate: what was proven at a battery with a technician's consent, signed once.

Pure. A stand-alone EIP-712 struct in the domain of the site's records, but no link of their chain: it is true
for as long as the same devices stand there, not for a span of time. `write` makes its canonical body, `read`
takes one from a stranger's file and refuses whatever is not exactly that. docs/attestation.md is normative.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

from gateway.errors import ConfigError
from gateway.evidence.records import recover
from gateway.evidence.typed import Domain, keccak, site_hash
from gateway.model import ClockTrust

PART_TYPE = (
    "Part(string device,string vendor,string model,bytes32 serial,bytes32 profile,int32 battery,int32 grid)"
)
TYPE = (
    "Commissioning(bytes32 site,uint64 at,uint8 clock,bytes32 config,uint32 power,uint16 changes,"
    "uint16 confidence,uint32 noise,uint32 response,uint32 error,uint8 timer,uint32 obeyed,uint32 reverted,"
    "Part[] parts)" + PART_TYPE
)
BODY_CHARS_MAX = 32_768  # a part is under 500
PARTS_MAX = 64  # as many devices as a site may have
TEXT_MAX = 128
NO_SERIAL = bytes(32)
YEAR_9999_MS = 253_370_764_800_000  # what is later has no calendar
_NUMBERS = {
    "at_ms": 64, "power_w": 32, "changes": 16, "confidence_bp": 16, "noise_w": 32, "response_ms": 32,
    "error_w": 32, "obeyed_ms": 32, "reverted_ms": 32,
}  # fmt: skip


class Timer(IntEnum):
    """What the device does when nobody writes any more."""

    NONE = 0  # its commands latch: there is nothing to measure
    MEASURED = 1
    NOT_FOUND = 2  # the profile claims one, and 1.5 times as long nothing happened
    NOT_MEASURED = 3  # the technician left it out


@dataclass(frozen=True, slots=True)
class Part:
    """One device as it was found. Gains (0.01 %) are the change of the power it says, in the gateway's signs,
    for each watt of battery power that was ordered: about 10,000 at a battery, -10,000 at a meter; 0: it
    says nothing of the kind."""

    device: str
    vendor: str
    model: str
    serial: bytes  # keccak256 of it; zero when the device tells none
    profile: bytes  # digest of the profile
    battery_bp: int = 0
    grid_bp: int = 0


@dataclass(frozen=True, slots=True)
class Commissioning:
    """The first part is the device that was commanded."""

    at_ms: int
    clock: ClockTrust
    config: bytes  # digest of site.yaml
    power_w: int
    changes: int  # how many changes of power were judged
    confidence_bp: int
    noise_w: int
    response_ms: int
    error_w: int
    timer: Timer
    obeyed_ms: int  # after the last write it still did as told; 0 unless measured
    reverted_ms: int  # by then it was under its own control
    parts: tuple[Part, ...]

    @property
    def device(self) -> str:
        return self.parts[0].device


def serial_hash(serial: str) -> bytes:
    return keccak(serial.encode()) if serial else NO_SERIAL


def _word(value: int, bits: int) -> bytes:
    if not 0 <= value < 1 << bits:
        raise ValueError(f"{value} does not fit uint{bits}")
    return value.to_bytes(32, "big")


def _gain(value: int) -> bytes:
    if not -(2**31) <= value < 2**31:
        raise ValueError(f"{value} does not fit int32")
    return value.to_bytes(32, "big", signed=True)


def _part_hash(part: Part) -> bytes:
    texts = b"".join(keccak(text.encode()) for text in (part.device, part.vendor, part.model))
    gains = _gain(part.battery_bp) + _gain(part.grid_bp)
    return keccak(keccak(PART_TYPE.encode()) + texts + part.serial + part.profile + gains)


def digest(domain: Domain, site: str, said: Commissioning) -> bytes:
    """The EIP-712 digest that is signed. ValueError when a value does not fit its type."""
    packed = b"".join((
        keccak(TYPE.encode()), site_hash(site), _word(said.at_ms, 64), _word(said.clock, 8), said.config,
        _word(said.power_w, 32), _word(said.changes, 16), _word(said.confidence_bp, 16),
        _word(said.noise_w, 32), _word(said.response_ms, 32), _word(said.error_w, 32), _word(said.timer, 8),
        _word(said.obeyed_ms, 32), _word(said.reverted_ms, 32),
        keccak(b"".join(_part_hash(part) for part in said.parts)),
    ))  # fmt: skip
    return keccak(b"\x19\x01" + domain.separator + keccak(packed))


def write(domain: Domain, site: str, said: Commissioning) -> str:
    """Canonical JSON: sorted keys, no spaces, bytes as 0x hex, enums as numbers."""
    body = _plain(said) | {"parts": [_plain(part) for part in said.parts]}
    body |= {"chain_id": domain.chain_id, "contract": domain.contract.lower(), "site": site}
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _plain(value: Commissioning | Part) -> dict[str, Any]:
    named = {field.name: getattr(value, field.name) for field in fields(value)}
    return {n: "0x" + v.hex() if isinstance(v, bytes) else v for n, v in named.items()}


def read(text: str) -> tuple[Domain, str, Commissioning]:
    """What a body says and where it counts. ValueError, one line, when it is not exactly one."""
    if len(text) > BODY_CHARS_MAX:
        raise ValueError(f"a certificate's body is longer than {BODY_CHARS_MAX} characters")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"a certificate's body is not JSON: {error}") from None
    head = ("chain_id", "contract", "site")
    _exactly(body, {*head, *(field.name for field in fields(Commissioning))}, "a certificate")
    domain = Domain(_number(body, "chain_id", 256), _text(body, "contract"))
    try:
        domain.separator  # noqa: B018  a bad address is found here
    except (ConfigError, ValueError) as error:
        raise ValueError(f"contract: {error}") from None
    parts = body["parts"]
    if not isinstance(parts, list) or not 1 <= len(parts) <= PARTS_MAX:
        raise ValueError(f"a certificate speaks of 1 to {PARTS_MAX} devices")
    said = Commissioning(
        **{name: _number(body, name, bits) for name, bits in _NUMBERS.items()},
        clock=ClockTrust(_number(body, "clock", 8)),
        timer=Timer(_number(body, "timer", 8)),
        config=_bytes32(body, "config"),
        parts=tuple(map(_part, parts)),
    )
    return domain, _text(body, "site"), said


def _part(body: Any) -> Part:
    _exactly(body, {field.name for field in fields(Part)}, "a part of a certificate")
    device, vendor, model = (_text(body, name) for name in ("device", "vendor", "model"))
    serial, profile = (_bytes32(body, name) for name in ("serial", "profile"))
    return Part(
        device, vendor, model, serial, profile, _gain_of(body, "battery_bp"), _gain_of(body, "grid_bp")
    )


def _exactly(body: Any, wanted: set[str], what: str) -> None:
    if not isinstance(body, dict):
        raise ValueError(f"{what} is not a JSON object")
    if body.keys() != wanted:
        raise ValueError(f"{what} has missing or unknown fields: {', '.join(sorted(body.keys() ^ wanted))}")


def _number(body: Mapping[str, Any], name: str, bits: int) -> int:
    value = body[name]
    if type(value) is not int or not 0 <= value < 1 << bits:
        raise ValueError(f"{name} is not a uint{bits}")
    return value


def _gain_of(body: Mapping[str, Any], name: str) -> int:
    value = body[name]
    if type(value) is not int or not -(2**31) <= value < 2**31:
        raise ValueError(f"{name} is not an int32")
    return value


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body[name]
    if not isinstance(value, str) or len(value) > TEXT_MAX:
        raise ValueError(f"{name} is not a text of at most {TEXT_MAX} characters")
    return value


def _bytes32(body: Mapping[str, Any], name: str) -> bytes:
    value = body[name]
    if not isinstance(value, str) or len(value) != 66 or not value.startswith("0x") or " " in value:
        raise ValueError(f"{name} is not 0x and 64 hex digits")
    return bytes.fromhex(value[2:])


def day(said: Commissioning) -> str:
    """2026-11-27, UTC."""
    return datetime.fromtimestamp(min(said.at_ms, YEAR_9999_MS) / 1000, UTC).date().isoformat()


def told(said: Commissioning) -> str:
    """One line for a person."""
    timer = {
        Timer.NONE: "it has no timer",
        Timer.MEASURED: f"obeyed {said.obeyed_ms / 1000:.1f} s, its own by {said.reverted_ms / 1000:.1f} s",
        Timer.NOT_FOUND: "the timer that its profile claims was not found",
        Timer.NOT_MEASURED: "its timer was not measured",
    }[said.timer]
    return f"certificate of {said.device} of {day(said)}: signs proven by {said.changes} changes; {timer}"


def check(body: str, claimed: bytes, signature: bytes, signer: str = "") -> list[str]:
    """Everything that is wrong with one; `signer` is the address expected, empty for any one."""
    try:
        right = digest(*read(body))
        address = recover(right, signature)
    except ValueError as error:
        return [str(error)]
    wrong = [] if right == claimed else ["digest is not that of its body"]
    return wrong if signer in ("", address) else [*wrong, f"signed by {address}, not {signer}"]
