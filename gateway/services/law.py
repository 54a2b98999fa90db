"""What a control law is: a pure function of its parameters and of what is measured, to a target power.

A law wishes; the envelope decides. It refuses to guess: what it needs and does not get GOOD makes it
answer None, and the cycle goes to the fallback.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.model import Limits

Parameters = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the laws may see of the site, each None unless it is GOOD."""

    frequency_mhz: int | None = None
    house_w: int | None = None  # grid + battery = load - pv: the grid's flow without the battery


@dataclass(frozen=True, slots=True)
class Bounds:
    """A parameter's range, inclusive, in the unit its name ends in."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Law:
    """One service: its parameters in their own order, its target (W, + discharge) and its reach.

    `reach(parameters, most)` is the greatest power it can ever ask for, where `most` is what the site
    could do at all; admission compares it with the nameplate, and each cycle is held to it.
    """

    parameters: Mapping[str, Bounds]
    target: Callable[[Parameters, Inputs], int | None]
    reach: Callable[[Parameters, Limits], Limits]
