"""Voltage support: reactive power by a volt-var curve, and less discharge at high voltage (volt-watt).

Volt-var: `limit_var` is injected up to `v1_mv`, nothing between `v2_mv` and `v3_mv`, and as much absorbed
from `v4_mv` on; straight lines between. Volt-watt: above `watt_from_mv` at most `discharge_w` may be
discharged, falling to nothing at `watt_to_mv`; both 0: no volt-watt. The voltage is the one the site measures
at its grid: the points are given for that, phase to neutral or phase to phase. Charging is never limited.
"""

from gateway.model import Limits
from gateway.services.law import POWER_MAX_W, Bounds, Inputs, Law, Parameters, Wish, no_power, on_line

VOLTAGE_MAX_MV = 50_000_000


def wish(parameters: Parameters, inputs: Inputs) -> Wish | None:
    if inputs.voltage_mv is None:
        return None
    reactive_var = _reactive_var(parameters, inputs.voltage_mv)
    discharge_w = _discharge_w(parameters, inputs.voltage_mv)
    window = None if discharge_w is None else Limits(POWER_MAX_W, discharge_w)
    return Wish(window=window, reactive_var=reactive_var)


def _reactive_var(parameters: Parameters, voltage_mv: int) -> int:
    """As two curves of magnitudes, so that both sides are rounded toward zero."""
    most_var = parameters["limit_var"]
    low = ((-parameters["v2_mv"], 0), (-parameters["v1_mv"], most_var))
    high = ((parameters["v3_mv"], 0), (parameters["v4_mv"], most_var))
    return on_line(low, -voltage_mv) - on_line(high, voltage_mv)


def _discharge_w(parameters: Parameters, voltage_mv: int) -> int | None:
    first_mv, last_mv = parameters["watt_from_mv"], parameters["watt_to_mv"]
    if not last_mv or voltage_mv <= first_mv:
        return None
    return on_line(((first_mv, parameters["discharge_w"]), (last_mv, 0)), voltage_mv)


def check(parameters: Parameters) -> str:
    v1, v2, v3, v4 = (parameters[f"v{i}_mv"] for i in (1, 2, 3, 4))
    if not v1 < v2 <= v3 < v4:
        return "v1_mv to v4_mv must rise (v2_mv and v3_mv may be the same)"
    first_mv, last_mv = parameters["watt_from_mv"], parameters["watt_to_mv"]
    if (first_mv or last_mv) and not 0 < first_mv < last_mv:
        return "watt_to_mv must be greater than watt_from_mv"
    if parameters["discharge_w"] and not last_mv:
        return "discharge_w needs watt_from_mv and watt_to_mv"
    return ""


def error_w(parameters: Parameters, inputs: Inputs, asked_w: int) -> int | None:
    """Of volt-watt, at the battery: what is discharged beyond the curve. Var have no figure in W."""
    del asked_w
    if inputs.voltage_mv is None or inputs.battery_w is None:
        return None
    discharge_w = _discharge_w(parameters, inputs.voltage_mv)
    return 0 if discharge_w is None else max(0, inputs.battery_w - discharge_w)


LAW = Law(
    {
        "v1_mv": Bounds(1, VOLTAGE_MAX_MV),
        "v2_mv": Bounds(1, VOLTAGE_MAX_MV),
        "v3_mv": Bounds(1, VOLTAGE_MAX_MV),
        "v4_mv": Bounds(1, VOLTAGE_MAX_MV),
        "limit_var": Bounds(0, POWER_MAX_W),
        "watt_from_mv": Bounds(0, VOLTAGE_MAX_MV, 0),
        "watt_to_mv": Bounds(0, VOLTAGE_MAX_MV, 0),
        "discharge_w": Bounds(0, POWER_MAX_W, 0),
    },
    wish,
    no_power,
    error_w,
    check,
    narrows=True,
)
