"""A SolaX X1 or X3 Hybrid G4: registers of unit 1, 32-bit values with the low word first.

Owns the table and remote control: one write from 0x7C to 0x8A gives the mode, a time in which another must
follow (0x88) and, for mode 4, the battery's power (0x89, + = discharging). When none follows, the inverter
goes on in mode 6, its own self-consumption. Input 0x100 tells the mode and nothing tells the power. Both
tables answer alike here. Registers and signs: SolaxHub, openWB, homeassistant-solax-modbus (facts only).
"""

from dataclasses import dataclass

from rig.bank import Bank, Row
from rig.physics import Order
from rig.plant import Plant

UNIT = 1
OFF, PUSH, SELF = 0, 4, 6
UNTIMED_S = 600  # a mode without a time ends by itself too


def _per_100(joules: float) -> int:
    return int(joules / 36_000)


def rows(plant: Plant) -> list[Row]:
    spec = plant.spec
    return [
        Row(0x00, "str", plant.serial, size=7),
        Row(0x07, "u16", lambda v: v.s.frequency_mhz / 10),
        Row(0x08, "s16", 41),
        Row(0x09, "u16", 2),
        Row(0x0A, "u16", lambda v: v.s.pv_w),
        Row(0x0B, "u16", 0),
        Row(0x14, "s16", lambda v: v.s.voltage_v * 10),
        Row(0x15, "s16", lambda v: -v.s.current_a * 10),
        Row(0x16, "s16", lambda v: -v.s.battery_w),
        Row(0x18, "s16", lambda v: v.s.temperature_c),
        Row(0x1C, "u16", lambda v: v.s.soc * 100),
        Row(0x1D, "u32", lambda v: _per_100(v.s.discharged_j) // 10, little=True),
        Row(0x21, "u32", lambda v: _per_100(v.s.charged_j) // 10, little=True),
        Row(0x24, "u16", lambda v: v.s.charge_limit_a * 10),
        Row(0x25, "u16", lambda v: v.s.discharge_limit_a * 10),
        Row(0x46, "s32", lambda v: -v.s.grid_w, little=True),
        Row(0x48, "u32", lambda v: _per_100(v.s.exported_j), little=True),
        Row(0x4A, "u32", lambda v: _per_100(v.s.imported_j), little=True),
        Row(0x7C, "u16", OFF, "mode", held=True, allowed=range(8)),
        Row(0x7D, "u16", 0, "set_type", held=True, allowed=range(3)),
        Row(0x7E, "s32", 0, "active", held=True, little=True),
        Row(0x80, "s32", 0, "reactive", held=True, little=True),
        Row(0x82, "u16", 0, "duration_s", held=True),
        Row(0x83, "u16", 0, "target", held=True),
        Row(0x84, "u32", 0, "energy", held=True, little=True),
        Row(0x86, "s32", 0, "toward", held=True, little=True),
        Row(0x88, "u16", 0, "timeout_s", held=True),
        Row(0x89, "s32", 0, "push_w", held=True, little=True),
        Row(0x94, "u32", lambda v: _per_100(v.s.produced_j) // 10, little=True),
        Row(0xBA, "u16", spec.discharge_max_w),
        Row(0x100, "u16", lambda v: v.bank.value("mode")),
    ]


@dataclass(slots=True)
class SolaxLogic:
    """Remote control and the time in which another write must follow."""

    ends_ms: int = 0

    def written(self, bank: Bank, names: frozenset[str], now_ms: int) -> None:
        self.ends_ms = now_ms + 1000 * (bank.value("timeout_s") or UNTIMED_S)

    def order(self, bank: Bank, now_ms: int) -> Order:
        if bank.value("mode") == PUSH and now_ms >= self.ends_ms:
            bank.put("mode", SELF)
        if bank.value("mode") != PUSH:
            return Order()
        return Order("battery", bank.value("push_w"))


def build(plant: Plant) -> Bank:
    return Bank(plant, {UNIT: rows(plant)}, SolaxLogic(), tables=("holding", "input"))
