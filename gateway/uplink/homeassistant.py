"""Home Assistant's MQTT discovery: one retained message tells it every point of a device. Pure.

The templates give each sensor its value in a unit Home Assistant knows, `None` (unknown) where the value
is not GOOD, and an empty text, which it ignores, where a message holds only other points.
"""

import json
from collections.abc import Mapping

from gateway.model import Point, Points, Quantity

PREFIX = "homeassistant/device"

# unit -> (device class, unit of measurement, divisor, decimals)
_UNITS: Mapping[str, tuple[str, str, int, int]] = {
    "w": ("power", "W", 1, 0),
    "var": ("reactive_power", "var", 1, 0),
    "va": ("apparent_power", "VA", 1, 0),
    "wh": ("energy_storage", "Wh", 1, 0),
    "mv": ("voltage", "V", 1000, 3),
    "ma": ("current", "A", 1000, 3),
    "mhz": ("frequency", "Hz", 1000, 3),
    "cc": ("temperature", "°C", 100, 1),
    "bp": ("", "%", 100, 1),
    "s": ("duration", "s", 1, 0),
    "ms": ("duration", "ms", 1, 0),
}
# Energies that only grow; the other energies are contents of a battery.
_COUNTERS = frozenset(
    {
        Quantity.BATTERY_CHARGED,
        Quantity.BATTERY_DISCHARGED,
        Quantity.PV_ENERGY,
        Quantity.GRID_IMPORTED,
        Quantity.GRID_EXPORTED,
    }
)


def discovery(site_id: str, root: str, device: str, points: Points) -> tuple[str, str]:
    """Topic and JSON text. `root` is the site's topic: its children are the device's and the status."""
    name = f"gridseal-{site_id}-{device}"
    text = {
        "dev": {"ids": [name], "name": f"{site_id} {device}"},
        "o": {"name": "Gridseal"},
        "state_topic": f"{root}/{device}",
        "availability_topic": f"{root}/status",
        "qos": 1,
        "cmps": {point.name: _sensor(name, point) for point in points},
    }
    return f"{PREFIX}/{name}/config", json.dumps(text, ensure_ascii=False, separators=(",", ":"))


def _sensor(device_id: str, point: Point) -> dict[str, object]:
    kind, unit, divisor, decimals = _UNITS.get(point.unit, ("", "", 1, 0))
    counter = point.quantity in _COUNTERS
    sensor: dict[str, object] = {
        "p": "sensor",
        "unique_id": f"{device_id}-{point.name}",
        "name": point.name.rsplit("_", 1)[0].replace("_", " "),
        "state_class": "total_increasing" if counter else "measurement",
        "value_template": _template(point.name, divisor),
    }
    if point.quantity is Quantity.BATTERY_SOC:
        kind = "battery"
    elif counter:
        kind = "energy"
    if kind:
        sensor["device_class"] = kind
    if unit:
        sensor["unit_of_measurement"] = unit
        sensor["suggested_display_precision"] = decimals
    else:
        sensor["entity_category"] = "diagnostic"
    return sensor


def _template(name: str, divisor: int) -> str:
    """`value_json['values']`, not `value_json.values`: that is the dictionary's own method to Jinja."""
    key = json.dumps(name)
    scaled = "v" if divisor == 1 else f"v / {divisor}"
    return (
        f"{{% if {key} in value_json['values'] %}}{{% set v = value_json['values'][{key}] %}}"
        f"{{{{ 'None' if v is none or {key} in value_json.get('bad', {{}}) else {scaled} }}}}{{% endif %}}"
    )
