"""From a sample of aiobmsble to our points: canonical integers, our signs. Pure, and without that library.

It takes only what the device itself told (a raw sample), because what the library works out would look
measured. Its current is + = charging. What is not there, or is no number, is not told: ABSENT.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from drivers.bms.family import Envelope, Family, Frame, Request, Values
from drivers.bms.values import ALARM_FLAGS, REQUEST_FLAGS, cells, enabled, temperatures
from drivers.flags import ALARMS
from gateway.errors import FrameError

# The library's name, ours, and what one of its units is in ours.
NUMBERS: tuple[tuple[str, str, int], ...] = (
    ("voltage", "battery_voltage_mv", 1000),
    ("current", "battery_current_ma", -1000),
    ("battery_level", "battery_soc_bp", 100),
    ("battery_health", "battery_soh_bp", 100),
    ("cycles", "battery_cycles_count", 1),
    ("cycle_charge", "battery_available_mah", 1000),
    ("design_capacity", "battery_installed_mah", 1000),
)
MOST = 10**9  # of its units: nothing in a house is more
INSIDE = frozenset({"GENERIC", "CELL", "CELL_MAX", "CELL_MIN"})  # kinds of sensors that say how the cells are
POINTS = (
    *(ours for _, ours, _ in NUMBERS),
    ALARM_FLAGS,
    REQUEST_FLAGS,
    "battery_temperature_cc",
    "battery_temperature_min_cc",
    "battery_temperature_max_cc",
    "battery_mosfet_temperature_cc",
    "battery_cell_min_mv",
    "battery_cell_max_mv",
)


def values(sample: Mapping[str, Any]) -> Values:
    """What the device told, by our names."""
    found: Values = {}
    for theirs, ours, unit in NUMBERS:
        if (number := _number(sample.get(theirs), unit)) is not None:
            found[ours] = number
    found |= cells(_numbers(sample.get("cell_voltages"), 1000))
    sensors = list(sample.get("temp_values") or ())
    found |= temperatures(_numbers((s.value for s in sensors if s.type.name in INSIDE), 100))
    if hottest := _numbers((s.value for s in sensors if s.type.name == "MOSFET"), 100):
        found["battery_mosfet_temperature_cc"] = max(hottest)
    if "problem_code" in sample or "problem" in sample:
        wrong = bool(sample.get("problem_code") or sample.get("problem"))
        found[ALARM_FLAGS] = wrong << ALARMS["other_alarm"]
    if "chrg_mosfet" in sample and "dischrg_mosfet" in sample:
        found[REQUEST_FLAGS] = enabled(bool(sample["chrg_mosfet"]), bool(sample["dischrg_mosfet"]))
    return found


def _numbers(given: Iterable[Any] | None, unit: int) -> list[int]:
    return [number for one in given or () if (number := _number(one, unit)) is not None]


def _number(given: Any, unit: int) -> int | None:
    if isinstance(given, bool) or not isinstance(given, int | float) or not abs(given) <= MOST:
        return None  # a NaN is not within anything
    return round(given * unit)


def _none(*_words: Any) -> Any:
    raise FrameError("aiobmsble reads its frames itself")


def _no_frame(_frame: bytes) -> Frame | None:
    raise FrameError("aiobmsble reads its frames itself")


def _no_requests(_address: int) -> tuple[Request, ...]:
    return ()


# As a family, for what all batteries share (drivers.bms.values): its frames are none of ours.
FOREIGN = Family(
    name="aiobmsble",
    points=POINTS,
    envelope=lambda: Envelope((b"\0",), 1, lambda _head: 0, _no_frame),
    requests=_no_requests,
    decode=_none,
)
