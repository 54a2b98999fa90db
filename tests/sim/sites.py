"""The devices of site.yaml for each kind of inverter that the rig can be."""

from tests.sim.rigged import SUNSPEC

HYBRID = '  inverter: {{profile: {profile}, link: "tcp://rig:502", unit: {unit}, poll: {poll}}}'
METER = '\n  meter: {{profile: sunspec_meter, link: "tcp://meter:502", unit: 200, poll: {poll}}}'


def inverter(profile: str, unit: int) -> str:
    return HYBRID.replace("{profile}", profile).replace("{unit}", str(unit))


SITES = {
    "sunspec": SUNSPEC,
    "sunspec_124": SUNSPEC,
    "sunspec_hybrid": SUNSPEC,
    "victron_gx": inverter("victron_gx", 227),
    "huawei_luna2000": inverter("huawei_luna2000", 1),
    "solaredge_storedge": inverter("solaredge_storedge", 1) + METER,
    "sma_sunny_island": inverter("sma_sunny_island", 3) + METER,
}
