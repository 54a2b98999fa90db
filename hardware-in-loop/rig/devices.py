"""Which devices the rig can be, by name. A table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from rig import sunspec_bank
from rig.bank import Bank
from rig.physics import SiteSpec
from rig.plant import Plant


@dataclass(frozen=True, slots=True)
class Kind:
    """One device: how its bank is built, and whether PV is on its DC side."""

    build: Callable[[Plant], Bank]
    hybrid: bool = False


DEVICES: Mapping[str, Kind] = {
    "sunspec": Kind(sunspec_bank.build),
    "sunspec_124": Kind(lambda plant: sunspec_bank.build(plant, sunspec_bank.CHAIN_124)),
}


def make(
    device: str,
    *,
    seed: int = 1,
    soc: float = 0.5,
    start_minute: int = 720,
    speed: float = 1.0,
    step_ms: int = 100,
    spec: SiteSpec | None = None,
) -> Bank:
    """A plant with this device in control of it. ValueError for an unknown name."""
    if device not in DEVICES:
        raise ValueError(f"unknown device {device!r}: use {', '.join(DEVICES)}")
    kind = DEVICES[device]
    site = replace(spec or SiteSpec(), hybrid=kind.hybrid)
    plant = Plant(site, seed=seed, soc=soc, start_minute=start_minute, speed=speed, step_ms=step_ms)
    return kind.build(plant)
