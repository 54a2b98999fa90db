"""A GoodWe ET hybrid inverter: holding registers of unit 247, high word first, function 3 only.

Owns the table and the EMS mode (47511) with its power (47512): 11 charges the battery with it, 12 discharges
it, 8 rests, 1 is the inverter's own control. It keeps a mode for ever. Registers, signs and modes: goodwe,
OpenEMS, evcc (facts only).
"""

from dataclasses import dataclass

from rig.bank import Bank, Row
from rig.physics import Order
from rig.plant import Plant

UNIT = 247
AUTO, REST, CHARGE, DISCHARGE = 1, 8, 11, 12


def _per_100(joules: float) -> int:
    return int(joules / 360_000)


def rows(plant: Plant) -> list[Row]:
    spec = plant.spec
    return [
        Row(35001, "u16", spec.charge_max_w),
        Row(35003, "str", "9010KETU000W0000", size=8),
        Row(35011, "str", "GW10K-ET", size=5),
        Row(35105, "u32", lambda v: v.s.pv_w),
        *(Row(address, "u32", 0) for address in (35109, 35113, 35117)),
        Row(35121, "u16", lambda v: v.s.grid_mv / 100),
        Row(35123, "u16", lambda v: v.s.frequency_mhz / 10),
        Row(35137, "s32", lambda v: v.s.battery_ac_w + v.s.pv_w),
        Row(35176, "s16", 410),
        Row(35180, "u16", lambda v: v.s.voltage_v * 10),
        Row(35181, "s16", lambda v: v.s.current_a * 10),
        Row(35182, "s32", lambda v: v.s.battery_w),
        Row(35184, "u16", lambda v: 2 if v.s.battery_w > 0 else 3),
        Row(35187, "u16", 1),
        Row(35191, "u32", lambda v: _per_100(v.s.produced_j)),
        Row(35206, "u32", lambda v: _per_100(v.s.charged_j)),
        Row(35209, "u32", lambda v: _per_100(v.s.discharged_j)),
        Row(36015, "f32", lambda v: v.s.exported_j / 3600),
        Row(36017, "f32", lambda v: v.s.imported_j / 3600),
        Row(36025, "s32", lambda v: -v.s.grid_w),
        Row(37003, "s16", lambda v: v.s.temperature_c * 10),
        Row(37004, "u16", lambda v: v.s.charge_limit_a),
        Row(37005, "u16", lambda v: v.s.discharge_limit_a),
        Row(37007, "u16", lambda v: v.s.soc * 100),
        Row(37008, "u16", lambda v: v.s.soh * 100),
        Row(47511, "u16", AUTO, "mode", held=True, allowed=range(1, 13)),
        Row(47512, "u16", 0, "power_w", held=True, allowed=range(10_001)),
    ]


@dataclass(slots=True)
class GoodweLogic:
    """The mode says all."""

    def written(self, bank: Bank, names: frozenset[str], now_ms: int) -> None:
        pass

    def order(self, bank: Bank, now_ms: int) -> Order:
        mode, power_w = bank.value("mode"), bank.value("power_w")
        held = {CHARGE: -power_w, DISCHARGE: power_w, REST: 0}
        return Order("battery", held[mode]) if mode in held else Order()


def build(plant: Plant) -> Bank:
    return Bank(plant, {UNIT: rows(plant)}, GoodweLogic())
