"""The sites of the seeded world: which inverters and batteries, what site.yaml says of them, their limits.

Each is drawn by its weight (`script.py`). `rigged.SUNSPEC` and the like run one battery of each kind; `tight`
has a connection to the grid that is nearly too small and an inverter whose reactive power has to give way to
its power; `pair`, `hybrids` and `trio` have two or three batteries of different kinds and sizes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from rig.physics import SiteSpec

from tests.sim.rigged import BMS, SUNSPEC, Battery

METER = '\n  meter: {{profile: sunspec_meter, link: "tcp://meter:502", unit: 200, poll: {poll}}}'
HOSTS = ("rig", "rig2", "rig3")
NAMES = ("inverter", "second", "third")


@dataclass(frozen=True, slots=True)
class Site:
    """`weight`: how often it is drawn. Limits in W. `reactive` and `islands`: whether its devices can."""

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


def size(power_w: int, wh: int, *, pv_w: int = 0) -> SiteSpec:
    """`pv_w`: on its own DC side, or for the first beside it."""
    return SiteSpec(
        capacity_wh=wh, charge_max_w=power_w, discharge_max_w=power_w, ac_max_w=power_w + pv_w, pv_peak_w=pv_w
    )


NARROW = SiteSpec(charge_max_w=5000, discharge_max_w=5000, ac_max_w=5200, var_max=4000)

SITES: Mapping[str, Site] = {
    "sunspec": sunspec(5, "sunspec"),
    "sunspec_124": sunspec(1, "sunspec_124"),
    "sunspec_hybrid": sunspec(1, "sunspec_hybrid"),
    "victron_gx": alone(2, "victron_gx", inverter("victron_gx", 227)),
    "huawei_luna2000": alone(1, "huawei_luna2000", inverter("huawei_luna2000")),
    "solaredge_storedge": alone(1, "solaredge_storedge", inverter("solaredge_storedge") + METER),
    "sma_sunny_island": alone(1, "sma_sunny_island", inverter("sma_sunny_island", 3) + METER),
    "tight": Site(
        weight=5,
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
}
