"""A synthetic battery whose truth is known: intervals of a quarter hour over any time, as tallies.

The battery holds `capacity_wh` between empty and full and loses `1 - efficiency` on the way in. Its SoC is
shown in whole percents. It is charged by day and discharged in the evening, deeper on some days than on
others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from gateway.analytics import charge
from gateway.analytics.tally import Tally

QUARTER_MS = 900_000
DAY_MS = 86_400_000
YEAR_DAYS = 365


@dataclass(slots=True)
class Battery:
    capacity_wh: float = 10_000.0
    fade_per_year: float = 0.02
    efficiency: float = 0.90
    rated_wh: int = 10_000
    seed: int = 1
    level_wh: float = 2000.0

    def now_wh(self, day: float) -> float:
        return self.capacity_wh * (1 - self.fade_per_year * day / YEAR_DAYS)

    def days(self, count: int) -> Iterator[Tally]:
        """The intervals of so many days, each extended by the one before."""
        rng, previous, carry = Random(self.seed), None, [0.0, 0.0]
        for day in range(count):
            deep = rng.uniform(0.35, 0.95)
            for quarter in range(96):
                at_ms = day * DAY_MS + quarter * QUARTER_MS
                now_wh = self.now_wh(day + quarter / 96)
                power_w = self._power(quarter, deep * now_wh, rng)
                charged, discharged = self._move(power_w / 4, now_wh)
                whole = []
                for place, wh in enumerate((charged, discharged)):
                    carry[place] += wh
                    whole.append(int(carry[place]))
                    carry[place] -= int(carry[place])
                previous = charge.extend(previous, self._tally(at_ms, whole, now_wh))
                yield previous

    def _power(self, quarter: int, target_wh: float, rng: Random) -> float:
        """+ discharging. Charges from 9 to 15 h, discharges from 17 to 23 h, with noise."""
        if 36 <= quarter < 60:
            return -target_wh / 6 / self.efficiency * rng.uniform(0.6, 1.4)
        if 68 <= quarter < 92:
            return target_wh / 6 * rng.uniform(0.6, 1.4)
        return 0.0

    def _move(self, wh: float, now_wh: float) -> tuple[float, float]:
        """Charged and discharged, as far as the battery has room or content."""
        if wh > 0:
            out = min(wh, max(0.0, self.level_wh - 0.03 * now_wh))
            self.level_wh -= out
            return 0.0, out
        into = min(-wh, max(0.0, 0.98 * now_wh - self.level_wh) / self.efficiency)
        self.level_wh += into * self.efficiency
        return into, 0.0

    def _tally(self, at_ms: int, energies: list[int], now_wh: float) -> Tally:
        return Tally(
            at_ms,
            at_ms + QUARTER_MS,
            energies[0],
            energies[1],
            soc_bp=round(self.level_wh / now_wh * 100) * 100,
            rated_wh=self.rated_wh,
            reached_ms=QUARTER_MS,
            available_ms=QUARTER_MS,
        )
