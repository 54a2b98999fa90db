"""Alerts: raised after so many bad days, ended by the other threshold, untouched by days that say nothing."""

from itertools import groupby

import pytest

from gateway.analytics.alerts import RULES, alerts
from gateway.analytics.figures import AlertCode, Severity
from tests.gateway.performances import DAY_MS, performance


def codes(*days):
    return {alert.code for alert in alerts(days)}


def in_a_row(count, first=0, **changes):
    return [performance(first + n, **changes) for n in range(count)]


def test_a_battery_that_is_well_has_none():
    assert alerts(in_a_row(40)) == ()
    assert alerts([]) == ()


@pytest.mark.parametrize(
    ("code", "changes", "days"),
    [
        (AlertCode.SOH_LOW, {"soh_bp": 8000}, 3),
        (AlertCode.IMBALANCE, {"imbalance_ms": 3_600_000}, 1),
        (AlertCode.HOT, {"temperature_max_cc": 5000}, 1),
        (AlertCode.COLD, {"temperature_min_cc": 0}, 1),
        (AlertCode.COMMS, {"losses": 12}, 1),
        (AlertCode.FAN, {"battery_alarms_flags": 1 << 21}, 1),
        (AlertCode.INSULATION, {"inverter_alarms_flags": 1}, 1),
        (AlertCode.CONTACTOR, {"battery_alarms_flags": 1 << 20}, 1),
        (AlertCode.DEVICE_ALARM, {"battery_alarms_flags": 1 << 3}, 1),
    ],
)
def test_each_is_raised_by_its_figure_and_no_day_earlier(code, changes, days):
    assert code not in codes(*in_a_row(5), *in_a_row(days - 1, 5, **changes))
    found = codes(*in_a_row(5), *in_a_row(days, 5, **changes))
    assert found == {code}


def test_it_has_begun_where_its_condition_did_and_says_how_much():
    days = [*in_a_row(5), *in_a_row(4, 5, soh_bp=7900)]
    (alert,) = alerts(days)
    assert (alert.since_ms, alert.severity) == (5 * DAY_MS, Severity.NOTICE)
    assert "79.0 %" in alert.text


def test_between_the_thresholds_it_stands_and_beyond_the_other_it_ends():
    hot = [*in_a_row(1, temperature_max_cc=5000), *in_a_row(3, 1, temperature_max_cc=4800)]
    assert codes(*hot) == {AlertCode.HOT}
    assert codes(*hot, performance(4, temperature_max_cc=4700)) == set()


def test_a_day_that_tells_nothing_changes_nothing():
    assert codes(performance(0, temperature_max_cc=5000), performance(1, temperature_max_cc=None)) == {
        AlertCode.HOT
    }


def test_a_worse_week_of_round_trips_is_said():
    days = [*in_a_row(40, efficiency_bp=9000), *in_a_row(10, 40, efficiency_bp=8600)]
    assert codes(*days) == {AlertCode.EFFICIENCY_LOW}


def test_the_gravest_come_first():
    found = alerts(
        [performance(0, temperature_min_cc=-100, temperature_max_cc=6000, inverter_alarms_flags=1)]
    )
    order = [severity for severity, _ in groupby(a.severity for a in found)]
    assert order == [Severity.CRITICAL, Severity.WARNING, Severity.NOTICE]


def test_every_code_has_a_rule():
    assert {rule.code for rule in RULES} == set(AlertCode)
