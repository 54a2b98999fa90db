"""Orders of the grid connection: `island` wants the site apart from the grid, `reconnect` wants it connected.

Neither asks for power. Where both hold, connected it is. They refuse to decide whether and when: the site,
the device and what flows do.
"""

from gateway.services.law import Inputs, Law, Parameters, Wish, no_error, no_power


def island(parameters: Parameters, inputs: Inputs) -> Wish | None:
    del parameters, inputs
    return Wish(island=True)


def reconnect(parameters: Parameters, inputs: Inputs) -> Wish | None:
    del parameters, inputs
    return Wish(island=False)


ISLAND = Law({}, island, no_power, no_error, narrows=True)
RECONNECT = Law({}, reconnect, no_power, no_error, narrows=True)
