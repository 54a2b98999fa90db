"""An SMA Sunny Island battery inverter: registers of unit 3, all of 32 or 64 bits, high word first.

Owns the table and the external setpoint: 40149 is the power at the AC side (+ = discharging), 40151 says
whether it counts (802) or not (803). Without a new 40149 within WATCHDOG_S the device runs by itself again
(on the real one that time is a parameter). Both are write-only and read as "not available" (how the real one
answers there is not known); 44425 and 44427 show what they hold. It refuses to be written in halves; both
tables answer. Addresses: SMA's list for firmware 3.20.09.R, OpenEMS, evcc (facts only). They leave the sign
of the current 30843 open: here + = discharging.
"""

from dataclasses import dataclass

from rig.bank import Bank, Row, View
from rig.physics import Order
from rig.plant import Plant

UNIT = 3
WATCHDOG_S = 60
ACTIVE, INACTIVE = 802, 803
CODES = frozenset({ACTIVE, INACTIVE})
NA_U32, NA_S32, NA_TAG = 0xFFFF_FFFF, 0x8000_0000, 0x00FF_FFFD


def _wh(joules: float) -> int:
    return int(joules / 3600)


def _nothing(_: View) -> None:
    return None


def rows(plant: Plant) -> list[Row]:
    spec = plant.spec
    return [
        Row(30051, "u32", 8007),
        Row(30053, "u32", 9332),
        Row(30057, "u32", plant.seed),
        Row(30201, "u32", 307),
        Row(30233, "u32", spec.ac_max_w),
        Row(30513, "u64", lambda v: _wh(v.s.ac_out_j)),
        Row(30595, "u32", lambda v: _wh(v.s.charged_j)),
        Row(30597, "u32", lambda v: _wh(v.s.discharged_j)),
        Row(30775, "s32", lambda v: v.s.battery_ac_w),
        Row(30777, "s32", lambda v: v.s.battery_ac_w),
        Row(30779, "s32", None, na=NA_S32),
        Row(30781, "s32", None, na=NA_S32),
        Row(30783, "u32", lambda v: v.s.grid_mv / 10),
        Row(30785, "u32", None, na=NA_U32),
        Row(30787, "u32", None, na=NA_U32),
        Row(30803, "u32", lambda v: v.s.frequency_mhz / 10),
        Row(30843, "s32", lambda v: v.s.current_a * 1000),
        Row(30845, "u32", lambda v: v.s.soc * 100),
        Row(30847, "u32", lambda v: v.s.soh * 100),
        Row(30849, "s32", lambda v: v.s.temperature_c * 10),
        Row(30851, "u32", lambda v: v.s.voltage_v * 100),
        Row(30865, "s32", lambda v: max(v.s.grid_w, 0)),
        Row(30867, "s32", lambda v: max(-v.s.grid_w, 0)),
        Row(40149, "s32", 0, "power_w", held=True, na=NA_S32, shown=_nothing),
        Row(40151, "u32", INACTIVE, "active", held=True, na=NA_TAG, allowed=CODES, shown=_nothing),
        Row(40189, "u32", spec.charge_max_w),
        Row(40191, "u32", spec.discharge_max_w),
        Row(44425, "s32", lambda v: v.bank.value("power_w")),
        Row(44427, "u32", lambda v: v.bank.value("active")),
    ]


@dataclass(slots=True)
class SmaLogic:
    """The external setpoint and its watchdog."""

    ends_ms: int = 0

    def written(self, bank: Bank, names: frozenset[str], now_ms: int) -> None:
        if "power_w" in names:
            self.ends_ms = now_ms + WATCHDOG_S * 1000

    def order(self, bank: Bank, now_ms: int) -> Order:
        if bank.value("active") == ACTIVE and now_ms < self.ends_ms:
            return Order("ac", bank.value("power_w"))
        return Order()


def build(plant: Plant) -> Bank:
    return Bank(plant, {UNIT: rows(plant)}, SmaLogic(), tables=("holding", "input"), whole_values=True)
