"""A Victron GX with one single-phase MultiPlus in ESS: registers of units 100, 225 and 227.

Owns the table and the two ways to command it. ESS modes 1 and 2: a grid setpoint (2700, 2703 and 2716 are
one setting), held by the device for ever. Mode 3: power at the VE.Bus AC input (+ = taken from the grid),
dropped after WATCHDOG_S without a write; then self-consumption takes over. All loads are on AC-in. It
refuses addresses that the real one does not list; both tables answer. Source of addresses, types and
scales: victronenergy/dbus_modbustcp attributes.csv.
"""

from dataclasses import dataclass

from rig.bank import Bank, Row, View
from rig.physics import Order
from rig.plant import Plant

SYSTEM, BATTERY, VEBUS = 100, 225, 227
WATCHDOG_S = 60
EXTERNAL = 3
MODES = frozenset({1, 2, EXTERNAL})
NO_LIMIT = -1


def _kwh(joules: float, per: int) -> int:
    return int(joules / 3_600_000 * per)


def _state(v: View) -> int:
    return 0 if not v.s.battery_ac_w else 2 if v.s.battery_ac_w > 0 else 1


def system_rows(plant: Plant) -> list[Row]:
    return [
        Row(800, "str", "c0619a0b1c2d", size=6),
        *(Row(address, "u16", 0) for address in range(806, 811)),
        Row(811, "u16", lambda v: v.s.pv_w),
        *(Row(address, "u16", 0) for address in range(812, 817)),
        Row(817, "u16", lambda v: v.s.load_w),
        Row(818, "u16", 0),
        Row(819, "u16", 0),
        Row(820, "s16", lambda v: v.s.grid_w),
        *(Row(address, "s16", 0) for address in range(821, 826)),
        Row(826, "s16", 1),
        Row(840, "u16", lambda v: v.s.voltage_v * 10),
        Row(841, "s16", lambda v: -v.s.current_a * 10),
        Row(842, "s16", lambda v: -v.s.battery_w),
        Row(843, "u16", lambda v: v.s.soc * 100),
        Row(844, "u16", _state),
        Row(850, "u16", 0),
        Row(851, "s16", 0),
        Row(855, "u16", 0),
        Row(860, "s16", 0),
        Row(865, "s16", lambda v: -v.s.current_a * 10),
        Row(866, "s16", lambda v: -v.s.battery_w),
        Row(908, "s32", lambda v: v.s.grid_w),
        Row(910, "s32", 0),
        Row(912, "s32", 0),
        Row(2700, "s16", 0, "grid_w", held=True),
        Row(2703, "s16", 0, "grid_100w", held=True),
        Row(2704, "s16", NO_LIMIT, "discharge_10w", held=True),
        Row(2705, "s16", NO_LIMIT, "charge_a", held=True),
        Row(2716, "s32", 0, "grid_volatile_w", held=True),
        Row(2900, "u16", 10),
        Row(2901, "u16", 100, "soc_min_permille", held=True, allowed=range(1001)),
        Row(2902, "u16", 1, "mode", held=True, allowed=MODES),
    ]


def battery_rows(plant: Plant) -> list[Row]:
    return [
        Row(256, "s32", lambda v: -v.s.battery_w),
        Row(258, "s16", lambda v: -v.s.battery_w),
        Row(259, "u16", lambda v: v.s.voltage_v * 100),
        Row(261, "s16", lambda v: -v.s.current_a * 10),
        Row(262, "s16", lambda v: v.s.temperature_c * 10),
        Row(266, "u16", lambda v: v.s.soc * 1000),
        Row(301, "u16", lambda v: _kwh(v.s.discharged_j, 10)),
        Row(302, "u16", lambda v: _kwh(v.s.charged_j, 10)),
        Row(304, "u16", lambda v: v.s.soh * 1000),
        Row(305, "u16", 568),
        Row(306, "u16", 448),
        Row(307, "u16", lambda v: int(v.s.charge_limit_a * 10)),
        Row(308, "u16", lambda v: int(v.s.discharge_limit_a * 10)),
        Row(309, "u16", round(10 * plant.spec.capacity_wh / plant.spec.nominal_v)),
    ]


