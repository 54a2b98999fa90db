"""How far apart the cells of a battery are: the largest and the smallest voltage that its BMS reports.

Pure: a fold over samples in order of time. It compares only what came in one sample: two voltages of
different moments under a load that changes differ for no fault of a cell. Under load, resistances differ too,
so what was seen while the battery rested is kept apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

SPREAD_LIMIT_MV = 100  # time beyond is counted; docs/analytics.md says why so much
CELL_MV = range(500, 5001)  # what the voltage of a cell can be
HOLD_MS = 5000


@dataclass(slots=True)
class Cells:
    """`rest_w`: a battery with less power than this, as far as its devices (`batteries`) say, rests."""

    rest_w: int
    batteries: Sequence[frozenset[str]]
    spread_mv: int | None = None
    spread_rest_mv: int | None = None
    spread_ms: int = 0
    power: dict[str, tuple[int, int]] = field(default_factory=dict)  # device -> when, W
    wide: dict[str, int] = field(default_factory=dict)  # device -> since when its last spread was too wide

    def note_power(self, device: str, at_ms: int, power_w: int) -> None:
        self.power[device] = (at_ms, abs(power_w))

    def note_cells(self, device: str, at_ms: int, least_mv: int, most_mv: int) -> None:
        """One pair of voltages. A pair that cannot be is no pair."""
        if least_mv not in CELL_MV or most_mv not in CELL_MV or most_mv < least_mv:
            self.wide.pop(device, None)
            return
        spread_mv = most_mv - least_mv
        self.spread_mv = max(self.spread_mv or 0, spread_mv)
        if self._rests(device, at_ms):
            self.spread_rest_mv = max(self.spread_rest_mv or 0, spread_mv)
        self._time(device, at_ms, spread_mv)

    def _time(self, device: str, at_ms: int, spread_mv: int) -> None:
        since_ms = self.wide.pop(device, None)
        if since_ms is not None:
            self.spread_ms += min(max(0, at_ms - since_ms), HOLD_MS)
        if spread_mv > SPREAD_LIMIT_MV:
            self.wide[device] = at_ms

    def _rests(self, device: str, at_ms: int) -> bool:
        names = next((group for group in self.batteries if device in group), frozenset({device}))
        fresh = [w for name, (ms, w) in self.power.items() if name in names and at_ms - ms <= HOLD_MS]
        return bool(fresh) and max(fresh) <= self.rest_w
