"""Demand response: loads of at least `shed_w` are to be switched off while it holds.

Which loads, and how they come back, is not decided here; nor is it known what they would have drawn.
"""

from gateway.services.law import POWER_MAX_W, Bounds, Inputs, Law, Parameters, Wish, no_error, no_power


def wish(parameters: Parameters, inputs: Inputs) -> Wish | None:
    del inputs  # nothing measured matters
    return Wish(shed_w=parameters["shed_w"])


LAW = Law({"shed_w": Bounds(0, POWER_MAX_W)}, wish, no_power, no_error, narrows=True)
