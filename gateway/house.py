"""What the house takes, from a meter and batteries that are not read at the same moment. Pure.

Grid and battery power make up the house's only while the batteries rest: a meter read after a step and a
battery read before it show a load that is not there, and a setpoint that follows it swings for ever. So what
each battery may have been doing when the meter was read is a range, and the house stays where it was inside
what that leaves. It refuses to carry anything across a gap: after one it begins with what is measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

LAG_MS = 1000  # inverters need about a second to do what they are told, meters show the mean of one
GAP_MS = 5000


class Power(NamedTuple):
    """What flows at a moment (monotonic), as it was measured or, if `told`, as it was written."""

    at_ms: int
    power_w: int
    told: bool = False


@dataclass(frozen=True, slots=True)
class House:
    """`power_w`: load less pv, without the batteries of `flows`; None where something is not measured."""

    power_w: int | None = None
    at_ms: int = 0
    flows: Mapping[str, tuple[Power, ...]] = field(
        default_factory=dict
    )  # of each battery lately, oldest first


def step(before: House, now_ms: int, grid: Power | None, batteries: Mapping[str, tuple[Power, ...]]) -> House:
    """One cycle. `batteries`: of each what was measured last, then what it was told; empty if unknown."""
    if grid is None or not all(batteries.values()):
        return House()
    if now_ms - before.at_ms > GAP_MS or before.flows.keys() != batteries.keys():
        before = House()
    flows = {
        name: _since(grid.at_ms - LAG_MS, {*before.flows.get(name, ()), *new})
        for name, new in batteries.items()
    }
    power_w = before.power_w
    if power_w is None:
        power_w = grid.power_w + sum(new[0].power_w for new in batteries.values())
    ranges = [[power.power_w for power in flow] for flow in flows.values()]
    least_w, most_w = (grid.power_w + sum(map(end, ranges)) for end in (min, max))
    return House(max(least_w, min(most_w, power_w)), now_ms, flows)


def _since(moment_ms: int, flow: set[Power]) -> tuple[Power, ...]:
    """In order of time, all since what was measured last before then, and what may have begun since."""
    measured = (power.at_ms for power in flow if not power.told and power.at_ms <= moment_ms)
    begin_ms = max(measured, default=0)
    return tuple(sorted(p for p in flow if p.at_ms >= begin_ms - (LAG_MS if p.told else 0)))
