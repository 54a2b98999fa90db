"""Which devices the rig can be, by name. A table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from rig import (
    alpha_ess_smile,
    deye_3p_lv,
    goodwe_et,
    huawei_luna2000,
    kostal_plenticore,
    sigenergy,
    sma_sunny_island,
    sofar_g3,
    solaredge_storedge,
    solax_g4,
    solis_hybrid,
    sungrow_sh,
    sunspec_bank,
    victron_gx,
    victron_gx_3p,
)
from rig.bank import Bank
from rig.physics import SiteSpec
from rig.plant import Plant


@dataclass(frozen=True, slots=True)
class Kind:
    """One device: how its bank is built, whether PV is on its DC side, its nameplate both ways."""

    build: Callable[[Plant], Bank]
    hybrid: bool = False
    power_w: int | None = None  # None: the site's


DEVICES: Mapping[str, Kind] = {
    "sunspec": Kind(sunspec_bank.build),
    "sunspec_124": Kind(lambda plant: sunspec_bank.build(plant, sunspec_bank.CHAIN_124)),
    "sunspec_hybrid": Kind(lambda plant: sunspec_bank.build(plant, sunspec_bank.CHAIN_124), hybrid=True),
    "victron_gx": Kind(victron_gx.build, power_w=2_400),
    "victron_gx_3p": Kind(victron_gx_3p.build, power_w=7_200),
    "huawei_luna2000": Kind(huawei_luna2000.build, hybrid=True, power_w=5_000),
    "sma_sunny_island": Kind(sma_sunny_island.build, power_w=6_000),
    "solaredge_storedge": Kind(solaredge_storedge.build, hybrid=True, power_w=5_000),
    "deye_3p_lv": Kind(deye_3p_lv.build, hybrid=True, power_w=12_000),
    "goodwe_et": Kind(goodwe_et.build, hybrid=True, power_w=10_000),
    "sungrow_sh": Kind(sungrow_sh.build, hybrid=True, power_w=5_000),
    "kostal_plenticore": Kind(kostal_plenticore.build, hybrid=True, power_w=8_000),
    "sofar_g3": Kind(sofar_g3.build, hybrid=True, power_w=5_000),
    "solis_hybrid": Kind(solis_hybrid.build, hybrid=True, power_w=5_000),
    "sigenergy": Kind(sigenergy.build, hybrid=True, power_w=8_000),
    "solax_g4": Kind(solax_g4.build, hybrid=True, power_w=5_000),
    "alpha_ess_smile": Kind(alpha_ess_smile.build, hybrid=True, power_w=5_000),
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
    if spec is None and kind.power_w is not None:
        site = replace(site, charge_max_w=kind.power_w, discharge_max_w=kind.power_w)
    plant = Plant(site, seed=seed, soc=soc, start_minute=start_minute, speed=speed, step_ms=step_ms)
    return kind.build(plant)
