"""The battery's own voice: Pylontech CAN frames from the physics, once a second.

Owns the frames and what can be wrong with them. Little endian, 11-bit ids; current + = charging on the
wire, temperatures in 0.1 degree (0x373: kelvin). It refuses to know which bus they leave on. Each 0x351
tells the witness what the battery allows, as it was said.

Kinds of fault: silent (no frame), no_351 (all but the limits), zero (limits of 0 A), sentinel (limits of
0x8000, which mean "not known").
"""

from typing import Any

from rig.plant import Plant

PERIOD_MS = 1_000
KEEP_ALIVE = 0x305
KINDS = frozenset({"silent", "no_351", "zero", "sentinel"})
CHARGE_VOLTAGE_DV, EMPTY_VOLTAGE_DV = 568, 448  # 16 cells: 3.55 V and 2.80 V
UNKNOWN = 0x8000
CHARGE_ENABLE, DISCHARGE_ENABLE = 0x80, 0x40
CELL_SPREAD_MV = 4
MODULES = 4

Frame = tuple[int, bytes]


def _u16(*values: float) -> bytes:
    return b"".join((round(v) & 0xFFFF).to_bytes(2, "little") for v in values)


class Bms:
    """Frames of one battery over a plant. `listen_s`: without a keep-alive for that long it falls silent
    (0: it does not care)."""

    def __init__(self, plant: Plant, *, listen_s: int = 0) -> None:
        self._plant, self._listen_s = plant, listen_s
        self._broken: set[str] = set()
        self._heard_ms: int | None = None
        self.keep_alives = 0
        self.rounds = 0

    def bind(self) -> None:
        """From now on the witness knows the limits only as this BMS says them."""
        self._plant.publishes = False

    def break_as(self, kind: str) -> None:
        """Set a fault. ValueError for an unknown kind."""
        if kind not in KINDS:
            raise ValueError(f"unknown bms fault {kind!r}: use {', '.join(sorted(KINDS))}")
        self._broken.add(kind)

    def clear(self) -> None:
        self._broken.clear()

    def hear(self, identifier: int, now_ms: int) -> None:
        """A frame from the other side."""
        if identifier == KEEP_ALIVE:
            self.keep_alives += 1
            self._heard_ms = now_ms

    def frames(self, now_ms: int) -> list[Frame]:
        """What goes out in this second; the witness is told the limits it contains."""
        state = self._plant.advance(now_ms)
        if self._heard_ms is None:
            self._heard_ms = now_ms  # patience begins with the first second
        deaf = self._listen_s and now_ms - self._heard_ms > 1000 * self._listen_s
        if deaf or "silent" in self._broken:
            return []
        self.rounds += 1
        limits = [] if "no_351" in self._broken else [(0x351, self._limits(now_ms))]
        cells = 1000 * state.voltage_v / self._plant.spec.cells
        kelvin = state.temperature_c + 273.15
        ampere_hours = state.stored_j / 3600 / self._plant.spec.nominal_v
        enable = (CHARGE_ENABLE if state.charge_limit_a > 0 else 0) | (
            DISCHARGE_ENABLE if state.discharge_limit_a > 0 else 0
        )
        return [
            *limits,
            (0x355, _u16(int(state.soc * 100), int(state.soh * 100), state.soc * 10_000)),
            (0x356, _u16(state.voltage_v * 100, -state.current_a * 10, state.temperature_c * 10)),
            (0x359, bytes((0, 0, 0, 0, MODULES)) + b"PN"),
            (0x35C, bytes((enable, 0))),
            (0x35E, b"PYLON   "),
            (0x35F, _u16(0, 0x0100, ampere_hours)),
            (0x373, _u16(cells - CELL_SPREAD_MV, cells + CELL_SPREAD_MV, kelvin - 0.5, kelvin + 0.5)),
        ]

    def _limits(self, now_ms: int) -> bytes:
        state = self._plant.state
        charge_da, discharge_da = int(state.charge_limit_a * 10), int(state.discharge_limit_a * 10)
        if "zero" in self._broken:
            charge_da = discharge_da = 0
        known = "sentinel" not in self._broken
        told = (charge_da, discharge_da) if known else (0, 0)
        centivolts = round(state.voltage_v * 100)  # as 0x356 says it: the power a reader works out
        self._plant.witness.publish(now_ms, *(da * centivolts // 1000 for da in told))
        shown = (charge_da, discharge_da) if known else (UNKNOWN, UNKNOWN)
        return _u16(CHARGE_VOLTAGE_DV, *shown, EMPTY_VOLTAGE_DV)

    def report(self) -> dict[str, Any]:
        """Counts for the control channel."""
        return {"rounds": self.rounds, "keep_alives": self.keep_alives, "faults": sorted(self._broken)}
