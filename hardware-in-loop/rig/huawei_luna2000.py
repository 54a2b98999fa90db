"""A Huawei SUN2000 hybrid with LUNA2000: registers of unit 1, high word first.

Owns the table and the forced charge: 47100 is the trigger and must come last. What it triggers is a copy of
the powers, the mode and the minutes as they stood at that moment; later changes wait for the next trigger.
It ends by itself after 47083 minutes (47246 = 0) or at the target charge 47101 (47246 = 1). It refuses
trigger values it does not know. Addresses: wlcrs/huawei-solar-lib, evcc (facts only).
"""

from dataclasses import dataclass

from rig.bank import Bank, Row, View
from rig.physics import Order
from rig.plant import Plant

UNIT = 1
STOP, CHARGE, DISCHARGE = 0, 1, 2
BY_TIME, BY_CHARGE = 0, 1
NA_S32, NA_U16 = 0x7FFF_FFFF, 0xFFFF


def _per_100(joules: float) -> int:
    return int(joules / 36_000)  # kWh / 100


def measured_rows(plant: Plant) -> list[Row]:
    spec = plant.spec

    def amps(v: View) -> float:
        return 1000 * (v.s.battery_ac_w + v.s.pv_w) * 1000 / 3 / v.s.grid_mv

    return [
        Row(30000, "str", "SUN2000-RIG-L1", size=15),
        Row(30015, "str", plant.serial, size=10),
        Row(30073, "u32", spec.ac_max_w),
        Row(30075, "u32", spec.ac_max_w),
        Row(32000, "u16", 6),
        Row(32064, "s32", lambda v: v.s.pv_w),
        *(Row(32066 + n, "u16", lambda v: v.s.grid_mv / 100 * 3**0.5) for n in range(3)),
        *(Row(32069 + n, "u16", lambda v: v.s.grid_mv / 100) for n in range(3)),
        *(Row(32072 + 2 * n, "s32", amps) for n in range(3)),
        Row(32080, "s32", lambda v: v.s.battery_ac_w + v.s.pv_w),
        Row(32082, "s32", 0),
        Row(32085, "u16", lambda v: v.s.frequency_mhz / 10),
        Row(32087, "s16", lambda v: v.s.temperature_c * 10),
        Row(32089, "u16", 0x0200),
        Row(32106, "u32", lambda v: _per_100(v.s.ac_out_j)),
        Row(32108, "u32", lambda v: _per_100(v.s.produced_j)),
    ]


def battery_rows(plant: Plant) -> list[Row]:
    spec = plant.spec
    return [
        Row(37022, "s16", lambda v: v.s.temperature_c * 10),
        Row(37046, "u32", spec.charge_max_w),
        Row(37048, "u32", spec.discharge_max_w),
        Row(37100, "u16", 1),
        *(Row(37101 + 2 * n, "s32", lambda v: v.s.grid_mv / 100) for n in range(3)),
        *(Row(37107 + 2 * n, "s32", lambda v: -100_000 * v.s.grid_w / 3 / v.s.grid_mv) for n in range(3)),
        Row(37113, "s32", lambda v: -v.s.grid_w),
        Row(37115, "s32", lambda v: v.s.grid_var),
        Row(37118, "s16", lambda v: v.s.frequency_mhz / 10),
        Row(37119, "s32", lambda v: _per_100(v.s.exported_j), na=NA_S32),
        Row(37121, "s32", lambda v: _per_100(v.s.imported_j), na=NA_S32),
        Row(37758, "u32", spec.capacity_wh),
        Row(37760, "u16", lambda v: v.s.soc * 1000, na=NA_U16),
        Row(37762, "u16", 2),
        Row(37763, "u16", lambda v: v.s.voltage_v * 10),
        Row(37764, "s16", lambda v: -v.s.current_a * 10),
        Row(37765, "s32", lambda v: -v.s.battery_w, na=NA_S32),
        Row(37780, "u32", lambda v: _per_100(v.s.charged_j)),
        Row(37782, "u32", lambda v: _per_100(v.s.discharged_j)),
    ]


def control_rows(plant: Plant) -> list[Row]:
    spec = plant.spec
    return [
        Row(47075, "u32", spec.charge_max_w, "charge_limit_w", held=True),
        Row(47077, "u32", spec.discharge_max_w, "discharge_limit_w", held=True),
        Row(47083, "u16", 0, "minutes", held=True, allowed=range(1441)),
        Row(47087, "u16", 1, "grid_charge", held=True, allowed=range(2)),
        Row(47100, "u16", STOP, "trigger", held=True, allowed=range(3)),
        Row(47101, "u16", 500, "target_permille", held=True, allowed=range(1001)),
        Row(47246, "u16", BY_TIME, "ends_by", held=True, allowed=range(2)),
        Row(47247, "u32", 0, "charge_w", held=True),
        Row(47249, "u32", 0, "discharge_w", held=True),
    ]


@dataclass(slots=True)
class HuaweiLogic:
    """The forced charge in progress; `power_w` + = discharge."""

    power_w: int | None = None
    ends_ms: int | None = None  # None: at the target charge

    def written(self, bank: Bank, names: frozenset[str], now_ms: int) -> None:
        if "trigger" not in names:
            return
        trigger = bank.value("trigger")
        if trigger == STOP:
            self.power_w = None
            return
        self.power_w = -bank.value("charge_w") if trigger == CHARGE else bank.value("discharge_w")
        timed = bank.value("ends_by") == BY_TIME
        self.ends_ms = now_ms + 60_000 * bank.value("minutes") if timed else None

    def order(self, bank: Bank, now_ms: int) -> Order:
        if self.power_w is not None and self._over(bank, now_ms):
            self.power_w = None
            bank.put("trigger", STOP)
        low, high = -bank.value("charge_limit_w"), bank.value("discharge_limit_w")
        kind = "self" if self.power_w is None else "battery"
        return Order(kind, self.power_w or 0, low, high, from_grid=bank.value("grid_charge") == 1)

    def _over(self, bank: Bank, now_ms: int) -> bool:
        if self.ends_ms is not None:
            return now_ms >= self.ends_ms
        permille, target = bank.plant.state.soc * 1000, bank.value("target_permille")
        return permille >= target if bank.value("trigger") == CHARGE else permille <= target


def build(plant: Plant) -> Bank:
    rows = [*measured_rows(plant), *battery_rows(plant), *control_rows(plant)]
    return Bank(plant, {UNIT: rows}, HuaweiLogic())