def vebus_rows() -> list[Row]:
    def volts(v: View) -> float:
        return v.s.grid_mv / 100

    zero = (4, 5, 7, 8, 10, 11, 13, 14, 16, 17, *range(18, 21), 24, 25, 32)
    return [
        *(Row(address, "s16", 0) for address in zero),
        Row(3, "u16", volts),
        Row(6, "s16", lambda v: -v.s.battery_ac_w * 10_000 / v.s.grid_mv),
        Row(9, "s16", lambda v: v.s.frequency_mhz / 10),
        Row(12, "s16", lambda v: -v.s.battery_ac_w / 10),
        Row(15, "u16", volts),
        Row(21, "s16", lambda v: v.s.frequency_mhz / 10),
        Row(22, "s16", 500),
        Row(23, "s16", 0),
        Row(26, "u16", lambda v: v.s.voltage_v * 100),
        Row(27, "s16", lambda v: -v.s.current_a * 10),
        Row(28, "u16", 1),
        Row(29, "u16", 0),
        Row(30, "u16", lambda v: v.s.soc * 1000),
        Row(31, "u16", lambda v: 9 if v.s.battery_ac_w > 0 else 3),
        Row(33, "u16", 3),
        Row(37, "s16", 0, "l1_w", held=True),
        Row(38, "u16", 0, "no_charge", held=True, allowed=range(2)),
        Row(39, "u16", 0, "no_feed_in", held=True, allowed=range(2)),
        *(Row(address, "u32", 0) for address in (78, 80, 84, 88, 90, 92)),
        Row(74, "u32", 0),
        Row(76, "u32", lambda v: _kwh(v.s.ac_in_j, 100)),
        Row(82, "u32", 0),
        Row(86, "u32", lambda v: _kwh(v.s.ac_out_j, 100)),
        Row(96, "s32", 0, "l1_wide_w", held=True),
    ]


@dataclass(slots=True)
class VictronLogic:
    """Grid setpoint or external control, as 2902 says."""

    ends_ms: int = 0

    def written(self, bank: Bank, names: frozenset[str], now_ms: int) -> None:
        if names & {"l1_w", "l1_wide_w"}:
            self.ends_ms = now_ms + WATCHDOG_S * 1000
            wanted = bank.value("l1_w") if "l1_w" in names else bank.value("l1_wide_w")
            bank.put("l1_w", wanted)
            bank.put("l1_wide_w", wanted)
        for name, factor in (("grid_w", 1), ("grid_100w", 100), ("grid_volatile_w", 1)):
            if name in names:
                wanted = bank.value(name) * factor
                bank.put("grid_w", wanted)
                bank.put("grid_100w", wanted / 100)
                bank.put("grid_volatile_w", wanted)

    def order(self, bank: Bank, now_ms: int) -> Order:
        low, high = self._window(bank)
        if bank.value("mode") != EXTERNAL:
            return Order("grid", bank.value("grid_volatile_w"), low, high)
        if now_ms >= self.ends_ms:
            return Order("self", 0, low, high)
        return Order("ac", -bank.value("l1_wide_w"), low, high)

    def _window(self, bank: Bank) -> tuple[int | None, int | None]:
        state, external = bank.plant.state, bank.value("mode") == EXTERNAL
        low = None if bank.value("charge_a") < 0 else int(-bank.value("charge_a") * state.voltage_v)
        high = None if bank.value("discharge_10w") < 0 else bank.value("discharge_10w") * 10
        if external and bank.value("no_charge"):
            low = 0
        if (external and bank.value("no_feed_in")) or (
            not external and state.soc * 1000 <= bank.value("soc_min_permille")
        ):
            high = 0
        return low, high


def build(plant: Plant) -> Bank:
    units = {SYSTEM: system_rows(plant), BATTERY: battery_rows(plant), VEBUS: vebus_rows()}
    return Bank(plant, units, VictronLogic(), tables=("holding", "input"))
