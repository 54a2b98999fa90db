"""A SolarEdge inverter with StorEdge battery: unit 1, 32- and 64-bit values low word first, floats.

Owns the battery block at 0xE100, the remote control at 0xE004 and a SunSpec chain (1, 103, and meter 203)
at 40000. 0xE004 = 4 puts the remote in charge: command 0xE00D with the limits 0xE00E and 0xE010, until
nothing was written there for the seconds in 0xE00B; then the default mode 0xE00A takes over. In any other
control mode commands are stored and have no effect, and 0xE00D reads 0xFFFF. Addresses: SolarEdge's power
control protocol 1.3, solaredge-modbus-multi (facts only). The current 0xE172 has here the sign of the power;
real ones were seen with the other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from rig.bank import Bank, Row, View
from rig.physics import Order
from rig.plant import Plant
from rig.sunspec_bank import chain_rows
from rig.sunspec_values import common, inverter, meter

UNIT = 1
SELF_CONSUMPTION, REMOTE = 1, 4
AC_CHARGE_ALWAYS = 1
NA_F32, NA_U16 = 0xFF7F_FFFF, 0xFFFF


class Command(IntEnum):
    """What 0xE00D may say."""

    OFF = 0
    CHARGE_EXCESS_PV = 1
    CHARGE_PV = 2
    CHARGE_ALL = 3
    EXPORT = 4
    MINIMISE_IMPORT = 5
    SELF = 7


COMMANDS = frozenset(map(int, Command))


def _wh(joules: float) -> int:
    return int(joules / 3600)


def _status(v: View) -> int:
    return 6 if not v.s.battery_ac_w else 4 if v.s.battery_ac_w > 0 else 3


def _command(v: View) -> int:
    return v.bank.value("command") if v.bank.value("control") == REMOTE else NA_U16


def battery_rows(plant: Plant) -> list[Row]:
    spec = plant.spec
    floats = {
        0xE142: float(spec.capacity_wh),
        0xE144: float(spec.charge_max_w),
        0xE146: float(spec.discharge_max_w),
        0xE148: float(spec.charge_max_w),
        0xE14A: float(spec.discharge_max_w),
        0xE16C: lambda v: v.s.temperature_c,
        0xE16E: lambda v: v.s.temperature_c,
        0xE170: lambda v: v.s.voltage_v,
        0xE172: lambda v: -v.s.current_a,
        0xE174: lambda v: -v.s.battery_w,
        0xE17E: float(spec.capacity_wh * spec.soh),
        0xE180: lambda v: v.s.stored_j / 3600,
        0xE182: lambda v: v.s.soh * 100,
        0xE184: lambda v: v.s.soc * 100,
    }
    return [
        Row(0xE100, "str", "Gridseal", size=16),
        Row(0xE110, "str", "Rig battery", size=16),
        Row(0xE120, "str", "1", size=16),
        Row(0xE130, "str", plant.serial, size=16),
        Row(0xE140, "u16", 15),
        Row(0xE141, "u16", 0),
        *(Row(address, "f32", source, little=True, na=NA_F32) for address, source in floats.items()),
        Row(0xE176, "u64", lambda v: _wh(v.s.discharged_j), little=True),
        Row(0xE17A, "u64", lambda v: _wh(v.s.charged_j), little=True),
        Row(0xE186, "u32", _status, little=True),
    ]


def control_rows(plant: Plant) -> list[Row]:
    spec = plant.spec
    modes = frozenset(range(5))
    return [
        Row(0xE004, "u16", SELF_CONSUMPTION, "control", held=True, allowed=modes),
        Row(0xE005, "u16", AC_CHARGE_ALWAYS, "ac_charge", held=True, allowed=range(2)),
        Row(0xE00A, "u16", Command.SELF, "default", held=True, allowed=COMMANDS),
        Row(0xE00B, "u32", 3600, "timeout_s", held=True, little=True, allowed=range(86_401)),
        Row(0xE00D, "u16", Command.SELF, "command", held=True, allowed=COMMANDS, shown=_command),
        Row(0xE00E, "f32", float(spec.charge_max_w), "charge_w", held=True, little=True),
        Row(0xE010, "f32", float(spec.discharge_max_w), "discharge_w", held=True, little=True),
    ]


@dataclass(slots=True)
class SolarEdgeLogic:
    """Remote control with its time-out."""

    written_ms: int = 0

    def written(self, bank: Bank, names: frozenset[str], now_ms: int) -> None:
        if names & {"command", "charge_w", "discharge_w"}:
            self.written_ms = now_ms

    def order(self, bank: Bank, now_ms: int) -> Order:
        if bank.value("control") != REMOTE:
            return Order()
        if now_ms - self.written_ms >= 1000 * bank.value("timeout_s"):
            bank.put("command", bank.value("default"))
        return self._command(bank)

    def _command(self, bank: Bank) -> Order:
        charge, discharge = _watts(bank.value("charge_w")), _watts(bank.value("discharge_w"))
        grid = bank.value("ac_charge") == AC_CHARGE_ALWAYS
        match bank.value("command"):
            case Command.OFF:
                return Order("idle")
            case Command.CHARGE_EXCESS_PV:
                return Order("self", 0, -charge, 0, from_grid=False)
            case Command.CHARGE_PV:
                return Order("battery", -charge, from_grid=False)
            case Command.CHARGE_ALL:
                return Order("battery", -charge, from_grid=grid)
            case Command.EXPORT:
                return Order("battery", discharge)
            case Command.MINIMISE_IMPORT:
                return Order("self", 0, 0, discharge)
            case _:
                return Order("self", 0, -charge, discharge, from_grid=grid)


def _watts(value: float) -> int:
    """A limit register as whole watts; what is no sensible magnitude is 0."""
    return int(value) if 0 <= value < 1e9 else 0


def _turned(source: Callable[[View], float]) -> Callable[[View], float]:
    """SolarEdge's meters show export as positive."""
    return lambda v: -source(v)


def build(plant: Plant) -> Bank:
    exported = {name: _turned(meter()[name]) for name in ("W", "WphA", "WphB", "WphC")}
    tables = {1: common(plant) | {"Mn": "SolarEdge"}, 103: inverter()[103], 203: meter() | exported}
    chain = chain_rows((1, 103, 203), tables, obeys=False)
    return Bank(plant, {UNIT: [*chain, *battery_rows(plant), *control_rows(plant)]}, SolarEdgeLogic())
