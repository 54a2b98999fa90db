"""Whether what a battery says of itself can be. Pure: its memory is handed in and given back.

It doubts a state of charge that moves faster than power could, or that BMS and inverter see far apart; a
voltage that its cells cannot have; limits that are a register's "no value", or that jump up again and again.
What is doubted counts as not known until it has been plausible for a while. It refuses to take silence for
proof: a dropout neither raises a doubt nor ends one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from gateway import units
from gateway.model import Quantity

AGAIN_MS = 60_000  # plausible for so long, and it is believed again

STEP_BP = 500  # resolution, rounding and what a BMS corrects now and then
RATE_BP_PER_H = 40_000  # no battery of a building is emptied in less than a quarter of an hour
SHOWN_MS = 60_000  # for so long a BMS may count before it shows a change
# Where the voltage tells the charge, a BMS sets its count right: upward near full, downward near empty.
HALF_BP, NEAR_FULL_BP, NEAR_EMPTY_BP = 5000, 9500, 1500

APART_BP, APART_MS = (
    2000,
    300_000,
)  # inverters count for themselves, and lag; for minutes and this far they do not

CELL_MIN_MV, CELL_MAX_MV = 1500, 4500  # of any lithium cell, destroyed ones included
CELL_SLACK_PERCENT = 10  # cells and battery are not measured in the same moment
# Of the charge voltage: an empty battery is at 70 % of it, and a full one hardly above even if it is lowered.
EMPTY_PERCENT, FULL_PERCENT = 50, 125

# What registers hold when they hold nothing, in the scales that limits come in.
SENTINELS = frozenset(
    pattern * scale
    for pattern in (0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF)
    for scale in (1, 10, 100, 1000)
)
# Rises from next to nothing to next to all: heat and frost make smaller steps, contactors rarer ones.
UP_PERCENT, UPS_MAX, UPS_MS = 75, 4, 60_000


@dataclass(frozen=True, slots=True)
class Charge:
    """The state of charge as one device says it. `battery`: it is the battery's own word."""

    device: str
    battery: bool
    soc_bp: int | None


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit as one device says it. `full`: the nameplate in its unit, None where that is not known."""

    device: str
    quantity: Quantity
    value: int | None
    full: int | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What one battery's devices say in a cycle; None where it is not GOOD."""

    now_ms: int
    charges: tuple[Charge, ...] = ()
    rate_bp_per_h: int = RATE_BP_PER_H
    voltage_mv: int | None = None
    voltage_bounds_mv: tuple[int, int] | None = None
    limits: tuple[Bound, ...] = ()


@dataclass(frozen=True, slots=True)
class _Step:
    """A device's state of charge: the last one, when it last changed and when it was last heard."""

    soc_bp: int
    changed_ms: int
    heard_ms: int


@dataclass(frozen=True, slots=True)
class _Swing:
    """A limit's last value, at most the nameplate, and when it rose steeply of late."""

    value: int
    ups_ms: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Watch:
    """One thing that is judged: since when it is bad, or sound again; `text` while it is doubted."""

    bad_ms: int | None = None
    sound_ms: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class _Finding:
    """This cycle's judgement of one thing; `bad` None: there was nothing to judge."""

    what: str
    quantity: Quantity
    bad: bool | None
    text: str
    patience_ms: int = 0


@dataclass(frozen=True, slots=True)
class Memory:
    """What one cycle leaves to the next."""

    steps: Mapping[str, _Step] = field(default_factory=dict)
    swings: Mapping[str, _Swing] = field(default_factory=dict)
    watches: Mapping[tuple[Quantity, str], _Watch] = field(default_factory=dict)


def judge(memory: Memory, seen: Seen) -> Memory:
    """One cycle; what is in doubt after it is said by `doubts`."""
    swings = _swings(memory, seen)
    findings = [*_leaps(memory, seen), *_apart(seen), *_voltage(seen), *_limits(seen, swings)]
    watches = {
        (f.quantity, f.what): _watch(memory.watches.get((f.quantity, f.what), _Watch()), f, seen.now_ms)
        for f in findings
    }
    return Memory(_steps(memory, seen), swings, watches)


def doubts(memory: Memory) -> Mapping[Quantity, str]:
    """What must not be believed now, and why, for a person."""
    return {quantity: watch.text for (quantity, _), watch in memory.watches.items() if watch.text}


