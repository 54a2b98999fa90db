"""The table from SunSpec points to Gridseal's names: which model and point is which quantity, in what order.

Data only. Sources of a row stand in order of preference; binding.py takes the first that a device has.
Canonical names are read at every poll and are evidence; the others are for people, read slowly. It
refuses to map what SunSpec leaves open unless the profile states it (Sign, Pick).
"""

from dataclasses import dataclass
from enum import Enum

from gateway.model import Quantity

AC = (101, 102, 103, 111, 112, 113)  # all with W > 0 = out of the inverter
METERS = (201, 202, 203, 204, 211, 212, 213, 214)
DC_MODELS = (160, 714)  # DC inputs one by one
STORAGE = (124, 713, 802)  # any of these: there is a battery behind this device

# What a device of a role is asked for, and of what it must have at least one.
ROLE_MODELS = {
    "inverter": frozenset((*AC, *METERS, 120, 122, 124, 160, 701, 702, 713, 714, 802, 803)),
    "battery": frozenset((120, 124, 713, 714, 802, 803)),
    "meter": frozenset(METERS),
}
ROLE_NEEDS = {"inverter": (*AC, 701), "battery": STORAGE, "meter": METERS}

# What a device states as the most it can do, in order of preference: ratings before settings.
CHARGE_RATING = ((702, "WChaRteMaxRtg"), (120, "MaxChaRte"), (802, "WChaRteMax"), (124, "WChaMax"))
DISCHARGE_RATING = (
    (702, "WDisChaRteMaxRtg"),
    (120, "MaxDisChaRte"),
    (802, "WDisChaRteMax"),
    (124, "WChaMax"),
)
# For reactive power the settings come first: they lower the ratings, and 704 is relative to them.
VAR_INJECT = ((702, "VarMaxInj"), (702, "VarMaxInjRtg"))
VAR_ABSORB = ((702, "VarMaxAbs"), (702, "VarMaxAbsRtg"))
APPARENT = ((702, "VAMax"), (702, "VAMaxRtg"))


class Pick(Enum):
    """Which instances of a repeating group make the value, and with what sign each."""

    MODEL = "the point of the model itself"
    ESS = "all ports of type ESS (714)"
    ESS_FIRST = "the first port of type ESS: what cannot be added up"
    PV = "those ports of type PV that have a value"
    STRINGS = "those modules (160) that are no battery's and have a value"
    BOTH_WAYS = "the battery's discharge module (160) minus its charge module"
    CHARGING = "the battery's charge module"
    DISCHARGING = "the battery's discharge module"


class Sign(Enum):
    """Whose sign a value has: the profile's options turn it where SunSpec does not say."""

    OURS = "as in gateway.model"
    ESS_PORT = "ess_port_positive"
    BANK = "bank_positive"
    METER = "meter_positive"
    EXPORTED = "meter_exported"


@dataclass(frozen=True, slots=True)
class Source:
    """One place where a value may come from. `battery_dc`: only if that option chose it; `without`: only on
    devices that have none of these models; `swapped`: only of a meter that is, or is not, mounted the other
    way round."""

    models: tuple[int, ...]
    point: str
    pick: Pick = Pick.MODEL
    sign: Sign = Sign.OURS
    battery_dc: str = ""
    without: tuple[int, ...] = ()
    swapped: bool | None = None


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    sources: tuple[Source, ...]
    down: bool = False  # limits: round toward zero, never up

    @property
    def canonical(self) -> bool:
        return isinstance(self.name, Quantity)


def _row(name: str, *sources: Source, down: bool = False) -> Row:
    return Row(name, sources, down)


def _port(point: str, sign: Sign = Sign.OURS, pick: Pick = Pick.ESS) -> Source:
    return Source((714,), f"Prt.{point}", pick, sign, battery_dc="714")


def _module(point: str, pick: Pick) -> Source:
    return Source((160,), f"module.{point}", pick, battery_dc="160")


def _counted(imported: bool) -> tuple[Source, Source]:
    """A meter's counter of what came in, or went out; mounted the other way round it is the other one."""
    into = Source(METERS, "TotWhImp", swapped=not imported)
    out = Source(METERS, "TotWhExp", sign=Sign.EXPORTED, swapped=imported)
    return into, out


def _bank(point: str, sign: Sign = Sign.OURS) -> Source:
    return Source((802,), point, sign=sign)


_Q, _S = Quantity, Source

