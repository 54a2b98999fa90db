"""The services a site can be ordered to render: one control law a file, pure, and their table."""

from collections.abc import Mapping, Sequence

from gateway.model import Command, ServiceKind
from gateway.services import (
    demand_response,
    fixed_power,
    frequency,
    grid_limit,
    island,
    law,
    peak_shaving,
    reactive,
    reserve,
    self_consumption,
    triggered,
    voltage,
)
from gateway.services.law import Bounds, Inputs, Law, Memory, Parameters, Wish

__all__ = [
    "LAWS",
    "Bounds",
    "Inputs",
    "Law",
    "Memory",
    "Parameters",
    "Wish",
    "complete",
    "named",
    "names",
    "problem",
    "reach_var",
]

# A stop has no law: control knows it, and nothing comes before it.
LAWS: Mapping[ServiceKind, Law] = {
    ServiceKind.FIXED_POWER: fixed_power.LAW,
    ServiceKind.FREQUENCY: frequency.LAW,
    ServiceKind.PEAK_SHAVING: peak_shaving.LAW,
    ServiceKind.GRID_LIMIT: grid_limit.LAW,
    ServiceKind.SELF_CONSUMPTION: self_consumption.LAW,
    ServiceKind.RESERVE: reserve.LAW,
    ServiceKind.VOLTAGE: voltage.LAW,
    ServiceKind.REACTIVE: reactive.LAW,
    ServiceKind.DEMAND_RESPONSE: demand_response.LAW,
    ServiceKind.TRIGGERED: triggered.LAW,
    ServiceKind.ISLAND: island.ISLAND,
    ServiceKind.RECONNECT: island.RECONNECT,
}


def problem(command: Command) -> str:
    """What is wrong with a command's kind and parameters, for a person; empty if nothing."""
    if command.kind is ServiceKind.STOP:
        return "" if not command.parameters else "a stop takes no parameters"
    law = LAWS[command.kind]
    if set(command.parameters) != set(law.parameters):
        return f"{command.kind} takes exactly {', '.join(law.parameters)}"
    for name, bounds in law.parameters.items():
        value = command.parameters[name]
        if type(value) is not int:
            return f"{name} is not an integer"
        if not bounds.least <= value <= bounds.most:
            return f"{name} = {value} is outside {bounds.least} to {bounds.most}"
    return law.check(command.parameters)


def reach_var(command: Command) -> int:
    """The most reactive power the order can ask for, each way; at least 1 var where its law only scales."""
    given = command.parameters
    most_var = max(abs(given.get("reactive_var", 0)), given.get("limit_var", 0))
    return most_var or int(abs(given.get("power_factor_bp", 0)) not in (0, law.WHOLE_BP))


def complete(kind: ServiceKind, parameters: Parameters) -> Parameters:
    """The parameters in the law's own order, what was left out at its default; nothing is checked."""
    law = LAWS.get(kind)
    bounds = law.parameters if law else {}
    ordered = {n: v for n, b in bounds.items() if (v := parameters.get(n, b.default)) is not None}
    return {**ordered, **parameters}


def named(kind: ServiceKind, values: Sequence[int]) -> Parameters | None:
    """Values in the law's own order, as contracts give them, by name; None when there are too few or many."""
    known = names(kind)
    given = complete(kind, dict(zip(known, values, strict=False)))
    return given if len(values) <= len(known) and len(given) == len(known) else None


def names(kind: ServiceKind) -> tuple[str, ...]:
    """The law's parameters in its own order; a stop has none."""
    law = LAWS.get(kind)
    return tuple(law.parameters) if law else ()
