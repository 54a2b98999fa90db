"""The battery's figures as metrics: each with its period, in base units, and none that is not known."""

from dataclasses import asdict, fields

from gateway.analytics.figures import Performance
from gateway.uplink.http import prometheus
from gateway.uplink.http.figures import _FIGURES, families
from tests.gateway.http_site import STATUS
from tests.gateway.performances import performance
from tests.gateway.test_http_metrics import parsed

UNSHOWN = {
    "start_ms",
    "end_ms",
    "capacity_error_bp",
    "rated_wh",
    "imbalance_rest_mv",
}  # on the page or nowhere


def told(**changes: object) -> dict[tuple, float]:
    return parsed(prometheus.text(families({**STATUS["performance"], **changes})))


def test_each_figure_has_its_period_and_its_unit() -> None:
    found = told()
    day, month = ("period", "day"), ("period", "month")
    assert found["gridseal_battery_charged_watt_hours", day] == 1300
    assert found["gridseal_battery_charged_watt_hours", month] == 240_000
    assert found["gridseal_battery_equivalent_cycles", month] == 22.8
    assert found["gridseal_battery_round_trip_ratio", month] == 0.9
    assert found["gridseal_battery_usable_capacity_watt_hours", month] == 10_000
    assert found["gridseal_battery_cell_imbalance_volts", day] == 0.02
    assert found["gridseal_battery_warmest_celsius", day] == 26
    assert found["gridseal_battery_availability_ratio", day] == 1
    assert found["gridseal_battery_health_change_per_year_ratio",] == -0.018
    assert found["gridseal_maintenance", ("code", "insulation"), ("severity", "critical")] == 1


def test_what_is_not_known_has_no_line() -> None:
    assert ("gridseal_battery_usable_capacity_watt_hours", ("period", "day")) not in told()
    assert not [key for key in told(month=None) if ("period", "month") in key]
    assert not [key for key in told(health=None) if "per_year" in key[0]]
    nothing = {"day": None, "month": None, "health": None, "alerts": []}
    for said in (None, nothing):
        assert prometheus.text(families(said)) == "\n"


def test_no_figure_is_forgotten() -> None:
    """One that is new is shown, or said here not to be."""
    flags = {name for name in asdict(performance()) if name.endswith("_flags")}  # in the alerts
    assert {f.name for f in fields(Performance)} - UNSHOWN - flags == set(_FIGURES)
