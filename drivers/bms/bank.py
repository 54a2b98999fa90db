"""Packs in parallel behind one inverter, as the one battery that they are. Pure.

Owns what becomes of what each pack told, its limits included: currents and charges add up, of cells and
temperatures the extremes count. How packs share a current nobody decides, so the limit of all is that of the
weakest one that takes any, for each of those. It refuses to fill gaps: what one pack does not tell, or tells
and cannot be, the bank does not tell.
"""

from collections.abc import Callable, Mapping, Sequence

from drivers.bms.family import Values
from drivers.bms.values import (
    ALARM_FLAGS,
    CHARGE,
    CURRENT,
    DISCHARGE,
    MILD_CC,
    POWER,
    REQUEST_FLAGS,
    VOLTAGE,
    plausible,
    watts,
)

SOC, LEFT = "battery_soc_bp", "battery_available_mah"


def together(packs: Sequence[Values]) -> Values:
    """What the bank tells; `packs` are of one family, with their limits."""
    packs = [{n: value for n, value in pack.items() if plausible(n, value)} for pack in packs]
    common = set(packs[0]).intersection(*packs[1:])
    told = {name: _RULES.get(name, max)([pack[name] for pack in packs]) for name in common}
    if {SOC, LEFT} <= common:
        told[SOC] = _charge(packs)
    if {VOLTAGE, CURRENT} <= common:
        told[POWER] = sum(watts(pack[VOLTAGE] * pack[CURRENT]) for pack in packs)
    return told


def _charge(packs: Sequence[Values]) -> int:
    """By capacity, which what is left and its share tell; evenly where a pack is empty or tells nonsense."""
    if all(pack[SOC] > 0 and pack[LEFT] > 0 for pack in packs):
        whole = sum(pack[LEFT] * 10_000 // pack[SOC] for pack in packs)
        return min(10_000, sum(pack[LEFT] for pack in packs) * 10_000 // max(1, whole))
    return _mean([pack[SOC] for pack in packs])


def _mean(values: Sequence[int]) -> int:
    return sum(values) // len(values)


def _limit(values: Sequence[int]) -> int:
    taking = [value for value in values if value > 0]
    return len(taking) * min(taking, default=0)


def _flags(values: Sequence[int]) -> int:
    raised = 0
    for value in values:
        raised |= value
    return raised


def _wildest(values: Sequence[int]) -> int:
    return max(values, key=lambda cc: abs(cc - MILD_CC))


# The most of each where nothing else is said: cycles, the hottest, the highest cell.
_RULES: Mapping[str, Callable[[Sequence[int]], int]] = {
    VOLTAGE: _mean,
    CURRENT: sum,
    SOC: _mean,
    "battery_soh_bp": min,
    LEFT: sum,
    "battery_cell_min_mv": min,
    "battery_temperature_cc": _wildest,
    "battery_temperature_min_cc": min,
    "charge_voltage_limit_mv": min,
    CHARGE: _limit,
    DISCHARGE: _limit,
    ALARM_FLAGS: _flags,
    REQUEST_FLAGS: _flags,
}
