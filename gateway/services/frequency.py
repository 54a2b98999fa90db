"""Frequency response by droop: discharge when the grid is slow, charge when it is fast.

Nothing inside `deadband_mhz` around nominal; from its edge a straight line to `power_w` at a deviation of
`full_mhz`; constant beyond. The nominal frequency is the nearer of 50 and 60 Hz: no grid strays so far
that this could be mistaken, and a measurement that does is not a grid's.
"""

from gateway.model import Limits
from gateway.services.law import Bounds, Inputs, Law, Parameters, Wish, battery_error_w

POWER_MAX_W = 100_000_000
DEVIATION_MAX_MHZ = 5000
NOMINALS_MHZ = (50_000, 60_000)


def wish(parameters: Parameters, inputs: Inputs) -> Wish | None:
    measured = inputs.frequency_mhz
    if measured is None:
        return None
    nominal = min(NOMINALS_MHZ, key=lambda known: abs(known - measured))
    deviation = nominal - measured  # + the grid lacks power
    if abs(deviation) > DEVIATION_MAX_MHZ:
        return None
    deadband, full = parameters["deadband_mhz"], parameters["full_mhz"]
    beyond = max(0, min(abs(deviation), full) - deadband)
    power_w = parameters["power_w"] * beyond // (full - deadband)
    return Wish(power_w if deviation > 0 else -power_w)


def check(parameters: Parameters) -> str:
    if parameters["full_mhz"] <= parameters["deadband_mhz"]:
        return "full_mhz must be greater than deadband_mhz"
    return ""


def reach(parameters: Parameters, most: Limits) -> Limits:
    del most
    return Limits(parameters["power_w"], parameters["power_w"])


LAW = Law(
    {
        "power_w": Bounds(0, POWER_MAX_W),
        "deadband_mhz": Bounds(0, DEVIATION_MAX_MHZ - 1),
        "full_mhz": Bounds(1, DEVIATION_MAX_MHZ),
    },
    wish,
    reach,
    battery_error_w,
    check,
    fast=True,
)
