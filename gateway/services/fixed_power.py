"""A constant battery power: `power_w`, + discharges, - charges."""

from gateway.model import Limits
from gateway.services.law import POWER_MAX_W, Bounds, Inputs, Law, Parameters, Wish, battery_error_w


def wish(parameters: Parameters, inputs: Inputs) -> Wish | None:
    del inputs  # nothing measured matters
    return Wish(parameters["power_w"])


def reach(parameters: Parameters, most: Limits) -> Limits:
    del most
    return Limits(max(0, -parameters["power_w"]), max(0, parameters["power_w"]))


LAW = Law({"power_w": Bounds(-POWER_MAX_W, POWER_MAX_W)}, wish, reach, battery_error_w)
