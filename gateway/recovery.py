"""Limits that fell are obeyed at once and relaxed slowly. Pure, one direction of power at a time.

A BMS that lowers its limit answers to its cells. Cells need about a minute to come back from a load, so a
power that returned with the limit would bring them to the same edge again, and again. It refuses to hold
back a fall, and to widen anything beyond the limit itself.
"""

from dataclasses import dataclass

RELAX_BP_PER_S = 200  # of the nameplate: from nothing to all in 50 s, about as long as cells take to settle


@dataclass(frozen=True, slots=True)
class Edge:
    """The lowest limit that still counts, and since when it is relaxed from there."""

    bound_w: int
    since_ms: int


def relaxed(edge: Edge | None, bound_w: int, now_ms: int, nameplate_w: int) -> int:
    """What of the limit `bound_w` counts now; all of it where nothing was lower lately."""
    return bound_w if edge is None else min(bound_w, _reach(edge, now_ms, nameplate_w))


def moved(edge: Edge | None, bound_w: int, now_ms: int, nameplate_w: int) -> Edge:
    """The edge after a cycle in which the limit was `bound_w`."""
    if edge is None or bound_w <= _reach(edge, now_ms, nameplate_w):
        return Edge(bound_w, now_ms)
    return edge  # still on its way: counted from its beginning, so that no rounding adds up


def _reach(edge: Edge, now_ms: int, nameplate_w: int) -> int:
    return edge.bound_w + nameplate_w * RELAX_BP_PER_S * max(0, now_ms - edge.since_ms) // 10_000_000
