"""Reactive power of the inverter: a fixed `reactive_var`, or what a power factor asks of its active power.

+ var are injected into the grid (they raise the voltage), - var absorbed. The sign of `power_factor_bp` says
the same, whichever way the active power flows: 9500 injects, -9500 absorbs; 10000 is no reactive power.
"""

from math import isqrt

from gateway.services.law import (
    POWER_MAX_W,
    WHOLE_BP,
    Bounds,
    Inputs,
    Law,
    Parameters,
    Wish,
    no_error,
    no_power,
)

FACTOR_MIN_BP = 5000  # grid codes ask for 8000 at the least; below, current is mostly reactive


def wish(parameters: Parameters, inputs: Inputs) -> Wish | None:
    factor_bp = parameters["power_factor_bp"]
    if not factor_bp:
        return Wish(reactive_var=parameters["reactive_var"])
    if inputs.inverter_w is None:
        return None
    sine_bp = isqrt(max(0, WHOLE_BP**2 - factor_bp**2))
    var = min(abs(inputs.inverter_w) * sine_bp // abs(factor_bp), POWER_MAX_W)
    return Wish(reactive_var=var if factor_bp > 0 else -var)


def check(parameters: Parameters) -> str:
    factor_bp = parameters["power_factor_bp"]
    if factor_bp and abs(factor_bp) < FACTOR_MIN_BP:
        return f"power_factor_bp must be {FACTOR_MIN_BP} to {WHOLE_BP}, + to inject, - to absorb, or 0"
    if factor_bp and parameters["reactive_var"]:
        return "give reactive_var or power_factor_bp, not both"
    return ""


LAW = Law(
    {
        "reactive_var": Bounds(-POWER_MAX_W, POWER_MAX_W, 0),
        "power_factor_bp": Bounds(-WHOLE_BP, WHOLE_BP, 0),
    },
    wish,
    no_power,
    no_error,
    check,
    narrows=True,
)
