"""A Sungrow SH hybrid inverter: registers of unit 1, 32-bit values with the low word first.

Owns the table and the forced mode: with 13049 at 2, 13050 says charge (0xAA), discharge (0xBB) or stop (0xCC)
and 13051 with how many watts. It keeps that for ever. Both tables answer alike here; the real one has
measurements as input and settings as holding registers. Registers and signs: mkaiser, SunGather, openWB, evcc
(facts only).
"""

from dataclasses import dataclass

from rig.bank import Bank, Row
from rig.physics import Order
from rig.plant import Plant

UNIT = 1
SELF, FORCED = 0, 2
CHARGE, DISCHARGE, STOP = 0xAA, 0xBB, 0xCC


def _per_100(joules: float) -> int:
    return int(joules / 360_000)


def rows(plant: Plant) -> list[Row]:
    spec = plant.spec
    return [
        Row(4989, "str", "A2270000001", size=10),
        Row(4999, "u16", 0x0E0D),
        Row(5007, "s16", 466),
        Row(5016, "u32", lambda v: v.s.pv_w, little=True),
        Row(5018, "u16", lambda v: v.s.grid_mv / 100),
        Row(5213, "s32", lambda v: v.s.battery_w, little=True),
        Row(5241, "u16", lambda v: v.s.frequency_mhz / 10),
        Row(5630, "s16", lambda v: v.s.current_a * 10),
        Row(5634, "u16", lambda v: v.s.charge_limit_a),
        Row(5635, "u16", lambda v: v.s.discharge_limit_a),
        Row(5638, "u16", spec.capacity_wh / 10),
        Row(12999, "u16", 0x40),
        Row(13002, "u32", lambda v: _per_100(v.s.produced_j), little=True),
        Row(13007, "s32", lambda v: v.s.load_w, little=True),
        Row(13009, "s32", lambda v: -v.s.grid_w, little=True),
        Row(13019, "u16", lambda v: v.s.voltage_v * 10),
        Row(13022, "u16", lambda v: v.s.soc * 1000),
        Row(13023, "u16", lambda v: v.s.soh * 1000),
        Row(13024, "s16", lambda v: v.s.temperature_c * 10),
        Row(13026, "u32", lambda v: _per_100(v.s.discharged_j), little=True),
        Row(13033, "s32", lambda v: v.s.battery_ac_w + v.s.pv_w, little=True),
        Row(13036, "u32", lambda v: _per_100(v.s.imported_j), little=True),
        Row(13040, "u32", lambda v: _per_100(v.s.charged_j), little=True),
        Row(13045, "u32", lambda v: _per_100(v.s.exported_j), little=True),
        Row(13249, "str", "SAPPHIRE-H_01011.95.12", size=15),
        Row(13049, "u16", SELF, "mode", held=True, allowed=(SELF, FORCED, 3, 4)),
        Row(13050, "u16", STOP, "command", held=True, allowed=(CHARGE, DISCHARGE, STOP)),
        Row(13051, "u16", 0, "power_w", held=True, allowed=range(5_001)),
        Row(33046, "u16", spec.charge_max_w / 10),
        Row(33047, "u16", spec.discharge_max_w / 10),
    ]


@dataclass(slots=True)
class SungrowLogic:
    """Mode, command and power as they stand."""

    def written(self, bank: Bank, names: frozenset[str], now_ms: int) -> None:
        pass

    def order(self, bank: Bank, now_ms: int) -> Order:
        if bank.value("mode") != FORCED:
            return Order()
        power_w = bank.value("power_w")
        return Order("battery", {CHARGE: -power_w, DISCHARGE: power_w, STOP: 0}[bank.value("command")])


def build(plant: Plant) -> Bank:
    return Bank(plant, {UNIT: rows(plant)}, SungrowLogic(), tables=("holding", "input"))
