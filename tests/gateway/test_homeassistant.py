"""The discovery message: classes and units that Home Assistant knows, and templates that hide what is bad."""

import json

import pytest

from gateway.model import UNITS, Point, Quantity
from gateway.uplink.homeassistant import discovery


def sensor(name: str) -> dict[str, str]:
    _, text = discovery("meadow", "gridseal/meadow", "bms", (Point("bms", name),))
    return json.loads(text)["cmps"][name]


def test_the_message_names_device_topics_and_origin() -> None:
    topic, text = discovery("meadow", "gridseal/meadow", "bms", (Point("bms", "battery_soc_bp"),))
    told = json.loads(text)
    assert topic == "homeassistant/device/gridseal-meadow-bms/config"
    assert told["dev"] == {"ids": ["gridseal-meadow-bms"], "name": "meadow bms"}
    assert told["o"] == {"name": "Gridseal"}
    assert (told["state_topic"], told["availability_topic"], told["qos"]) == (
        "gridseal/meadow/bms",
        "gridseal/meadow/status",
        1,
    )


@pytest.mark.parametrize(
    ("name", "kind", "unit", "state", "scaled"),
    [
        (Quantity.BATTERY_SOC, "battery", "%", "measurement", "v / 100"),
        (Quantity.BATTERY_POWER, "power", "W", "measurement", "v"),
        (Quantity.GRID_FREQUENCY, "frequency", "Hz", "measurement", "v / 1000"),
        (Quantity.GRID_IMPORTED, "energy", "Wh", "total_increasing", "v"),
        (Quantity.BATTERY_CAPACITY, "energy_storage", "Wh", "measurement", "v"),
        (Quantity.BATTERY_SOH, None, "%", "measurement", "v / 100"),
        (Quantity.BATTERY_ALARMS, None, None, "measurement", "v"),
    ],
)
def test_a_point_is_shown_in_a_unit_people_know(
    name: Quantity, kind: str | None, unit: str | None, state: str, scaled: str
) -> None:
    shown = sensor(name)
    assert (shown.get("device_class"), shown.get("unit_of_measurement")) == (kind, unit)
    assert shown["state_class"] == state
    assert f"else {scaled} }}}}" in shown["value_template"]
    assert ("entity_category" in shown) == (unit is None)


def test_the_template_hides_absent_bad_and_missing_values() -> None:
    assert sensor("x_w")["value_template"] == (
        "{% if \"x_w\" in value_json['values'] %}{% set v = value_json['values'][\"x_w\"] %}"
        "{{ 'None' if v is none or \"x_w\" in value_json.get('bad', {}) else v }}{% endif %}"
    )


def test_every_unit_of_the_model_makes_a_sensor_with_an_id_of_its_own() -> None:
    points = tuple(Point("bms", f"x_{unit}") for unit in UNITS)
    _, text = discovery("meadow", "gridseal/meadow", "bms", points)
    sensors = json.loads(text)["cmps"].values()
    assert len({s["unique_id"] for s in sensors}) == len(UNITS)
    assert all(s["p"] == "sensor" and s["value_template"] for s in sensors)
