"""Self-consumption: the battery takes what the house has over and gives what it lacks.

The grid is held at `grid_w` (+ = importing), with at most `power_w` either way (0: whatever the site may).
"""

from gateway.model import Limits
from gateway.services.law import POWER_MAX_W, Bounds, Inputs, Law, Parameters, Wish


def wish(parameters: Parameters, inputs: Inputs) -> Wish | None:
    if inputs.house_w is None:
        return None
    most_w = parameters["power_w"] or POWER_MAX_W
    return Wish(max(-most_w, min(inputs.house_w - parameters["grid_w"], most_w)))


def reach(parameters: Parameters, most: Limits) -> Limits:
    power_w = parameters["power_w"]
    return Limits(power_w, power_w) if power_w else most


def error_w(parameters: Parameters, inputs: Inputs, asked_w: int) -> int | None:
    """Defined at the meter: how far the grid is from where it should be."""
    del asked_w
    return None if inputs.grid_w is None else abs(inputs.grid_w - parameters["grid_w"])


LAW = Law(
    {"grid_w": Bounds(-POWER_MAX_W, POWER_MAX_W, 0), "power_w": Bounds(0, POWER_MAX_W, 0)},
    wish,
    reach,
    error_w,
)
