"""A Victron GX with an inverter/charger in each of three phases: the single-phase one, its powers in thirds.

Owns what differs: 28 says three phases, 37, 40 and 41 are a setpoint each, and external control goes on only
while all three were written within the watchdog's time. Registers and the split: dbus_modbustcp, OpenEMS
(facts only).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from rig.bank import Bank, Row, View
from rig.physics import Order
from rig.plant import Plant
from rig.victron_gx import (
    BATTERY,
    EXTERNAL,
    SYSTEM,
    VEBUS,
    WATCHDOG_S,
    VictronLogic,
    battery_rows,
    system_rows,
    vebus_rows,
)

PHASES = ("l1_w", "l2_w", "l3_w")


def _thirds(first: int, kind: str, whole: Callable[[View], int]) -> list[Row]:
    """Three registers whose sum is `whole`."""

    def third(n: int) -> Callable[[View], int]:
        return lambda v: whole(v) // 3 if n else whole(v) - 2 * (whole(v) // 3)

    return [Row(first + n, kind, third(n)) for n in range(3)]


def _with(rows: list[Row], instead: list[Row], without: tuple[int, ...] = ()) -> list[Row]:
    gone = {row.address for row in instead} | set(without)
    return [row for row in rows if row.address not in gone] + instead


@dataclass(slots=True)
class ThreePhaseLogic(VictronLogic):
    """A setpoint and a watchdog for each phase."""

    phase_ends_ms: dict[str, int] = field(default_factory=dict)

    def written(self, bank: Bank, names: frozenset[str], now_ms: int) -> None:
        for name in names & set(PHASES):
            self.phase_ends_ms[name] = now_ms + WATCHDOG_S * 1000
        VictronLogic.written(self, bank, names - set(PHASES), now_ms)

    def order(self, bank: Bank, now_ms: int) -> Order:
        low, high = self._window(bank)
        if bank.value("mode") != EXTERNAL:
            return Order("grid", bank.value("grid_volatile_w"), low, high)
        if any(now_ms >= self.phase_ends_ms.get(name, 0) for name in PHASES):
            return Order("self", 0, low, high)
        return Order("ac", -sum(bank.value(name) for name in PHASES), low, high)


def build(plant: Plant) -> Bank:
    system = _thirds(817, "u16", lambda v: v.s.load_w) + _thirds(820, "s16", lambda v: v.s.grid_w)
    vebus = [
        Row(28, "u16", 3),
        *_thirds(12, "s16", lambda v: -v.s.battery_ac_w // 10),
        *(Row(at, "s16", 0, name, held=True) for at, name in zip((37, 40, 41), PHASES, strict=True)),
    ]
    units = {
        SYSTEM: _with(system_rows(plant), system),
        BATTERY: battery_rows(plant),
        VEBUS: _with(vebus_rows(), vebus, without=(96,)),
    }
    return Bank(plant, units, ThreePhaseLogic(), tables=("holding", "input"))
