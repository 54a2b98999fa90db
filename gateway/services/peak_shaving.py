"""Peak shaving: discharge just so much that the site imports no more than `import_w`.

It asks for at most `power_w` (0: whatever the site may discharge), and shaves what others at the battery
leave over: an order to charge is held back before the peak grows.
"""

from gateway.model import Limits
from gateway.services.law import POWER_MAX_W, Bounds, Inputs, Law, Parameters, Wish


def wish(parameters: Parameters, inputs: Inputs) -> Wish | None:
    if inputs.house_w is None:
        return None
    most_w = parameters["power_w"] or POWER_MAX_W
    return Wish(least_w=min(most_w, inputs.house_w - parameters["import_w"]))


def reach(parameters: Parameters, most: Limits) -> Limits:
    return Limits(0, parameters["power_w"] or most.discharge_w)


def error_w(parameters: Parameters, inputs: Inputs, asked_w: int) -> int | None:
    """Defined at the meter: what is imported above the limit."""
    del asked_w
    return None if inputs.grid_w is None else max(0, inputs.grid_w - parameters["import_w"])


LAW = Law({"import_w": Bounds(0, POWER_MAX_W), "power_w": Bounds(0, POWER_MAX_W, 0)}, wish, reach, error_w)
