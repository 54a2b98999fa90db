"""Several orders at one battery: their wishes to one target, and what the battery did back to each. Pure.

What orders ask is added up, in the order of their claims; a floor (peak shaving) lifts the sum; what
narrows holds for all. What is then curtailed is taken from the last claim first, so that the first is
served longest, and the parts always add up to what was commanded and to what was measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.envelope import EVERYTHING
from gateway.ledger import Cycle, Run
from gateway.model import Cause, Limits, ServiceKind
from gateway.services import LAWS, Inputs, Memory, Wish


@dataclass(frozen=True, slots=True)
class Part:
    """One order of the pile and the power it asks for; `known` is False when its law lacks a measurement,
    `reactive` when it has no say in reactive power. `memory` is what its law remembers."""

    run: Run
    asked_w: int = 0
    known: bool = True
    reactive: bool = False
    memory: Memory = ()


@dataclass(frozen=True, slots=True)
class Pile:
    """All acting orders as one. `target_w` None: nothing asks for power, the battery is left to itself."""

    parts: tuple[Part, ...] = ()
    target_w: int | None = None
    window: Limits = EVERYTHING
    soc_min_bp: int = 0
    reactive_var: int | None = None
    shed_w: int = 0
    island: bool = False
    unknown: bool = False  # a measurement is lacking without which nothing may be done


def pile(runs: Sequence[Run], inputs: Inputs) -> Pile:
    """What `runs` (as `ledger.acting` has them) want together."""
    wishes = [(run, _wish(run, inputs)) for run in runs]
    known = [(run, wish) for run, wish in wishes if wish is not None]
    asking = [(run, wish) for run, wish in known if not run.narrows]
    parts = _ask(asking, [run for run, wish in wishes if wish is None and not run.narrows])
    narrow = _narrow([wish for _, wish in known])
    target_w: int | None = sum(part.asked_w for part in parts) if asking else None
    bounded = narrow.window != EVERYTHING or narrow.soc_min_bp > 0
    lacking = any(wish is None and run.narrows for run, wish in wishes) or bool(parts and not asking)
    if not parts and bounded:
        # A limit holds although nobody orders power: the battery serves the house, inside it.
        target_w, lacking = inputs.house_w, lacking or inputs.house_w is None
    quiet = tuple(
        Part(run, known=wish is not None, reactive=wish is not None and wish.reactive_var is not None)
        for run, wish in wishes
        if run.narrows
    )
    memories = {run.command.id: run.memory if wish is None else wish.memory for run, wish in wishes}
    parts = tuple(replace(part, memory=memories[part.run.command.id]) for part in (*parts, *quiet))
    return replace(narrow, parts=parts, target_w=target_w, unknown=lacking)


def _wish(run: Run, inputs: Inputs) -> Wish | None:
    return LAWS[run.command.kind].wish(run.command.parameters, replace(inputs, memory=run.memory))


def _ask(asking: Sequence[tuple[Run, Wish]], unknown: Sequence[Run]) -> tuple[Part, ...]:
    """Each order's own power, first what adds, then what lifts the sum."""
    powers = {run.command.id: wish.power_w for run, wish in asking}
    for run, wish in asking:
        if wish.least_w is not None:
            powers[run.command.id] += max(0, wish.least_w - sum(powers.values()))
    parts = [Part(run, powers[run.command.id]) for run, _ in asking]
    return tuple(sorted([*parts, *(Part(run, 0, False) for run in unknown)], key=_claim))


def _claim(part: Part) -> tuple[int, int]:
    return part.run.command.source, part.run.number


def _narrow(wishes: Sequence[Wish]) -> Pile:
    windows = [EVERYTHING, *(wish.window for wish in wishes if wish.window is not None)]
    reactive = [wish.reactive_var for wish in wishes if wish.reactive_var is not None]
    islands = [wish.island for wish in wishes if wish.island is not None]
    return Pile(
        window=Limits(min(w.charge_w for w in windows), min(w.discharge_w for w in windows)),
        soc_min_bp=max((wish.soc_min_bp for wish in wishes), default=0),
        reactive_var=reactive[0] if reactive else None,
        shed_w=max((wish.shed_w for wish in wishes), default=0),
        island=bool(islands) and all(islands),
    )


def shares(
    asked: Pile,
    commanded_w: int,
    measured_w: int | None,
    inputs: Inputs,
    causes: tuple[Cause, ...],
    lacking: tuple[Cause, ...] = (),
    connected: tuple[Cause, ...] = (),
) -> tuple[Cycle, ...]:
    """Each part's account of one cycle, in the order of `asked.parts`. `causes` are why power falls short,
    `lacking` why reactive power does, `connected` why the site is not apart from the grid."""
    asks = [part.asked_w for part in asked.parts]
    given = _given(asks, commanded_w - sum(asks))
    asking = sum(not part.run.narrows for part in asked.parts)  # the first ones
    measured = _measured(given[:asking], measured_w) + _nothing(len(given) - asking, measured_w)
    return tuple(
        Cycle(
            part.asked_w,
            done_w,
            _error_w(part, inputs),
            connected
            if part.run.command.kind is ServiceKind.ISLAND
            else _causes(part, part.asked_w != part_w or asked.unknown, causes)
            + (lacking if part.reactive else ()),
            part.memory,
        )
        for part, part_w, done_w in zip(asked.parts, given, measured, strict=True)
    )


def _given(asks: Sequence[int], missing_w: int) -> list[int]:
    """What each may have: `missing_w` (commanded less asked) is taken from the last that asks that way."""
    given = list(asks)
    for i in reversed(range(len(given))):
        cut = max(-abs(given[i]), -abs(missing_w)) if given[i] * missing_w < 0 else 0
        step = cut if given[i] > 0 else -cut
        given[i] += step
        missing_w -= step
    return given


def _measured(given: Sequence[int], measured_w: int | None) -> list[int | None]:
    """Measured power by the parts' own, and what is over or short in proportion; they add up."""
    if measured_w is None:
        return [None] * len(given)
    over, weight = measured_w - sum(given), sum(abs(part) for part in given)
    done = [part + (over * abs(part) // weight if weight else 0) for part in given]
    if done:  # what rounding leaves, to the largest: nothing is measured for who asks nothing
        largest = max(range(len(done)), key=lambda i: abs(given[i]))
        done[largest] += measured_w - sum(done)
    return list(done)


def _nothing(count: int, measured_w: int | None) -> list[int | None]:
    """Of those that only narrow: they deliver no power, also where nobody asks for any and the battery serves
    the house inside them."""
    return [None if measured_w is None else 0] * count


def _error_w(part: Part, inputs: Inputs) -> int | None:
    command = part.run.command
    return LAWS[command.kind].error_w(command.parameters, inputs, part.asked_w) if part.known else None


def _causes(part: Part, short: bool, causes: tuple[Cause, ...]) -> tuple[Cause, ...]:
    if not part.known:
        return (Cause.STALE_LIMIT,)
    return causes if short else ()
