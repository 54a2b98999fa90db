"""The sites of the seeded world: which inverters and batteries, what site.yaml says of them, their limits.

Every profile that takes a setpoint is here with one battery. `tight` has a connection to the grid that is
nearly too small and an inverter whose reactive power has to give way to its power; the last ones have two or
three batteries of different kinds and sizes, whose powers end differently when nobody renews them.
Seeds deal them from one deck, in it as often as they weigh: as many seeds as it has cards meet all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from rig.physics import SiteSpec

from tests.sim.rigged import BMS, SUNSPEC, Battery

METER = '\n  meter: {{profile: sunspec_meter, link: "tcp://meter:502", unit: 200, poll: {poll}}}'
HOSTS = ("rig", "rig2", "rig3")
NAMES = ("inverter", "second", "third")


@dataclass(frozen=True, slots=True)
class Site:
    """`weight`: its cards in the deck. Limits in W. `reactive` and `islands`: whether its devices can."""

    weight: int
    devices: str
    batteries: tuple[Battery, ...]
    limit_w: int = 2000
    import_w: int = 17_000
    export_w: int = 10_000
    reactive: bool = False
    islands: bool = False


def inverter(profile: str, unit: int = 1, number: int = 0) -> str:
    where = f'link: "tcp://{HOSTS[number]}:502", unit: {unit}, poll: {{poll}}'
    return f"\n  {NAMES[number]}: {{{{profile: {profile}, {where}}}}}"


def bms(number: int) -> str:
    """A BMS that hangs on one inverter of several."""
    bus = f'"vbus://{{bus}}{number + 1 if number else ""}"'
    return f"\n  bms{number}: {{{{profile: pylontech_can, link: {bus}, of: {NAMES[number]}}}}}"


def alone(weight: int, kind: str, devices: str) -> Site:
    """One battery."""
    return Site(weight, devices.strip("\n") + BMS, (Battery(kind),))


def sunspec(weight: int, kind: str) -> Site:
    able = kind == "sunspec"
    batteries = (Battery(kind),)
    return Site(weight, SUNSPEC + BMS, batteries, limit_w=5000, reactive=able, islands=able)


def hybrid(kind: str, unit: int = 1, *, bms: bool = False, meter: bool = False) -> Site:
    """An inverter of 5 kW or more that speaks for its battery, unless a BMS does."""
    devices = inverter(kind, unit).strip("\n") + METER * meter + BMS * bms
    return Site(1, devices, (Battery(kind, bms=bms),), limit_w=5000)


def size(power_w: int, wh: int, *, pv_w: int = 0) -> SiteSpec:
    """`pv_w`: on its own DC side, or for the first beside it."""
    return SiteSpec(
        capacity_wh=wh, charge_max_w=power_w, discharge_max_w=power_w, ac_max_w=power_w + pv_w, pv_peak_w=pv_w
    )


NARROW = SiteSpec(charge_max_w=5000, discharge_max_w=5000, ac_max_w=5200, var_max=4000)

SITES: Mapping[str, Site] = {
    "sunspec": sunspec(4, "sunspec"),
    "sunspec_124": sunspec(1, "sunspec_124"),
    "sunspec_hybrid": sunspec(1, "sunspec_hybrid"),
    "fronius_gen24": alone(1, "sunspec_hybrid", inverter("fronius_gen24") + METER),
    "victron_gx": alone(1, "victron_gx", inverter("victron_gx", 227)),
    "victron_gx_3p": alone(1, "victron_gx_3p", inverter("victron_gx_3p", 227)),
    "huawei_luna2000": alone(1, "huawei_luna2000", inverter("huawei_luna2000")),
    "solaredge_storedge": alone(1, "solaredge_storedge", inverter("solaredge_storedge") + METER),
    "sma_sunny_island": alone(1, "sma_sunny_island", inverter("sma_sunny_island", 3) + METER),
    "deye_3p_lv": hybrid("deye_3p_lv"),
    "goodwe_et": hybrid("goodwe_et", 247),
    "sungrow_sh": hybrid("sungrow_sh"),
    "kostal_plenticore": hybrid("kostal_plenticore", 71, bms=True),
    "sofar_g3": hybrid("sofar_g3", bms=True),
    "solis_hybrid": hybrid("solis_hybrid"),
    "sigenergy": hybrid("sigenergy", 247),
    "solax_g4": hybrid("solax_g4"),
    "alpha_ess_smile": hybrid("alpha_ess_smile", 85),
    "tight": Site(
        weight=4,
        devices=SUNSPEC + BMS,
        batteries=(Battery("sunspec", spec=NARROW),),
        limit_w=5000,
        import_w=3000,
        export_w=0,
        reactive=True,
        islands=True,
    ),
    "pair": Site(
        weight=3,
        devices=inverter("sunspec").strip("\n") + inverter("victron_gx", 227, 1) + METER + bms(0) + bms(1),
        batteries=(Battery("sunspec"), Battery("victron_gx", HOSTS[1], spec=size(2400, 5_120))),
        limit_w=5000,
        import_w=5000,
        export_w=2000,
        reactive=True,
        islands=True,
    ),
    "hybrids": Site(
        weight=2,
        devices=inverter("huawei_luna2000").strip("\n") + inverter("sma_sunny_island", 3, 1) + METER + bms(1),
        batteries=(
            Battery("huawei_luna2000", bms=False, spec=size(5000, 10_240, pv_w=3000)),
            Battery("sma_sunny_island", HOSTS[1], spec=size(3000, 20_480)),
        ),
        limit_w=5000,
        import_w=6000,
        export_w=3000,
    ),
    "trio": Site(
        weight=3,
        devices=inverter("sunspec").strip("\n")
        + "".join((inverter("sunspec", 1, 1), inverter("victron_gx", 227, 2), METER, bms(0), bms(1), bms(2))),
        batteries=(
            Battery("sunspec", spec=size(4000, 10_240, pv_w=4000)),
            Battery("sunspec_124", HOSTS[1], spec=size(2500, 20_480)),
            Battery("victron_gx", HOSTS[2], spec=size(2400, 5_120)),
        ),
        limit_w=6000,
        import_w=8000,
        export_w=4000,
        islands=True,
    ),
    "lasting": Site(
        weight=2,
        devices=inverter("goodwe_et", 247).strip("\n") + inverter("victron_gx_3p", 227, 1) + METER + bms(1),
        batteries=(
            Battery("goodwe_et", bms=False, spec=size(5000, 10_240, pv_w=3000)),
            Battery("victron_gx_3p", HOSTS[1], spec=size(7200, 20_480)),
        ),
        limit_w=6000,
        import_w=8000,
        export_w=4000,
    ),
    "wearing": Site(
        weight=2,
        devices=inverter("sungrow_sh").strip("\n") + inverter("deye_3p_lv", 1, 1) + METER,
        batteries=(
            Battery("sungrow_sh", bms=False, spec=size(4000, 10_240, pv_w=3000)),
            Battery("deye_3p_lv", HOSTS[1], bms=False, spec=size(6000, 20_480)),
        ),
        limit_w=6000,
        import_w=7000,
        export_w=3000,
    ),
    "mixed": Site(
        weight=2,
        devices=inverter("solax_g4").strip("\n")
        + "".join((inverter("sofar_g3", 1, 1), inverter("kostal_plenticore", 71, 2), METER, bms(1), bms(2))),
        batteries=(
            Battery("solax_g4", bms=False, spec=size(4000, 10_240)),
            Battery("sofar_g3", HOSTS[1], spec=size(5000, 20_480, pv_w=3000)),
            Battery("kostal_plenticore", HOSTS[2], spec=size(3000, 5_120)),
        ),
        limit_w=8000,
        import_w=9000,
        export_w=5000,
    ),
}


def _deck() -> tuple[str, ...]:
    cards = [name for name, site in SITES.items() for _ in range(site.weight)]
    Random("sites").shuffle(cards)
    return tuple(cards)


DECK = _deck()


def of(seed: int) -> str:
    """The name of a seed's site."""
    return DECK[seed % len(DECK)]
