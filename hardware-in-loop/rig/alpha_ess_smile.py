"""An Alpha ESS SMILE with its battery: holding registers of unit 85, high word first.

Owns the table and the dispatch: one write of nine registers from 0x0880 starts it, with the battery's power
as 32000 + watts (more is discharging), its mode, a state of charge at which it stops, and its seconds. Of the
modes only 2 (by state of charge) is known here; others leave the inverter to itself. 0x0880 falls back to 0
when the seconds are over. Registers, signs and times: Alpha2MQTT, senalse, Poshy163, dallonby (facts only).
"""

from dataclasses import dataclass

from rig.bank import Bank, Row
from rig.physics import Order
from rig.plant import Plant

UNIT = 85
START, STOP = 1, 0
ZERO_W = 32_000
BY_CHARGE = 2


def _tenths(joules: float) -> int:
    return int(joules / 360_000)  # kWh / 10


def rows(plant: Plant) -> list[Row]:
    spec = plant.spec
    return [
        Row(0x10, "u32", lambda v: v.s.exported_j / 36_000),
        Row(0x12, "u32", lambda v: v.s.imported_j / 36_000),
        Row(0x14, "u16", lambda v: v.s.grid_mv / 1000),
        Row(0x1A, "u16", lambda v: v.s.frequency_mhz / 10),
        Row(0x21, "s32", lambda v: v.s.grid_w),
        Row(0x0100, "u16", lambda v: v.s.voltage_v * 10),
        Row(0x0101, "s16", lambda v: v.s.current_a * 10),
        Row(0x0102, "u16", lambda v: v.s.soc * 1000),
        Row(0x0107, "u16", lambda v: v.s.voltage_v * 1000 / spec.cells),
        Row(0x010A, "u16", lambda v: v.s.voltage_v * 1000 / spec.cells),
        Row(0x0111, "u16", lambda v: v.s.charge_limit_a * 10),
        Row(0x0112, "u16", lambda v: v.s.discharge_limit_a * 10),
        Row(0x0119, "u16", spec.capacity_wh / 100),
        Row(0x011B, "u16", lambda v: v.s.soh * 1000),
        Row(0x0120, "u32", lambda v: _tenths(v.s.charged_j)),
        Row(0x0122, "u32", lambda v: _tenths(v.s.discharged_j)),
        Row(0x0126, "s16", lambda v: v.s.battery_w),
        Row(0x012C, "u16", spec.charge_max_w),
        Row(0x012D, "u16", spec.discharge_max_w),
        Row(0x040C, "s32", lambda v: v.s.battery_ac_w + v.s.pv_w),
        Row(0x041F, "u32", lambda v: v.s.pv_w),
        Row(0x0423, "u32", 0),
        Row(0x0427, "u32", 0),
        Row(0x0435, "s16", 289),
        Row(0x043E, "u32", lambda v: _tenths(v.s.produced_j)),
        Row(0x064A, "str", plant.serial, size=10),
        Row(0x0880, "u16", STOP, "start", held=True, allowed=(STOP, START)),
        Row(0x0881, "s32", ZERO_W, "power", held=True),
        Row(0x0883, "s32", ZERO_W, "reactive", held=True),
        Row(0x0885, "u16", 0, "mode", held=True, allowed=range(21)),
        Row(0x0886, "u16", 0, "target", held=True, allowed=range(256)),
        Row(0x0887, "u32", 0, "seconds", held=True),
    ]


@dataclass(slots=True)
class AlphaLogic:
    """The dispatch and its seconds."""

    ends_ms: int = 0

    def written(self, bank: Bank, names: frozenset[str], now_ms: int) -> None:
        if names & {"start", "seconds"}:
            self.ends_ms = now_ms + 1000 * bank.value("seconds")

    def order(self, bank: Bank, now_ms: int) -> Order:
        if bank.value("start") == START and now_ms >= self.ends_ms:
            bank.put("start", STOP)
        if bank.value("start") == STOP or bank.value("mode") != BY_CHARGE:
            return Order()
        power_w, target = bank.value("power") - ZERO_W, bank.value("target") * 0.004
        soc = bank.plant.state.soc
        reached = soc >= target if power_w < 0 else soc <= target
        return Order("battery", 0 if power_w and reached else power_w)


def build(plant: Plant) -> Bank:
    return Bank(plant, {UNIT: rows(plant)}, AlphaLogic())
