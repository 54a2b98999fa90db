"""A Kostal Plenticore with battery: holding registers of unit 71, floats with the low word first.

Owns the table and the external battery management: 1034 is the battery's power (+ = discharging). FALLBACK_S
after it was last written the inverter is its own master again (on the real one that time is a setting of its
web page). Registers and signs: OpenEMS, KostalKore, openWB, evcc (facts only).
"""

from dataclasses import dataclass
from math import isfinite

from rig.bank import Bank, Row
from rig.physics import Order
from rig.plant import Plant

UNIT = 71
FALLBACK_S = 30
EXTERNAL_BY_MODBUS = 2


def rows(plant: Plant) -> list[Row]:
    spec = plant.spec
    return [
        Row(14, "str", plant.serial, size=8),
        Row(56, "u32", 6, little=True),
        Row(152, "f32", lambda v: v.s.frequency_mhz / 1000, little=True),
        Row(158, "f32", lambda v: v.s.grid_mv / 1000, little=True),
        Row(172, "f32", lambda v: v.s.battery_ac_w + v.s.pv_w, little=True),
        Row(200, "f32", lambda v: v.s.current_a, little=True),
        Row(214, "f32", lambda v: v.s.temperature_c, little=True),
        Row(216, "f32", lambda v: v.s.voltage_v, little=True),
        Row(252, "f32", lambda v: v.s.grid_w, little=True),
        Row(514, "u16", lambda v: v.s.soc * 100),
        Row(582, "s16", lambda v: v.s.battery_w),
        Row(1034, "f32", 0, "power_w", held=True, little=True),
        Row(1038, "f32", spec.charge_max_w, little=True),
        Row(1040, "f32", spec.discharge_max_w, little=True),
        Row(1056, "f32", lambda v: v.s.produced_j / 3600, little=True),
        Row(1066, "f32", lambda v: v.s.pv_w, little=True),
        Row(1080, "u16", EXTERNAL_BY_MODBUS),
    ]


@dataclass(slots=True)
class KostalLogic:
    """The setpoint and its fallback time."""

    ends_ms: int = 0

    def written(self, bank: Bank, names: frozenset[str], now_ms: int) -> None:
        self.ends_ms = now_ms + FALLBACK_S * 1000

    def order(self, bank: Bank, now_ms: int) -> Order:
        power_w = bank.value("power_w")
        if now_ms >= self.ends_ms or not isfinite(power_w):
            return Order()
        return Order("battery", round(power_w))


def build(plant: Plant) -> Bank:
    return Bank(plant, {UNIT: rows(plant)}, KostalLogic())
