"""A limit of the grid connection: the battery never makes import exceed `import_w` nor export `export_w`.

It only narrows: what the house itself draws or feeds in beyond a limit is not made up for (peak shaving
does that). `export_w` 0 is zero export; `import_w` serves a curtailment duty, measured at the connection,
which is stricter than one that counts only the controllable devices behind it.
"""

from gateway.model import Limits
from gateway.services.law import POWER_MAX_W, Bounds, Inputs, Law, Parameters, Wish, no_power


def wish(parameters: Parameters, inputs: Inputs) -> Wish | None:
    house_w = inputs.house_w
    if house_w is None:
        return None
    charge_w, discharge_w = parameters["import_w"] - house_w, parameters["export_w"] + house_w
    return Wish(window=Limits(_within(charge_w), _within(discharge_w)))


def _within(power_w: int) -> int:
    return max(0, min(power_w, POWER_MAX_W))


def check(parameters: Parameters) -> str:
    if all(parameters[name] == POWER_MAX_W for name in ("import_w", "export_w")):
        return "import_w or export_w must be given: it would limit nothing"
    return ""


def error_w(parameters: Parameters, inputs: Inputs, asked_w: int) -> int | None:
    """Defined at the meter: what flows beyond a limit, whoever's it is."""
    del asked_w
    grid_w = inputs.grid_w
    return (
        None if grid_w is None else max(0, grid_w - parameters["import_w"], -grid_w - parameters["export_w"])
    )


LAW = Law(
    {"import_w": Bounds(0, POWER_MAX_W, POWER_MAX_W), "export_w": Bounds(0, POWER_MAX_W, POWER_MAX_W)},
    wish,
    no_power,
    error_w,
    check,
    narrows=True,
)