ROWS: tuple[Row, ...] = (
    _row(_Q.INVERTER_POWER, _S((701,), "W"), _S(AC, "W")),
    _row(_Q.INVERTER_REACTIVE, _S((701,), "Var"), _S(AC, "VAr")),
    _row(_Q.INVERTER_STATE, _S((701,), "InvSt"), _S(AC, "St")),
    _row(_Q.INVERTER_TEMPERATURE, _S((701,), "TmpCab"), _S(AC, "TmpCab")),
    _row(
        _Q.BATTERY_POWER,
        _port("DCW", Sign.ESS_PORT),
        _module("DCW", Pick.BOTH_WAYS),
        Source((802,), "W", sign=Sign.BANK, battery_dc="802"),
    ),
    _row(
        _Q.BATTERY_CURRENT,
        _port("DCA", Sign.ESS_PORT),
        _module("DCA", Pick.BOTH_WAYS),
        Source((802,), "A", sign=Sign.BANK, battery_dc="802"),
    ),
    _row(
        _Q.BATTERY_VOLTAGE,
        _bank("V"),
        _port("DCV", pick=Pick.ESS_FIRST),
        _S((124,), "InBatV"),
        _module("DCV", Pick.CHARGING),
    ),
    _row(_Q.BATTERY_SOC, _S((713,), "SoC"), _bank("SoC"), _S((124,), "ChaState")),
    _row(_Q.BATTERY_SOH, _S((713,), "SoH"), _bank("SoH")),
    _row(_Q.BATTERY_TEMPERATURE, _S((803,), "ModTmpMax"), _port("Tmp", pick=Pick.ESS_FIRST)),
    _row(_Q.BATTERY_CAPACITY, _S((713,), "WHRtg"), _bank("WHRtg"), _S((120,), "WHRtg")),
    _row(_Q.BATTERY_AVAILABLE, _S((713,), "WHAvail")),
    _row(_Q.BATTERY_CHARGED, _port("DCWhAbs"), _module("DCWH", Pick.CHARGING)),
    _row(_Q.BATTERY_DISCHARGED, _port("DCWhInj"), _module("DCWH", Pick.DISCHARGING)),
    _row(_Q.BATTERY_CELL_MIN, _bank("CellVMin")),
    _row(_Q.BATTERY_CELL_MAX, _bank("CellVMax")),
    _row(_Q.BATTERY_ALARMS, _bank("Evt1")),
    _row(_Q.CHARGE_LIMIT_CURRENT, _bank("AChaMax"), down=True),
    _row(_Q.DISCHARGE_LIMIT_CURRENT, _bank("ADisChaMax"), down=True),
    _row(
        _Q.CHARGE_LIMIT_POWER,
        _bank("WChaRteMax"),
        _S((702,), "WChaRteMax"),
        _S((702,), "WChaRteMaxRtg"),
        _S((124,), "WChaMax"),
        _S((120,), "MaxChaRte"),
        down=True,
    ),
    _row(
        _Q.DISCHARGE_LIMIT_POWER,
        _bank("WDisChaRteMax"),
        _S((702,), "WDisChaRteMax"),
        _S((702,), "WDisChaRteMaxRtg"),
        _S((120,), "MaxDisChaRte"),
        _S((124,), "WChaMax"),  # the only base 124 has; devices use it for both directions
        down=True,
    ),
    _row(
        _Q.PV_POWER,
        _S((714,), "Prt.DCW", Pick.PV),
        _S((160,), "module.DCW", Pick.STRINGS, without=(714,)),
        _S(AC, "DCW", without=STORAGE),
    ),
    _row(
        _Q.PV_ENERGY,
        _S((714,), "Prt.DCWhInj", Pick.PV),
        _S((160,), "module.DCWH", Pick.STRINGS, without=(714,)),
        _S((701,), "TotWhInj", without=STORAGE),
        _S(AC, "WH", without=STORAGE),
    ),
    _row(_Q.GRID_POWER, _S(METERS, "W", sign=Sign.METER)),
    _row(_Q.GRID_REACTIVE, _S(METERS, "VAR", sign=Sign.METER)),
    _row(
        _Q.GRID_VOLTAGE,
        _S(METERS, "PhV"),
        _S(METERS, "PhVphA"),
        _S((701,), "LNV"),
        _S((701,), "VL1"),
        _S(AC, "PhVphA"),
        _S((701,), "LLV"),
    ),
    _row(_Q.GRID_FREQUENCY, _S(METERS, "Hz"), _S((701,), "Hz"), _S(AC, "Hz")),
    _row(_Q.GRID_CONNECTED, _S((701,), "ConnSt")),
    _row(_Q.GRID_IMPORTED, *_counted(imported=True)),
    _row(_Q.GRID_EXPORTED, *_counted(imported=False)),
    # For people: slow, and not evidence.
    _row("inverter_rating_w", _S((702,), "WMaxRtg"), _S((120,), "WRtg")),
    _row("inverter_apparent_va", _S((701,), "VA"), _S(AC, "VA")),
    _row("inverter_energy_out_wh", _S((701,), "TotWhInj"), _S((122,), "ActWh"), _S(AC, "WH")),
    _row("inverter_energy_in_wh", _S((701,), "TotWhAbs")),
    _row("inverter_heatsink_cc", _S((701,), "TmpSnk"), _S(AC, "TmpSnk")),
    _row("inverter_dc_mv", _S(AC, "DCV")),
    _row("inverter_alarms_flags", _S((701,), "Alrm"), _S(AC, "Evt1")),
    _row("battery_state_code", _bank("ChaSt"), _S((124,), "ChaSt"), _S((713,), "Sta")),
    _row("battery_cycles_count", _bank("NCyc")),
    _row("battery_reserve_bp", _bank("SoCRsvMin"), _S((124,), "MinRsvPct")),
    _row("battery_temperature_min_cc", _S((803,), "ModTmpMin")),
    _row("grid_l1_w", _S(METERS, "WphA", sign=Sign.METER)),
    _row("grid_l2_w", _S(METERS, "WphB", sign=Sign.METER)),
    _row("grid_l3_w", _S(METERS, "WphC", sign=Sign.METER)),
    _row("grid_l1_mv", _S(METERS, "PhVphA")),
    _row("grid_l2_mv", _S(METERS, "PhVphB")),
    _row("grid_l3_mv", _S(METERS, "PhVphC")),
)
