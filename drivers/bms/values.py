"""From what a battery told in one poll to the values and qualities of a sample. Pure.

Owns what all families share: power from voltage and current, limits that an alarm or an open switch makes
0, the one temperature that control sees, and what is plausible, by itself and after what was told before. It
refuses to widen: a limit whose permission was not heard is not known, one that rises has to be told twice,
and what was not told is ABSENT.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivers.bms.family import Family, Values
from drivers.flags import ALARMS, REQUESTS
from gateway.model import Quality, Quantity

POWER = Quantity.BATTERY_POWER.value
VOLTAGE = Quantity.BATTERY_VOLTAGE.value
CURRENT = Quantity.BATTERY_CURRENT.value
ALARM_FLAGS = Quantity.BATTERY_ALARMS.value
REQUEST_FLAGS = "battery_requests_flags"
CHARGE, DISCHARGE = Quantity.CHARGE_LIMIT_CURRENT.value, Quantity.DISCHARGE_LIMIT_CURRENT.value
# What a BMS with a sensor of its own tells beside voltage, current and charge, in the order of its samples.
BOARD = (
    "battery_available_mah",
    "battery_cycles_count",
    "battery_cell_min_mv",
    "battery_cell_max_mv",
    "battery_temperature_cc",
    "battery_temperature_min_cc",
    "battery_temperature_max_cc",
    "battery_board_temperature_cc",
    ALARM_FLAGS,
    REQUEST_FLAGS,
)
MICRO = 1_000_000  # mV * mA is µW
MILD_CC = 2500  # the further a sensor is from this, the more it matters

# Least and most by the name's end; a number beyond is INVALID. Batteries of a house, not of a ship.
PLAUSIBLE: Mapping[str, tuple[int, int]] = {
    VOLTAGE: (5_000, 1_000_000),
    CURRENT: (-1_200_000, 1_200_000),
    Quantity.BATTERY_SOC.value: (0, 10_000),
    Quantity.BATTERY_SOH.value: (0, 10_000),
    Quantity.BATTERY_CELL_MIN.value: (500, 5_000),
    Quantity.BATTERY_CELL_MAX.value: (500, 5_000),
    Quantity.BATTERY_TEMPERATURE.value: (-4_000, 10_000),
    "battery_temperature_min_cc": (-4_000, 10_000),
    "battery_temperature_max_cc": (-4_000, 10_000),
    "battery_board_temperature_cc": (-4_000, 20_000),
    CHARGE: (0, 1_200_000),
    DISCHARGE: (0, 1_200_000),
    Quantity.CHARGE_VOLTAGE_LIMIT.value: (5_000, 1_000_000),
    "discharge_voltage_limit_mv": (1_000, 1_000_000),
}


def _mask(*names: str) -> int:
    return sum(1 << ALARMS[name] for name in names)


# What stands makes the limit 0, although the device may still say another or none. A board that cannot see
# its cells, or counts others than it was set to, is no judge of either direction.
_BOTH = _mask(
    "communication_error",
    "configuration_alarm",
    "contactor_error",
    "ground_fault",
    "over_temp_alarm",
    "temperature_imbalance_alarm",
    "other_alarm",
)
STOPS: Mapping[str, int] = {
    CHARGE: _BOTH | _mask("over_volt_alarm", "over_charge_current_alarm", "under_temp_alarm"),
    DISCHARGE: _BOTH | _mask("under_volt_alarm", "over_discharge_current_alarm"),
}
ENABLES: Mapping[str, int] = {
    CHARGE: 1 << REQUESTS["charge_enabled"],
    DISCHARGE: 1 << REQUESTS["discharge_enabled"],
}


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a pack takes while its BMS allows it, of a family that states no limits: from its data sheet."""

    charge_ma: int
    discharge_ma: int


def names(family: Family) -> tuple[str, ...]:
    """The points of a device of this family: what it tells, its limits, and the power they make."""
    more = (CHARGE, DISCHARGE, POWER)
    return family.points + tuple(name for name in more if name not in family.points)


def complete(
    family: Family, told: Mapping[str, int], allowance: Allowance | None, *, negate: bool = False
) -> tuple[tuple[int, ...], bytes]:
    """Values and qualities in the order of `names`; `told` is what all frames of one poll gave together.
    `negate`: this board counts its current the other way round than its family."""
    return finish(family, limited(family, told, allowance, negate=negate))


