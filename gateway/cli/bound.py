"""A capture for `gridseal verify`: what it yields, looked for under the records' roots (docs/captures.md)."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway import capturefile, profilefile
from gateway.capturefile import Capture
from gateway.driver import find_plugins
from gateway.errors import ConfigError
from gateway.replay import replay

if TYPE_CHECKING:
    from gateway.evidence.audit import Audit
    from gateway.evidence.binding import Binding
    from gateway.evidence.records import Fault


def load(path: Path) -> "tuple[Capture, Binding]":
    """The capture, played. ConfigError when it yields nothing, or its profile is not the one it names."""
    from gateway.evidence.binding import Binding
    from gateway.evidence.setup import named_profiles
    from gateway.evidence.typed import keccak

    capture = capturefile.read(path)
    name, header = capture.device["name"], capture.header
    named = header["profiles"].get(name), header["profile_digest"]
    if named != (profilefile.digest(header["profile"]).hex(),) * 2:
        raise ConfigError(f"{path}: the profile in it is not the one that it names by its digest")
    found = asyncio.run(replay(capture, find_plugins()))
    readings = {
        (r.point.key, r.at_ms): (r.value, int(r.quality))
        for sample in found.samples
        for r in sample.readings()
        if r.point.evidence
    }
    if not readings:
        raise ConfigError(f"{path}: yields no readings; see: gridseal replay {path}")
    return capture, Binding(name, readings, keccak(named_profiles(header["profiles"]).encode()))


def faults(capture: Capture, audit: "Audit") -> "list[Fault]":
    """What speaks against the capture, or does not fit between it and the records as a whole."""
    from gateway.evidence.records import Fault

    found = [Fault(*wrong) for wrong in audit.binding.wrong()] if audit.binding else []
    sites = sorted({site for _, _, site in audit.places})
    if sites and capture.header["site"] not in sites:
        text = f"the capture is of site {capture.header['site']}, the records are of {', '.join(sites)}"
        found.append(Fault(0, text))
    return found


def as_json(binding: "Binding") -> dict[str, Any]:
    return {
        "holds": binding.holds,
        "readings": len(binding.readings),
        "proven": len(binding.proven),
        "records": sorted({*binding.proven.values()}),
        "not_yielded": binding.others,
        "outside": binding.outside,
        "contradicted": len(binding.contradicted),
        "missing": len(binding.missing),
        "profiles_differ": sorted(binding.profiles_differ),
    }
