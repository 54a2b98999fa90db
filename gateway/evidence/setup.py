"""Under what records are made: digests of what the configuration means and of the profiles, and the software.

Pure. Each setting is either bound (it decides what is measured, summed up, signed or carried out) or left
out (where things are on machine and network, and what opens them): BOUND lists the first, a test demands
that every setting of a site is decided. Nothing secret is under a digest, so none can be guessed from it.
"""

import json
from collections.abc import Mapping
from enum import Enum
from typing import Any

from gateway import site as sites
from gateway.evidence.typed import Setup, keccak
from gateway.site import Site

BOUND: Mapping[type, tuple[str, ...]] = {
    sites.Site: (
        "id", "limits", "devices", "attest", "chain", "trust_host_clock", "control_ms", "schedule",
        "timezone", "islanding", "prices", "loads", "signers", "batteries",
    ),
    sites.SiteLimits: tuple(sites.SiteLimits.__dataclass_fields__),
    sites.Device: (
        "name", "profile_name", "kind", "role", "unit", "poll_ms", "control", "timer_s", "contact", "of",
        "derating", "cells",
    ),
    sites.Curve: ("over", "charge", "discharge"),
    sites.AttestSettings: ("every_s",),
    sites.ChainSettings: ("chain_id", "platform", "contracts", "asset_id", "pool", "leave"),
    sites.Entry: ("name", "at_min", "duration_s", "kind", "parameters", "days", "shared"),
    sites.PriceSettings: ("energy_wh", "efficiency_bp", "wear"),
    sites.Load: ("name", "device", "channel", "power_w", "priority", "min_on_ms", "min_off_ms"),
}  # fmt: skip
LEFT_OUT: Mapping[type, tuple[str, ...]] = {
    sites.Site: ("store", "mqtt", "http", "socket"),
    sites.Device: (
        "link",
        "serial",
        "find",
        "profile",
        "timeout_ms",
        "profile_digest",  # that is `profiles`
    ),
    sites.AttestSettings: ("key", "next", "identity"),
    sites.ChainSettings: (
        "rpc",
        "rest",
        "confirmations",
        "fee_cap_wei",
        "spend_per_day_wei",
        "poll_ms",
        "patience_ms",
    ),
}


def of(site: Site, software: str) -> Setup:
    """What a start says of itself; its time is for who knows it."""
    return Setup(0, keccak(configuration(site).encode()), keccak(profiles(site).encode()), software)


def same(before: Setup, now: Setup) -> bool:
    return (before.configuration, before.profiles, before.software) == (
        now.configuration,
        now.profiles,
        now.software,
    )


def configuration(site: Site) -> str:
    """The canonical JSON whose keccak256 is `configuration`."""
    return _json(_plain(site))


def profiles(site: Site) -> str:
    """The canonical JSON whose keccak256 is `profiles`."""
    return named_profiles({device.name: device.profile_digest.hex() for device in site.devices})


def named_profiles(digests: Mapping[str, str]) -> str:
    """The same of digests in hex, by device."""
    return _json(dict(digests))


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if type(value) in BOUND:
        return {name: _plain(getattr(value, name)) for name in BOUND[type(value)]}
    match value:
        case Enum():
            return value.value
        case Mapping():
            return {str(_plain(key)): _plain(inner) for key, inner in value.items()}
        case frozenset():
            return sorted((_plain(inner) for inner in value), key=_json)
        case tuple():
            return [_plain(inner) for inner in value]
    return value
