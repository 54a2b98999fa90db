"""A Deye three-phase hybrid inverter with a low-voltage battery: registers of unit 1, low word first.

Owns the table and remote mode: while 1100 is 1, 1104 is the battery's side (1) and 1105 its power (2), 1109
is the battery's power in thousandths of the inverter's rating (20), + = discharging. 1101 seconds after it
was last written to the block the inverter leaves remote mode and shows 1100 as 0 (what a real one shows then
is not known); 0xFFFF, as delivered, is never. Temperatures count from -100 °C. Registers, signs and order:
kellerza/sunsynk, ha-solarman, srcfl/device-drivers, voltpilot-ems (facts only).
"""

from dataclasses import dataclass

from rig.bank import Bank, Row
from rig.physics import Order
from rig.plant import Plant

UNIT = 1
OFF, ON = 0, 1
AC_SIDE, BATTERY_SIDE = 0, 1
BY_POWER = 2
NEVER = 0xFFFF
REMOTE = frozenset({"mode", "timeout_s", "side", "strategy", "permille"})


def _per_100(joules: float) -> int:
    return int(joules / 360_000)


def _celsius(degrees: float) -> float:
    return degrees * 10 + 1000


def rows(plant: Plant) -> list[Row]:
    spec = plant.spec
    return [
        Row(0, "u16", 0x0500),
        Row(3, "str", "2211000001", size=5),
        Row(20, "u32", spec.discharge_max_w * 10, little=True),
        Row(212, "u16", lambda v: v.s.charge_limit_a),
        Row(213, "u16", lambda v: v.s.discharge_limit_a),
        Row(500, "u16", 2),
        Row(516, "u32", lambda v: _per_100(v.s.charged_j), little=True),
        Row(518, "u32", lambda v: _per_100(v.s.discharged_j), little=True),
        Row(522, "u32", lambda v: _per_100(v.s.imported_j), little=True),
        Row(524, "u32", lambda v: _per_100(v.s.exported_j), little=True),
        Row(534, "u32", lambda v: _per_100(v.s.produced_j), little=True),
        Row(541, "u16", _celsius(44.4)),
        Row(586, "u16", lambda v: _celsius(v.s.temperature_c)),
        Row(587, "u16", lambda v: v.s.voltage_v * 100),
        Row(588, "u16", lambda v: v.s.soc * 100),
        Row(590, "s16", lambda v: v.s.battery_w),
        Row(591, "s16", lambda v: v.s.current_a * 100),
        Row(598, "u16", lambda v: v.s.grid_mv / 100),
        Row(609, "u16", lambda v: v.s.frequency_mhz / 10),
        Row(625, "s16", lambda v: v.s.grid_w),
        Row(636, "s16", lambda v: v.s.battery_ac_w + v.s.pv_w),
        Row(653, "s16", lambda v: v.s.load_w),
        Row(672, "u16", lambda v: v.s.pv_w),
        *(Row(673 + n, "u16", 0) for n in range(3)),
        Row(1100, "u16", OFF, "mode", held=True, allowed=range(4)),
        Row(1101, "u16", NEVER, "timeout_s", held=True, allowed=(*range(10, 18_001), NEVER)),
        Row(1104, "u16", AC_SIDE, "side", held=True, allowed=range(3)),
        Row(1105, "u16", BY_POWER, "strategy", held=True, allowed=range(6)),
        Row(1109, "s16", 0, "permille", held=True, allowed=range(-1200, 1201)),
    ]


@dataclass(slots=True)
class DeyeLogic:
    """Remote mode and its dead-man."""

    ends_ms: int | None = None

    def written(self, bank: Bank, names: frozenset[str], now_ms: int) -> None:
        if names & REMOTE:
            seconds = bank.value("timeout_s")
            self.ends_ms = None if seconds == NEVER else now_ms + 1000 * seconds

    def order(self, bank: Bank, now_ms: int) -> Order:
        if self.ends_ms is not None and now_ms >= self.ends_ms:
            bank.put("mode", OFF)
        here = bank.value("side") == BATTERY_SIDE and bank.value("strategy") == BY_POWER
        if bank.value("mode") == OFF or not here:
            return Order()
        return Order("battery", round(bank.value("permille") * bank.plant.spec.discharge_max_w / 1000))


def build(plant: Plant) -> Bank:
    return Bank(plant, {UNIT: rows(plant)}, DeyeLogic())
