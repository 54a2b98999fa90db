"""What a technician should see to, from the figures of days: each alert one rule with two thresholds.

Pure: a fold over days in order. An alert is raised when its figure has been bad on so many days in a row, and
ends when it is good again by the other threshold; a day on which the figure is not known changes nothing. It
is no protection: what must be stopped at once, control and the devices stop.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.analytics.figures import Alert, AlertCode, Performance, Severity
from gateway.analytics.health import of_day
from gateway.analytics.trend import middle, trend

Days = Sequence[Performance]
Measure = Callable[[Days], int | None]

RECENT = 30  # days that hysteresis is followed over
WINDOW = 400  # days that a trend looks back
HOUR_MS = 3_600_000
_FAN, _GROUND, _CONTACTOR = 1 << 21, 1 << 22, 1 << 20
_INVERTER_GROUND = 1
_WARNINGS = sum(1 << bit for bit in (2, 4, 6, 8, 10, 12, 13, 14, 15, 16, 24, 26, 29))  # every day's business
_BATTERY_OTHER = ~(_FAN | _GROUND | _CONTACTOR | _WARNINGS)
_GRID_BITS = sum(1 << bit for bit in (4, 6, 8, 9, 10, 11))  # of an inverter: the grid, and a person's switch
_INVERTER_OTHER = ~(_INVERTER_GROUND | _GRID_BITS)


@dataclass(frozen=True, slots=True)
class Rule:
    """Raised at `raised` or beyond for `days` days in a row, ended at `cleared` or before. `up`: beyond is
    above."""

    code: AlertCode
    severity: Severity
    measure: Measure
    raised: int
    cleared: int
    text: Callable[[int], str]
    up: bool = True
    days: int = 1

    def bad(self, value: int) -> bool:
        return value >= self.raised if self.up else value <= self.raised

    def good(self, value: int) -> bool:
        return value <= self.cleared if self.up else value >= self.cleared


def health(days: Days) -> int | None:
    return of_day(days[-1])


def fade(days: Days) -> int | None:
    """Loss of measured capacity, basis points of it a year: what it is at least, as far as days tell."""
    points = [(d.end_ms, d.capacity_wh) for d in days[-WINDOW:] if d.capacity_wh is not None]
    found = trend(points)
    if found is None:
        return None
    return -found.most * 10_000 // middle([wh for _, wh in points])


def efficiency_drop(days: Days) -> int | None:
    """By how much the last week's round trips are worse than those of the two months before."""
    known = [d.efficiency_bp for d in days[-67:] if d.efficiency_bp is not None]
    if len(known) < 21:
        return None
    return middle(known[:-7]) - middle(known[-7:])


def _battery(mask: int) -> Measure:
    return lambda days: days[-1].battery_alarms_flags & mask


def _ground(days: Days) -> int:
    return days[-1].battery_alarms_flags & _GROUND or days[-1].inverter_alarms_flags & _INVERTER_GROUND


def _other_alarms(days: Days) -> int:
    today = days[-1]
    found = today.battery_alarms_flags & _BATTERY_OTHER, today.inverter_alarms_flags & _INVERTER_OTHER
    return sum(bits.bit_count() for bits in found)


def _percent(bp: int) -> str:
    return f"{bp / 100:.1f} %"


def _celsius(cc: int) -> str:
    return f"{cc / 100:.1f} °C"


RULES: tuple[Rule, ...] = (
    Rule(
        AlertCode.SOH_LOW, Severity.NOTICE, health, 8000, 8200,
        lambda v: f"the battery's state of health is {_percent(v)}: plan its replacement, see its warranty",
        up=False, days=3,
    ),
    Rule(
        AlertCode.FADE_FAST, Severity.NOTICE, fade, 400, 300,
        lambda v: f"the usable capacity falls by at least {_percent(v)} a year; two to three are usual",
        days=7,
    ),
    Rule(
        AlertCode.EFFICIENCY_LOW, Severity.NOTICE, efficiency_drop, 300, 150,
        lambda v: f"round trips are less efficient by {_percent(v)} than in the months before",
        days=3,
    ),
    Rule(
        AlertCode.IMBALANCE, Severity.WARNING, lambda days: days[-1].imbalance_ms, HOUR_MS, HOUR_MS // 6,
        lambda v: f"cells differed by more than 0.1 V for {v // 60_000} minutes of a day: have them balanced",
    ),
    Rule(
        AlertCode.HOT, Severity.WARNING, lambda days: days[-1].temperature_max_cc, 5000, 4700,
        lambda v: f"the battery reached {_celsius(v)}: see to its ventilation",
    ),
    Rule(
        AlertCode.COLD, Severity.NOTICE, lambda days: days[-1].temperature_min_cc, 0, 300,
        lambda v: f"the battery fell to {_celsius(v)}: it must not be charged so cold",
        up=False,
    ),
    Rule(
        AlertCode.COMMS, Severity.NOTICE, lambda days: days[-1].losses, 12, 4,
        lambda v: f"devices fell silent {v} times in a day: check cables, termination and network",
    ),
    Rule(
        AlertCode.FAN, Severity.NOTICE, _battery(_FAN), 1, 0,
        lambda _: "the battery reports a fan that fails",
    ),
    Rule(
        AlertCode.INSULATION, Severity.CRITICAL, _ground, 1, 0,
        lambda _: "a device reports a ground fault: have the insulation tested before anybody touches it",
    ),
    Rule(
        AlertCode.CONTACTOR, Severity.WARNING, _battery(_CONTACTOR), 1, 0,
        lambda _: "the battery reports a contactor that fails",
    ),
    Rule(
        AlertCode.DEVICE_ALARM, Severity.WARNING, _other_alarms, 1, 0,
        lambda v: f"battery or inverter reported {v} kinds of alarm in a day: its own display says which",
    ),
)  # fmt: skip


def alerts(days: Days, rules: Sequence[Rule] = RULES) -> tuple[Alert, ...]:
    """What stands at the end of `days`, which are in order of time; the gravest first, then the oldest."""
    order = tuple(Severity)
    found = [alert for rule in rules if (alert := _follow(rule, days)) is not None]
    return tuple(sorted(found, key=lambda a: (-order.index(a.severity), a.since_ms)))


def _follow(rule: Rule, days: Days) -> Alert | None:
    run, since_ms, said, standing = 0, 0, 0, False
    for end in range(max(1, len(days) - RECENT + 1), len(days) + 1):
        value = rule.measure(days[:end])
        if value is None:
            continue
        if rule.bad(value):
            since_ms = since_ms if run or standing else days[end - 1].start_ms
            run += 1
        else:
            run = 0
        standing = (standing or run >= rule.days) and not rule.good(value)
        said = value
    return Alert(rule.code, rule.severity, since_ms, rule.text(said)) if standing else None
