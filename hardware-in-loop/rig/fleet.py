"""Several inverters with a battery each behind one grid meter, stepped together.

Owns what one sees of the others: each meter shows the whole site, and an inverter left to itself makes up
for what the others leave. They act one after the other in each step, so that two that hold the grid at
zero do not chase each other. It refuses plants of different steps.
"""

from collections.abc import Sequence

from rig.physics import house_w
from rig.plant import Plant


def join(plants: Sequence[Plant]) -> None:
    """From now on these are one site. The load is the same for all and counts once; PV is each one's own."""
    if len({plant.step_ms for plant in plants}) != 1:
        raise ValueError("plants of one site have one step")

    def advance(now_ms: int) -> None:
        for plant in plants:
            plant.due(now_ms)  # the first time, this sets its origin
        while plants[0].due(now_ms):
            for plant in plants:
                _see(plant, plants)
                plant.step()
            for plant in plants:
                _see(plant, plants)
                plant.state.grid_w = house_w(plant.state) - plant.state.battery_ac_w

    for plant in plants:
        plant.together = advance


def _see(plant: Plant, plants: Sequence[Plant]) -> None:
    plant.state.beside_w = sum(p.state.battery_ac_w + p.state.pv_w for p in plants if p is not plant)
