"""The battery's figures as metrics: of the newest day and of the last month, and what is to be seen to.

Pure. The day is that of the newest sealed interval and not over, so its sums fall back at midnight (UTC):
gauges. docs/analytics.md says what each figure is; one that is not known has no line.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.uplink.http.prometheus import Family, Sample

PERIODS = ("day", "month")
# Field of a Performance -> name, help, scale.
_FIGURES: Mapping[str, tuple[str, str, float]] = {
    "charged_wh": ("charged_watt_hours", "energy into the battery", 1),
    "discharged_wh": ("discharged_watt_hours", "energy out of it", 1),
    "cycles_milli": ("equivalent_cycles", "full cycles that this is worth", 1e-3),
    "efficiency_bp": ("round_trip_ratio", "of what went in, how much came back", 1e-4),
    "capacity_wh": ("usable_capacity_watt_hours", "from full to empty, as measured", 1),
    "soh_bp": ("health_said_ratio", "state of health as the battery says", 1e-4),
    "soh_measured_bp": ("health_measured_ratio", "measured capacity against the rated one", 1e-4),
    "imbalance_mv": ("cell_imbalance_volts", "largest difference of two cells", 1e-3),
    "imbalance_ms": ("cell_imbalance_seconds", "in which two cells differed by more than 0.1 V", 1e-3),
    "temperature_min_cc": ("coldest_celsius", "lowest temperature of the battery", 1e-2),
    "temperature_max_cc": ("warmest_celsius", "highest temperature of the battery", 1e-2),
    "availability_bp": ("availability_ratio", "time in which the battery could be used", 1e-4),
    "faults": ("faults", "times that an alarm which ends service began", 1),
    "losses": ("losses", "times that a device fell silent", 1),
}


def families(performance: Mapping[str, Any] | None) -> Iterator[Family]:
    """None: nothing is sealed here, so there are no figures."""
    found = performance or {}
    known = {name: found[name] for name in PERIODS if found.get(name)}
    for field, (name, text, scale) in _FIGURES.items():
        values = ((period, figures[field]) for period, figures in known.items())
        rows: list[Sample] = [({"period": p}, value * scale) for p, value in values if value is not None]
        yield f"battery_{name}", "gauge", text, rows
    health = found.get("health")
    pace = health["per_year_bp"] if health else None
    rows = [] if pace is None else [({}, pace * 1e-4)]
    yield "battery_health_change_per_year_ratio", "gauge", "its trend; - is what it loses", rows
    alerts: list[Sample] = [
        ({"code": one["code"], "severity": one["severity"]}, 1) for one in found.get("alerts", ())
    ]
    yield "maintenance", "gauge", "1: somebody should see to this", alerts
