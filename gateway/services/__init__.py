"""The services a site can be ordered to render: one control law a file, pure, and their table."""

from collections.abc import Mapping

from gateway.model import Command, ServiceKind
from gateway.services import fixed_power, frequency, peak_shaving
from gateway.services.law import Bounds, Inputs, Law, Parameters

__all__ = ["LAWS", "Bounds", "Inputs", "Law", "Parameters", "problem"]

# A stop has no law: control knows it, and nothing comes before it.
LAWS: Mapping[ServiceKind, Law] = {
    ServiceKind.FIXED_POWER: fixed_power.LAW,
    ServiceKind.FREQUENCY: frequency.LAW,
    ServiceKind.PEAK_SHAVING: peak_shaving.LAW,
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
    if (
        command.kind is ServiceKind.FREQUENCY
        and command.parameters["full_mhz"] <= command.parameters["deadband_mhz"]
    ):
        return "full_mhz must be greater than deadband_mhz"
    return ""
