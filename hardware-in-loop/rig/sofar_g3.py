"""A Sofar G3 hybrid inverter: holding registers of unit 1, high word first, powers in tens of watts.

Owns the table and the passive mode: with 0x1110 at 3 the grid is held at 0x1187 as far as the battery's least
(0x1189) and most (0x118B) let it, both + = charging and in watts. It keeps that for ever: its time-out is off
as delivered. Registers, signs and modes: homeassistant-solax-modbus, evcc, openWB (facts only).
"""

from dataclasses import dataclass

from rig.bank import Bank, Row
from rig.physics import Order
from rig.plant import Plant

UNIT = 1
SELF, PASSIVE = 0, 3


def _per_100(joules: float) -> int:
    return int(joules / 360_000)


def rows(plant: Plant) -> list[Row]:
    return [
        Row(0x0418, "s16", 40),
        Row(0x0445, "str", plant.serial, size=8),
        Row(0x0484, "u16", lambda v: v.s.frequency_mhz / 10),
        Row(0x0485, "s16", lambda v: (v.s.battery_ac_w + v.s.pv_w) / 10),
        Row(0x0488, "s16", lambda v: -v.s.grid_w / 10),
        Row(0x048D, "u16", lambda v: v.s.grid_mv / 100),
        Row(0x0586, "u16", lambda v: v.s.pv_w / 10),
        Row(0x0589, "u16", 0),
        Row(0x058C, "u16", 0),
        Row(0x0604, "u16", lambda v: v.s.voltage_v * 10),
        Row(0x0605, "s16", lambda v: -v.s.current_a * 100),
        Row(0x0606, "s16", lambda v: -v.s.battery_w / 10),
        Row(0x0607, "s16", lambda v: v.s.temperature_c),
        Row(0x0608, "u16", lambda v: v.s.soc * 100),
        Row(0x0609, "u16", lambda v: v.s.soh * 100),
        Row(0x0686, "u32", lambda v: _per_100(v.s.produced_j)),
        Row(0x068E, "u32", lambda v: _per_100(v.s.imported_j)),
        Row(0x0692, "u32", lambda v: _per_100(v.s.exported_j)),
        Row(0x0696, "u32", lambda v: _per_100(v.s.charged_j)),
        Row(0x069A, "u32", lambda v: _per_100(v.s.discharged_j)),
        Row(0x1110, "u16", SELF, "mode", held=True, allowed=range(7)),
        Row(0x1187, "s32", 0, "grid_w", held=True),
        Row(0x1189, "s32", 0, "least_w", held=True),
        Row(0x118B, "s32", 0, "most_w", held=True),
    ]


@dataclass(slots=True)
class SofarLogic:
    """Mode and powers as they stand."""

    def written(self, bank: Bank, names: frozenset[str], now_ms: int) -> None:
        pass

    def order(self, bank: Bank, now_ms: int) -> Order:
        if bank.value("mode") != PASSIVE:
            return Order()
        return Order("grid", bank.value("grid_w"), -bank.value("most_w"), -bank.value("least_w"))


def build(plant: Plant) -> Bank:
    return Bank(plant, {UNIT: rows(plant)}, SofarLogic(), whole_values=True)
