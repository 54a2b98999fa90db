"""What a poll of a serial BMS asks, and how long it keeps the wire. Pure."""

from drivers.bms.families import FAMILIES
from drivers.bms.family import Family, Request
from drivers.bms.values import names
from drivers.serial.table import SerialTable
from drivers.serial.url import SerialUrl
from gateway.driver import Plan, PlanLine
from gateway.errors import ConfigError
from gateway.model import Point
from gateway.site import Device

THINK_MS = 30.0  # until a BMS begins to answer; slow ones take more


def make_plan(device: Device, profile: SerialTable, where: SerialUrl) -> Plan:
    """One poll, whose requests make its points together. ConfigError for a rate or an address that the device
    cannot have."""
    if where.baud is not None and where.baud not in profile.bauds:
        known = ", ".join(map(str, profile.bauds))
        raise ConfigError(
            f"link {where.url!r}: it runs at {where.baud} baud, but {device.profile_name} has {known}: "
            f"write baud={profile.bauds[0]}"
        )
    family = FAMILIES[profile.family]
    first = address(device, family)
    units = range(first, first + profile.packs)
    if units[-1] not in family.addresses:
        raise ConfigError(
            f"{device.name}: {profile.packs} packs from unit {first} on do not all have an address"
        )
    asked = [request for unit in units for request in family.requests(unit)]
    points = tuple(Point(device.name, name) for name in names(family))
    text = f"ask {', '.join(dict.fromkeys(request.name for request in asked))}"
    text += f" of {profile.packs} packs" if profile.packs > 1 else ""
    line = PlanLine(text, sum(_bus_ms(where, request, profile) for request in asked), len(points))
    seat = f"{profile.family} at address {first}"  # the unit means nothing to some
    return Plan((line,), points, None, tuple(_notes(profile)), seat)


def address(device: Device, family: Family) -> int:
    """On the wire. ConfigError for one that the family does not have."""
    if len(family.addresses) == 1:
        return family.addresses[0]
    if device.unit not in family.addresses:
        least, most = family.addresses[0], family.addresses[-1]
        raise ConfigError(f"{device.name}: unit is the battery's address, {least} to {most} for its family")
    return device.unit


def _bus_ms(where: SerialUrl, request: Request, profile: SerialTable) -> float:
    char_ms = where.char_ms(where.baud or profile.bauds[0])
    return (len(request.data) + request.reply_max) * char_ms + THINK_MS + profile.gap_ms


def _notes(profile: SerialTable) -> list[str]:
    notes = []
    if profile.allowance is not None:
        charge, discharge = profile.allowance.charge_ma / 1000, profile.allowance.discharge_ma / 1000
        notes.append(
            f"the battery states no limits: while it allows it, {charge:g} A charging and {discharge:g} A "
            "discharging count, by its profile"
        )
    return notes