def limited(
    family: Family, told: Mapping[str, int], allowance: Allowance | None, *, negate: bool = False
) -> Values:
    """What one pack told, its current turned where it has to be, and what it takes."""
    values = dict(told)
    if negate and CURRENT in values:
        values[CURRENT] = -values[CURRENT]
    _limit(values, family, allowance)
    return values


def finish(family: Family, told: Values) -> tuple[tuple[int, ...], bytes]:
    """Values and qualities in the order of `names`, with the power that voltage and current make."""
    values = dict(told)
    if VOLTAGE in values and CURRENT in values and POWER not in values:
        values[POWER] = watts(values[VOLTAGE] * values[CURRENT])
    order = names(family)
    qualities = {name: _quality(name, values) for name in order}
    if POWER not in family.points:
        qualities[POWER] = max(qualities[VOLTAGE], qualities[CURRENT])
    unlimited = {name for name in (CHARGE, DISCHARGE) if qualities[name] is not Quality.GOOD}
    return (
        tuple(0 if name in unlimited else values.get(name, 0) for name in order),
        bytes(qualities[name] for name in order),
    )


def plausible(name: str, value: int) -> bool:
    least, most = PLAUSIBLE.get(name, (-(2**40), 2**40))
    return least <= value <= most


def cells(millivolts: Sequence[int]) -> Values:
    """Least and most of the cells that are there; a place without a cell tells 0."""
    present = [mv for mv in millivolts if mv]
    if not present:
        return {}
    return {
        Quantity.BATTERY_CELL_MIN.value: min(present),
        Quantity.BATTERY_CELL_MAX.value: max(present),
    }


def temperatures(centidegrees: Sequence[int]) -> Values:
    """Least and most, and for control the one that is furthest from mild."""
    if not centidegrees:
        return {}
    return {
        Quantity.BATTERY_TEMPERATURE.value: max(centidegrees, key=lambda cc: abs(cc - MILD_CC)),
        "battery_temperature_min_cc": min(centidegrees),
        "battery_temperature_max_cc": max(centidegrees),
    }


def jumps(now: Values, before: Values, steady: Mapping[str, int]) -> bool:
    """Whether something changed by more than it does from one poll to the next (Family.steady)."""
    return any(
        name in now and name in before and abs(now[name] - before[name]) > most
        for name, most in steady.items()
    )


def cautious(told: Values, before: Values) -> Values:
    """What was told, but of a limit that rose what it was: it counts when it is told again."""
    return told | {name: min(told[name], before.get(name, 0)) for name in (CHARGE, DISCHARGE) if name in told}


def alarms(bits: Mapping[int, str], word: int) -> int:
    """What the bits of a device's own word raise in battery_alarms_flags."""
    raised = 0
    for bit, name in bits.items():
        if word >> bit & 1:
            raised |= 1 << ALARMS[name]
    return raised


def enabled(charge: bool, discharge: bool) -> int:
    """battery_requests_flags of the two switches."""
    return charge * ENABLES[CHARGE] | discharge * ENABLES[DISCHARGE]


def _limit(values: Values, family: Family, allowance: Allowance | None) -> None:
    if not family.tells_limits and allowance is not None:
        values[CHARGE], values[DISCHARGE] = allowance.charge_ma, allowance.discharge_ma
    for name in (CHARGE, DISCHARGE):
        if any(source in family.points and source not in values for source in (REQUEST_FLAGS, ALARM_FLAGS)):
            values.pop(name, None)  # whether it is allowed was not heard
        elif values.get(ALARM_FLAGS, 0) & STOPS[name] or _open(values, name):
            values[name] = 0


def _open(values: Mapping[str, int], name: str) -> bool:
    return REQUEST_FLAGS in values and not values[REQUEST_FLAGS] & ENABLES[name]


def _quality(name: str, values: Mapping[str, int]) -> Quality:
    if name not in values:
        return Quality.ABSENT
    return Quality.GOOD if plausible(name, values[name]) else Quality.INVALID


def watts(micro_w: int) -> int:
    sign = -1 if micro_w < 0 else 1
    return sign * ((abs(micro_w) + MICRO // 2) // MICRO)
