"""Metrics, read by Prometheus' own parser: names with units, each family once, no secret."""

import json

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.uplink.http.metrics import COUNTS, GAUGES, MODES, Facts, render
from gateway.uplink.http.views import public
from tests.gateway.http_site import STATUS, facts
from tests.gateway.test_http_views import SECRETS

ALL = Facts(
    {"meter": 700, "bms": 5_100},
    {"meter": 1},
    {"meter": {"frame_errors": 2, "timeouts": 1}, "bms": {"dropped": 3}},
    {name: n for n, name in enumerate(COUNTS, 1)},
    {name: n for n, name in enumerate(GAUGES, 1)},
)


def parsed(text: str) -> dict[tuple, float]:
    return {
        (s.name, *sorted(s.labels.items())): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


def test_each_value_is_there_in_base_units() -> None:
    found = parsed(render(STATUS, ALL))
    assert found["gridseal_battery_power_watts",] == -2358
    assert found["gridseal_battery_soc_ratio",] == 0.5197
    assert found["gridseal_target_power_watts",] == -3000
    assert found["gridseal_device_online", ("device", "bms")] == 0
    moved = [found["gridseal_device_moved", ("device", name)] for name in ("meter", "bms")]
    assert moved == [1, 0]
    assert found["gridseal_device_age_seconds", ("device", "meter")] == 0.7
    assert found["gridseal_link_events_total", ("device", "bms"), ("event", "dropped")] == 3
    assert found["gridseal_chain_lag_records",] == 2
    assert found["gridseal_trouble", ("part", "mqtt")] == 1
    assert found["gridseal_card_written_bytes",] == 5_400_000_000
    assert found["gridseal_card_day_bytes",] == 310_000_000
    assert found["gridseal_card_life_seconds",] == 700 * 86_400
    assert found["gridseal_curtailed", ("cause", "ramp")] == 1
    assert sum(found["gridseal_control_mode", ("mode", mode)] for mode in MODES) == 1
    for n, name in enumerate(COUNTS, 1):
        assert found[f"gridseal_{name}_total",] == n


def test_what_is_not_known_has_no_line() -> None:
    found = parsed(render(STATUS | {"chain": None}, facts()))
    names = {key[0] for key in found}
    assert not names & {
        "gridseal_pv_power_watts",
        "gridseal_chain_lag_records",
        "gridseal_mqtt_published_total",
    }


@pytest.mark.parametrize("status", [STATUS, public(STATUS)])
def test_each_family_is_told_once_with_help_and_type(status: dict) -> None:
    lines = render(status, ALL).splitlines()
    kinds = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(kinds) == len(set(kinds))
    assert [line.split()[2] for line in lines if line.startswith("# HELP")] == kinds
    counters = [line.split()[2] for line in lines if line.endswith(" counter")]
    assert counters and all(name.endswith("_total") for name in counters)
    assert render(status, ALL).endswith("\n")


def test_the_public_ones_have_no_setpoint_and_no_secret() -> None:
    text = render(public(STATUS), ALL)
    assert [secret for secret in SECRETS if secret in text] == []
    assert "target_power" not in text and "commanded_power" not in text
    assert [s for s in SECRETS if s in render(STATUS, ALL) and s not in ("-3000", "-2400", "bms_limit")] == []


def test_labels_are_escaped() -> None:
    status = json.loads(json.dumps(STATUS)) | {"site": 'a"b\\c\nd'}
    assert parsed(render(status, ALL))["gridseal_up", ("site", 'a"b\\c\nd')] == 1
