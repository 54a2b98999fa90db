"""A backup reserve: nobody may discharge the battery below `soc_bp`."""

from gateway.services.law import WHOLE_BP, Bounds, Inputs, Law, Parameters, Wish, no_power


def wish(parameters: Parameters, inputs: Inputs) -> Wish | None:
    del inputs  # the envelope compares, with its hysteresis, and allows nothing while SoC is unknown
    return Wish(soc_min_bp=parameters["soc_bp"])


def error_w(parameters: Parameters, inputs: Inputs, asked_w: int) -> int | None:
    """Defined at the battery: what is discharged while it holds less than the reserve."""
    del asked_w
    if inputs.soc_bp is None or inputs.battery_w is None:
        return None
    return max(0, inputs.battery_w) if inputs.soc_bp < parameters["soc_bp"] else 0


LAW = Law({"soc_bp": Bounds(0, WHOLE_BP)}, wish, no_power, error_w, narrows=True)