def rate_bp_per_h(power_w: int, capacity_wh: int | None) -> int:
    """The fastest change of charge: at twice the nameplate (sun on the same battery), where that is known."""
    if power_w <= 0 or not capacity_wh or capacity_wh < 0:
        return RATE_BP_PER_H
    return min(RATE_BP_PER_H, 2 * power_w * 10_000 // capacity_wh)


def voltage_bounds_mv(
    cells: int, cell_min_mv: int | None, cell_max_mv: int | None, full_mv: int | None
) -> tuple[int, int] | None:
    """Between what the battery's voltage must be, from all that tells it; None if nothing does."""
    found = []
    if cells:
        found.append((cells * CELL_MIN_MV, cells * CELL_MAX_MV))
        if cell_min_mv is not None and cell_max_mv is not None:
            least, most = 100 - CELL_SLACK_PERCENT, 100 + CELL_SLACK_PERCENT
            found.append((cells * cell_min_mv * least // 100, cells * cell_max_mv * most // 100))
    if full_mv:
        found.append((full_mv * EMPTY_PERCENT // 100, full_mv * FULL_PERCENT // 100))
    return (max(low for low, _ in found), min(high for _, high in found)) if found else None


# -- what is judged -----------------------------------------------------------------------------------------


def _leaps(memory: Memory, seen: Seen) -> Iterator[_Finding]:
    for said in seen.charges:
        step, soc_bp = memory.steps.get(said.device), said.soc_bp
        bad, text = None if soc_bp is None else False, ""
        if step is not None and soc_bp is not None and _leapt(step, soc_bp, seen):
            was, now = units.show(step.soc_bp, "bp"), units.show(soc_bp, "bp")
            bad, text = True, f"{said.device}: the charge went from {was} to {now} at once"
        yield _Finding(f"{said.device} leaps", Quantity.BATTERY_SOC, bad, text)


def _leapt(step: _Step, soc_bp: int, seen: Seen) -> bool:
    unheard_ms = seen.now_ms - step.heard_ms
    elapsed_ms = max(unheard_ms, min(seen.now_ms - step.changed_ms, SHOWN_MS))
    within_bp = STEP_BP + seen.rate_bp_per_h * elapsed_ms // 3_600_000
    return abs(soc_bp - step.soc_bp) > within_bp and not _corrected(step.soc_bp, soc_bp)


def _corrected(before_bp: int, soc_bp: int) -> bool:
    upward = before_bp >= HALF_BP and soc_bp >= NEAR_FULL_BP
    return upward or (before_bp <= HALF_BP and soc_bp <= NEAR_EMPTY_BP)


def _steps(memory: Memory, seen: Seen) -> dict[str, _Step]:
    steps, now_ms = dict(memory.steps), seen.now_ms
    for said in seen.charges:
        if said.soc_bp is not None:
            before = steps.get(said.device)
            same = before is not None and before.soc_bp == said.soc_bp
            steps[said.device] = _Step(said.soc_bp, before.changed_ms if before and same else now_ms, now_ms)
    return steps


def _apart(seen: Seen) -> Iterator[_Finding]:
    """Others' word for the charge against the batteries' own."""
    own = [said.soc_bp for said in seen.charges if said.battery and said.soc_bp is not None]
    for said in seen.charges:
        if said.battery:
            continue
        bad, text = None, ""
        if own and said.soc_bp is not None:
            nearest_bp = max(min(own), min(max(own), said.soc_bp))
            bad = abs(said.soc_bp - nearest_bp) > APART_BP
            his, theirs = units.show(said.soc_bp, "bp"), units.show(nearest_bp, "bp")
            text = f"{said.device} says {his} charge, the battery itself {theirs}"
        yield _Finding(f"{said.device} apart", Quantity.BATTERY_SOC, bad, text, APART_MS)


def _voltage(seen: Seen) -> Iterator[_Finding]:
    bad, text = None, ""
    if seen.voltage_mv is not None and seen.voltage_bounds_mv is not None:
        least_mv, most_mv = seen.voltage_bounds_mv
        bad = not least_mv <= seen.voltage_mv <= most_mv
        told, least, most = (units.show(mv, "mv") for mv in (seen.voltage_mv, least_mv, most_mv))
        text = f"a battery voltage of {told} cannot be: its cells make {least} to {most}"
    yield _Finding("cells", Quantity.BATTERY_VOLTAGE, bad, text)


def _limits(seen: Seen, swings: Mapping[str, _Swing]) -> Iterator[_Finding]:
    for bound in seen.limits:
        key, value, name = _key(bound), bound.value, f"{bound.device}: {bound.quantity}"
        none, unsteady = None, None
        if value is not None:
            none = value in SENTINELS
            ups_ms = swings[key].ups_ms if key in swings else ()
            unsteady = len(ups_ms) == UPS_MAX and seen.now_ms - ups_ms[0] <= UPS_MS
        yield _Finding(f"{key} none", bound.quantity, none, f"{name} = {value} is a register's word for none")
        jumps = f"{name} has jumped up {UPS_MAX} times in {UPS_MS // 1000} s"
        yield _Finding(f"{key} jumps", bound.quantity, unsteady, jumps)


def _swings(memory: Memory, seen: Seen) -> dict[str, _Swing]:
    swings = dict(memory.swings)
    for bound in seen.limits:
        if bound.value is not None and bound.full is not None:
            value, before = min(bound.value, bound.full), swings.get(_key(bound))
            ups_ms = before.ups_ms if before else ()
            if before and (value - before.value) * 100 > bound.full * UP_PERCENT:
                ups_ms = (*ups_ms, seen.now_ms)[-UPS_MAX:]
            swings[_key(bound)] = _Swing(value, ups_ms)
    return swings


# -- and for how long ---------------------------------------------------------------------------------------


def _watch(watch: _Watch, finding: _Finding, now_ms: int) -> _Watch:
    if finding.bad is None:
        return replace(watch, sound_ms=None)
    if finding.bad:
        bad_ms = now_ms if watch.bad_ms is None else watch.bad_ms
        doubted = bool(watch.text) or now_ms - bad_ms >= finding.patience_ms
        return _Watch(bad_ms, None, (watch.text or finding.text) if doubted else "")
    sound_ms = now_ms if watch.sound_ms is None else watch.sound_ms
    return _Watch(None, sound_ms, watch.text if now_ms - sound_ms < AGAIN_MS else "")


def _key(bound: Bound) -> str:
    return f"{bound.device}/{bound.quantity}"
