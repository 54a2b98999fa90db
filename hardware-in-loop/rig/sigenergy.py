"""A Sigenergy plant: holding registers of unit 247, its first inverter's of unit 1, high word first.

Owns the table and remote EMS: with 40029 at 1 the plant does what 40031 says, discharging (5, what PV gives
first) or charging (4), the battery with what 40034 or 40032 allow, and goes on so for ever. Other modes leave
it to itself here. As in firmware from protocol V2.9 on, both limits hold whatever the mode, also when remote
EMS is off again. A limit beyond what the battery is rated at is refused. Registers, modes and limits:
Sigenergy's protocol V2.9, TypQxQ, sigenergy2mqtt (facts only).
"""

from dataclasses import dataclass

from rig.bank import Bank, Row
from rig.physics import Order
from rig.plant import Plant

UNIT, INVERTER = 247, 1
OFF, ON = 0, 1
SELF, CHARGE, DISCHARGE = 2, 4, 5


def _per_100(joules: float) -> int:
    return int(joules / 36_000)


def plant_rows(plant: Plant) -> list[Row]:
    spec = plant.spec
    return [
        Row(30005, "s32", lambda v: v.s.grid_w),
        Row(30014, "u16", lambda v: v.s.soc * 1000),
        Row(30035, "s32", lambda v: v.s.pv_w),
        Row(30037, "s32", lambda v: -v.s.battery_w),
        Row(30047, "u32", lambda v: v.s.charge_limit_w),
        Row(30049, "u32", lambda v: v.s.discharge_limit_w),
        Row(30051, "u16", 1),
        Row(30068, "u32", spec.charge_max_w),
        Row(30070, "u32", spec.discharge_max_w),
        Row(30083, "u32", spec.capacity_wh / 10),
        Row(30087, "u16", lambda v: v.s.soh * 1000),
        Row(30200, "u64", lambda v: _per_100(v.s.charged_j)),
        Row(30204, "u64", lambda v: _per_100(v.s.discharged_j)),
        Row(30216, "u64", lambda v: _per_100(v.s.imported_j)),
        Row(30220, "u64", lambda v: _per_100(v.s.exported_j)),
        Row(40029, "u16", OFF, "remote", held=True, allowed=(OFF, ON)),
        Row(40031, "u16", SELF, "mode", held=True, allowed=range(9)),
        Row(40032, "u32", spec.charge_max_w, "charge_w", held=True, allowed=range(spec.charge_max_w + 1)),
        Row(
            40034,
            "u32",
            spec.discharge_max_w,
            "discharge_w",
            held=True,
            allowed=range(spec.discharge_max_w + 1),
        ),
    ]


def inverter_rows(plant: Plant) -> list[Row]:
    return [
        Row(30515, "str", plant.serial, size=10),
        Row(31002, "u16", lambda v: v.s.frequency_mhz / 10),
        Row(31011, "u32", lambda v: v.s.grid_mv / 10),
    ]


@dataclass(slots=True)
class SigenergyLogic:
    """Mode and limits as they stand."""

    def written(self, bank: Bank, names: frozenset[str], now_ms: int) -> None:
        pass

    def order(self, bank: Bank, now_ms: int) -> Order:
        charge_w, discharge_w = bank.value("charge_w"), bank.value("discharge_w")
        mode = bank.value("mode") if bank.value("remote") == ON else SELF
        if mode == CHARGE:
            return Order("battery", -charge_w)
        if mode == DISCHARGE:
            return Order("battery", discharge_w)
        return Order("self", 0, -charge_w, discharge_w)


def build(plant: Plant) -> Bank:
    units = {UNIT: plant_rows(plant), INVERTER: inverter_rows(plant)}
    return Bank(plant, units, SigenergyLogic(), whole_values=True)
