"""How much reactive power an inverter may be given, and each one's part of it. Pure.

Active power comes first: reactive power gets what the apparent rating leaves beside it. Nothing is rounded
but toward zero, and nothing is clamped without a cause. All var: + = injected, - = absorbed.
"""

from collections.abc import Sequence
from math import isqrt

from gateway.beside_model import ReactiveSpec
from gateway.model import Cause


def bounded(var: int, spec: ReactiveSpec, active_w: int | None) -> tuple[int, tuple[Cause, ...]]:
    """`var` within the rating beside `active_w` (None: not known), and what took from it."""
    if spec.apparent_max_va and active_w is None:
        return 0, (Cause.STALE_LIMIT,) if var else ()
    most = room(spec, active_w or 0)
    within = min(abs(var), most)
    held = within // spec.step_var * spec.step_var
    causes: tuple[Cause, ...] = (Cause.INVERTER,) if within < abs(var) else ()
    causes += (Cause.ROUNDING,) if held < within else ()
    return (held if var > 0 else -held), causes


def room(spec: ReactiveSpec, active_w: int) -> int:
    """The most var beside this active power, each way: sqrt(VA^2 - W^2), rounded down."""
    if not spec.apparent_max_va:
        return spec.var_max
    return min(spec.var_max, isqrt(max(0, spec.apparent_max_va**2 - active_w**2)))


def divided(var: int, most: Sequence[int]) -> tuple[int, ...]:
    """`var` over inverters that can do `most` each, in proportion; the parts add up to it."""
    parts, rest, left = [], sum(most), abs(var)
    for own in most:
        part = left * own // rest if rest else 0
        parts.append(part if var > 0 else -part)
        rest, left = rest - own, left - part
    return tuple(parts)
