"""A period's figures for tests: everything known and well unless a test says otherwise."""

from gateway.analytics.figures import Performance

DAY_MS = 86_400_000


def performance(day: int = 0, **changes: int | None) -> Performance:
    known: dict[str, int | None] = {
        "start_ms": day * DAY_MS,
        "end_ms": (day + 1) * DAY_MS,
        "charged_wh": 8000,
        "discharged_wh": 7200,
        "cycles_milli": 760,
        "efficiency_bp": 9000,
        "capacity_wh": 10_000,
        "capacity_error_bp": 100,
        "rated_wh": 10_000,
        "soh_bp": 9900,
        "soh_measured_bp": 10_000,
        "imbalance_mv": 20,
        "imbalance_rest_mv": 8,
        "imbalance_ms": 0,
        "temperature_min_cc": 1800,
        "temperature_max_cc": 2600,
        "availability_bp": 10_000,
        "faults": 0,
        "losses": 0,
        "battery_alarms_flags": 0,
        "inverter_alarms_flags": 0,
    }
    return Performance(**(known | changes))  # type: ignore[arg-type]
