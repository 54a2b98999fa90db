"""Frequency response by droop: discharge when the grid is slow, charge when it is fast.

Nothing inside `deadband_mhz` around the target; from its edge a straight line to the side's whole power at a
deviation of `full_mhz`, bent at the knee if there is one; constant beyond. Each side has its share of
`power_w` (0: it does not respond) and, if wanted, its own deadband and full deviation. The target is the
nearer of 50 and 60 Hz unless one is given; a measurement far from it is not a grid's, and not answered.

Inside the deadband, and only there, the battery may be led back to a state of charge: never against the
response, and not at all while the state of charge is unknown.
"""

from gateway.model import Limits
from gateway.services.law import (
    POWER_MAX_W,
    WHOLE_BP,
    Bounds,
    Inputs,
    Law,
    Parameters,
    Wish,
    battery_error_w,
    on_line,
)

DEVIATION_MAX_MHZ = 5000
TARGET_OFFSET_MAX_MHZ = 1000
NOMINALS_MHZ = (50_000, 60_000)


def wish(parameters: Parameters, inputs: Inputs) -> Wish | None:
    measured = inputs.frequency_mhz
    if measured is None:
        return None
    deviation = (parameters["target_mhz"] or _nominal_mhz(measured)) - measured  # + the grid lacks power
    if abs(deviation) > DEVIATION_MAX_MHZ:
        return None
    slow = deviation > 0
    deadband, full = _band(parameters, slow)
    if abs(deviation) <= deadband:
        return Wish(_recovery_w(parameters, inputs.soc_bp))
    side_w = _side_w(parameters, slow)
    knee = ((parameters["knee_mhz"], side_w * parameters["knee_share_bp"] // WHOLE_BP),)
    line = ((deadband, 0), *(knee if parameters["knee_mhz"] else ()), (full, side_w))
    power_w = on_line(line, abs(deviation))
    return Wish(power_w if slow else -power_w)


def _nominal_mhz(measured: int) -> int:
    return min(NOMINALS_MHZ, key=lambda known: abs(known - measured))


def _band(parameters: Parameters, slow: bool) -> tuple[int, int]:
    """Deadband and full deviation of a side."""
    if slow or not parameters["charge_full_mhz"]:
        return parameters["deadband_mhz"], parameters["full_mhz"]
    return parameters["charge_deadband_mhz"], parameters["charge_full_mhz"]


def _side_w(parameters: Parameters, slow: bool) -> int:
    return parameters["power_w"] * parameters["discharge_bp" if slow else "charge_bp"] // WHOLE_BP


def _recovery_w(parameters: Parameters, soc_bp: int | None) -> int:
    """Toward the wanted state of charge, at rest within `soc_band_bp` of it."""
    away_bp = 0 if soc_bp is None else soc_bp - parameters["soc_target_bp"]
    if abs(away_bp) <= parameters["soc_band_bp"]:
        return 0
    return parameters["soc_power_w"] if away_bp > 0 else -parameters["soc_power_w"]


def check(parameters: Parameters) -> str:
    return _line_problem(parameters) or _other_problem(parameters)


def _line_problem(parameters: Parameters) -> str:
    bands = [_band(parameters, slow) for slow in (True, False)]
    knee = parameters["knee_mhz"]
    if parameters["full_mhz"] <= parameters["deadband_mhz"]:
        return "full_mhz must be greater than deadband_mhz"
    if parameters["charge_deadband_mhz"] and not parameters["charge_full_mhz"]:
        return "charge_deadband_mhz needs charge_full_mhz"
    if any(full <= deadband for deadband, full in bands):
        return "charge_full_mhz must be greater than charge_deadband_mhz"
    if (knee == 0) != (parameters["knee_share_bp"] == 0):
        return "knee_mhz and knee_share_bp belong together"
    if knee and any(not deadband < knee < full for deadband, full in bands):
        return "knee_mhz must lie between the deadband and the full deviation, on both sides"
    return ""


def _other_problem(parameters: Parameters) -> str:
    target = parameters["target_mhz"]
    if target and abs(target - _nominal_mhz(target)) > TARGET_OFFSET_MAX_MHZ:
        return f"target_mhz must be 0 or within {TARGET_OFFSET_MAX_MHZ} of 50000 or 60000"
    if (parameters["soc_target_bp"] == 0) != (parameters["soc_power_w"] == 0):
        return "soc_target_bp and soc_power_w belong together"
    return ""


def reach(parameters: Parameters, most: Limits) -> Limits:
    del most
    recovery_w = parameters["soc_power_w"]
    return Limits(max(_side_w(parameters, False), recovery_w), max(_side_w(parameters, True), recovery_w))


LAW = Law(
    {
        "power_w": Bounds(0, POWER_MAX_W),
        "deadband_mhz": Bounds(0, DEVIATION_MAX_MHZ - 1),
        "full_mhz": Bounds(1, DEVIATION_MAX_MHZ),
        "target_mhz": Bounds(0, NOMINALS_MHZ[-1] + TARGET_OFFSET_MAX_MHZ, 0),
        "discharge_bp": Bounds(0, WHOLE_BP, WHOLE_BP),
        "charge_bp": Bounds(0, WHOLE_BP, WHOLE_BP),
        "charge_deadband_mhz": Bounds(0, DEVIATION_MAX_MHZ - 1, 0),
        "charge_full_mhz": Bounds(0, DEVIATION_MAX_MHZ, 0),
        "knee_mhz": Bounds(0, DEVIATION_MAX_MHZ - 1, 0),
        "knee_share_bp": Bounds(0, WHOLE_BP, 0),
        "soc_target_bp": Bounds(0, WHOLE_BP, 0),
        "soc_power_w": Bounds(0, POWER_MAX_W, 0),
        "soc_band_bp": Bounds(0, WHOLE_BP, 200),
    },
    wish,
    reach,
    battery_error_w,
    check,
    fast=True,
)
