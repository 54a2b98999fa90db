"""A Solis hybrid inverter: registers of unit 1, high word first, battery power and direction apart.

Owns the table and remote control: 43135 (1 charge, 2 discharge, 0 off) comes first, 43136 and 43129 then say
how much, in tens of watts; a power whose direction was not told before does not stick. 43282 minutes after
43135 was last written the inverter is its own master again. Both tables answer alike here. Registers, signs
and order: solis_modbus, openWB, homeassistant-solax-modbus (facts only).
"""

from dataclasses import dataclass

from rig.bank import Bank, Row
from rig.physics import Order
from rig.plant import Plant

UNIT = 1
OFF, CHARGE, DISCHARGE = 0, 1, 2


def _kwh(joules: float) -> int:
    return int(joules / 3_600_000)


def rows(plant: Plant) -> list[Row]:
    return [
        Row(33004, "str", plant.serial, size=16),
        Row(33029, "u32", lambda v: _kwh(v.s.produced_j)),
        Row(33057, "u32", lambda v: v.s.pv_w),
        Row(33073, "u16", lambda v: v.s.grid_mv / 100),
        Row(33079, "s32", lambda v: v.s.battery_ac_w + v.s.pv_w),
        Row(33093, "s16", 283),
        Row(33094, "u16", lambda v: v.s.frequency_mhz / 10),
        Row(33095, "u16", 3),
        Row(33133, "u16", lambda v: v.s.voltage_v * 10),
        Row(33134, "s16", lambda v: abs(v.s.current_a) * 10),
        Row(33135, "u16", lambda v: int(v.s.battery_w > 0)),
        Row(33139, "u16", lambda v: v.s.soc * 100),
        Row(33140, "u16", lambda v: v.s.soh * 100),
        Row(33143, "u16", lambda v: v.s.charge_limit_a * 10),
        Row(33144, "u16", lambda v: v.s.discharge_limit_a * 10),
        Row(33149, "s32", lambda v: abs(v.s.battery_w)),
        Row(33161, "u32", lambda v: _kwh(v.s.charged_j)),
        Row(33165, "u32", lambda v: _kwh(v.s.discharged_j)),
        Row(33263, "s32", lambda v: -v.s.grid_w),
        Row(33283, "u32", lambda v: v.s.imported_j / 36_000),
        Row(33285, "u32", lambda v: v.s.exported_j / 36_000),
        Row(43129, "u16", 0, "discharge_10w", held=True),
        Row(43135, "u16", OFF, "direction", held=True, allowed=range(3)),
        Row(43136, "u16", 0, "charge_10w", held=True),
        Row(43282, "u16", 5, "minutes", held=True, allowed=range(31)),
    ]


@dataclass(slots=True)
class SolisLogic:
    """Remote control and its timer."""

    ends_ms: int = 0

    def written(self, bank: Bank, names: frozenset[str], now_ms: int) -> None:
        direction = bank.value("direction")
        if "direction" in names:
            self.ends_ms = now_ms + 60_000 * bank.value("minutes")
        if direction != CHARGE:
            bank.put("charge_10w", 0)
        if direction != DISCHARGE:
            bank.put("discharge_10w", 0)

    def order(self, bank: Bank, now_ms: int) -> Order:
        if now_ms >= self.ends_ms:
            bank.put("direction", OFF)
        if bank.value("direction") == OFF:
            return Order()
        return Order("battery", 10 * (bank.value("discharge_10w") - bank.value("charge_10w")))


def build(plant: Plant) -> Bank:
    return Bank(plant, {UNIT: rows(plant)}, SolisLogic(), tables=("holding", "input"))
