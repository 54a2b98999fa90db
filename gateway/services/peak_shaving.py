"""Peak shaving: discharge just so much that the site imports no more than `import_w`."""

from gateway.model import Limits
from gateway.services.law import Bounds, Inputs, Law, Parameters

POWER_MAX_W = 100_000_000


def target(parameters: Parameters, inputs: Inputs) -> int | None:
    if inputs.house_w is None:
        return None
    return max(0, inputs.house_w - parameters["import_w"])


def reach(parameters: Parameters, most: Limits) -> Limits:
    del parameters  # it names no power of its own: whatever the site may discharge
    return Limits(0, most.discharge_w)


LAW = Law({"import_w": Bounds(0, POWER_MAX_W)}, target, reach)
