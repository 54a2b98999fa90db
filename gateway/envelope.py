"""What may never happen, decided. The file an auditor reads: pure, no I/O, no clock, no state of its own.

`limit` says each cycle what may be written now; it curtails and names what curtailed. (Whether an order may
be accepted at all is decided once, in admission.py.) It never widens what BMS and inverter allow, and this is
not a safety function: those are in the BMS and the inverter. Numbers in comments are the invariants of
docs/safety.md:

 1 every write within all limits      limit: _windows, _settled     9 priority of sources    ledger.py
 2 an unknown limit is 0              _limits, plausible.py        10 wall-clock steps       admission.py
 3 every command ends                admission.py, control.py     11 at most once           admission.py
 4 device timer armed, refreshed      setpoint.py                  12 rates and budgets      admission.py
 5 ramp, except toward zero           _ramp                        13 loss of store, chain   control.py
 6 SoC hysteresis, direction dwell    _remember_soc, _dwell        14 foreign writes         setpoint.py
 7 read back and follow               setpoint.py, follow.py       15 watchdog               control.py
 8 fallback first after a start       setpoint.py, control.py
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from gateway.derate import WHOLE_BP, Share
from gateway.model import NOTHING, Cause, Limits
from gateway.recovery import Edge, moved, relaxed
from gateway.site import SiteLimits

POWER_MAX_W = 100_000_000  # no site of ours reaches 100 MW: beyond is a wrong scale or a sentinel
CURRENT_MAX_MA = 50_000_000
VOLTAGE_MIN_MV, VOLTAGE_MAX_MV = 10_000, 3_000_000
TEMPERATURE_MIN_CC, TEMPERATURE_MAX_CC = -5000, 12_000
SOC_FULL_BP = 10_000
EVERYTHING = Limits(POWER_MAX_W, POWER_MAX_W)
# The battery's own limits. An unknown one is none of them: it closes its direction while it is unknown.
RELAXED = frozenset({Cause.BMS, Cause.TEMPERATURE, Cause.CELL, Cause.SOC})


Reported = tuple[int | None, ...]  # one entry a configured provider; None where it is not GOOD


@dataclass(frozen=True, slots=True)
class Bms:
    """The limits that every provider of the site reports, and whether all of them were ever reached."""

    charge_ma: Reported = ()
    discharge_ma: Reported = ()
    charge_w: Reported = ()
    discharge_w: Reported = ()
    reached: bool = True


@dataclass(frozen=True, slots=True)
class Moment:
    """Everything a cycle's decision depends on besides the target. None: not known GOOD."""

    now_ms: int
    cycle_ms: int
    site: SiteLimits
    nameplate: Limits | None
    bms: Bms
    contract: Limits  # the reach the running order was admitted with
    voltage_mv: int | None
    soc_bp: int | None
    temperature_cc: int | None
    temperature_expected: bool  # some device of the site reports it
    house_w: int | None  # load less pv, = grid + battery: what the grid would see without the battery
    step_w: int
    quantise: Callable[[int], int]
    others: Limits = NOTHING  # what the site's other batteries may be doing, each way at its worst
    derating: tuple[Share, ...] = ()  # what its temperature and cells leave of the battery's power


@dataclass(frozen=True, slots=True)
class Memory:
    """What one cycle leaves to the next. `direction`: sign of the last power, 0 if dwell is not due; `charge`
    and `discharge`: from where the battery's own limits are being relaxed."""

    changed_ms: int  # when the written power last changed
    rest_ms: int  # since when it is zero
    direction: int = 0
    full: bool = False
    empty: bool = False
    charge: Edge | None = None
    discharge: Edge | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The power to write (+ discharge, already a value the device can hold) and why it is not the target."""

    power_w: int
    causes: tuple[Cause, ...]


def limit(target_w: int, last_w: int, moment: Moment, memory: Memory) -> tuple[Outcome, Memory]:
    """What may be written now for `target_w`, after `last_w`; pure."""
    memory = _remember_soc(moment, memory)
    power_w, causes = target_w, []
    windows = _windows(moment, memory)
    memory = _remember_edges(windows, moment, memory)
    for cause, window in windows:
        if (clipped := _clip(power_w, window)) != power_w:
            power_w = clipped
            causes.append(cause)
    for cause, step in ((Cause.DWELL, _dwell), (Cause.RAMP, _ramp)):
        if (slowed := step(power_w, last_w, moment, memory)) != power_w:
            power_w = slowed
            causes.append(cause)
    if (settled := _settled(power_w, moment, windows)) != power_w:
        power_w = settled
        causes.append(Cause.ROUNDING)
    return Outcome(power_w, tuple(dict.fromkeys(causes))), _remember_power(power_w, last_w, moment, memory)


def _clip(power_w: int, window: Limits) -> int:
    return max(-window.charge_w, min(window.discharge_w, power_w))


Window = tuple[Cause, Limits]


def _windows(moment: Moment, memory: Memory) -> tuple[Window, ...]:
    """1: every limit of the moment with its name, and how far those that fell have recovered."""
    found = tuple(_limits(moment, memory))
    if moment.nameplate is None:
        return found  # nothing may flow
    own, plate, now_ms = _least(found, RELAXED, moment.nameplate), moment.nameplate, moment.now_ms
    charge_w = relaxed(memory.charge, own.charge_w, now_ms, plate.charge_w)
    discharge_w = relaxed(memory.discharge, own.discharge_w, now_ms, plate.discharge_w)
    return (*found, (Cause.RECOVERY, Limits(charge_w, discharge_w)))


def _remember_edges(windows: tuple[Window, ...], moment: Moment, memory: Memory) -> Memory:
    plate, now_ms = moment.nameplate, moment.now_ms
    if plate is None:
        return memory
    own = _least(windows, RELAXED, plate)
    return replace(
        memory,
        charge=moved(memory.charge, own.charge_w, now_ms, plate.charge_w),
        discharge=moved(memory.discharge, own.discharge_w, now_ms, plate.discharge_w),
    )


def _least(windows: tuple[Window, ...], causes: frozenset[Cause], most: Limits) -> Limits:
    """The narrowest of the windows with these names, inside `most`."""
    chosen = [most, *(window for cause, window in windows if cause in causes)]
    return Limits(min(w.charge_w for w in chosen), min(w.discharge_w for w in chosen))


def _limits(moment: Moment, memory: Memory) -> Iterator[Window]:
    """1: every limit of the moment with its name; 2: an unknown one closes its direction."""
    if moment.nameplate is None:
        yield Cause.STALE_LIMIT, NOTHING
    else:
        yield Cause.INVERTER, moment.nameplate
    bms = tuple(_bms(moment.bms, moment.voltage_mv))
    yield from bms
    yield from _derated(moment, bms)
    yield from _shared(moment)
    yield _soc(moment, memory)
    yield _temperature(moment)


def _derated(moment: Moment, bms: tuple[Window, ...]) -> Iterator[Window]:
    """The curves' part of what inverter and BMS allow at most."""
    if moment.nameplate is None:
        return
    whole = _least(bms, frozenset({Cause.BMS}), moment.nameplate)
    for share in moment.derating:
        yield (
            share.cause,
            Limits(
                whole.charge_w * share.charge_bp // WHOLE_BP,
                whole.discharge_w * share.discharge_bp // WHOLE_BP,
            ),
        )


def _shared(moment: Moment) -> Iterator[Window]:
    """1: what all batteries of the site together must keep: the others' part is taken at its worst."""
    for cause, window in (
        (Cause.SITE, _site(moment.site)),
        (Cause.CONTRACT, moment.contract),
        _grid(moment),
    ):
        room = window.charge_w - moment.others.charge_w, window.discharge_w - moment.others.discharge_w
        yield cause, Limits(max(0, room[0]), max(0, room[1]))


def clipped(target_w: int, moment: Moment) -> tuple[int, tuple[Cause, ...]]:
    """1: the part of `target_w` that all batteries together may do, and what forbids the rest."""
    causes = []
    for cause, window in _shared(moment):
        if (nearer_w := _clip(target_w, window)) != target_w:
            target_w = nearer_w
            causes.append(cause)
    return target_w, tuple(causes)


def room(moment: Moment, memory: Memory) -> Limits:
    """All limits of the moment in one, for dividing a target among batteries; `limit` is what decides."""
    windows = [window for _, window in _windows(moment, _remember_soc(moment, memory))]
    return Limits(min(w.charge_w for w in windows), min(w.discharge_w for w in windows))


def lacks(power_w: int, moment: Moment, memory: Memory) -> bool:
    """2: whether something that is not known forbids this power, whatever else does."""
    windows = _windows(moment, memory)
    return any(cause is Cause.STALE_LIMIT and _clip(power_w, window) != power_w for cause, window in windows)


def _site(site: SiteLimits) -> Limits:
    return Limits(site.charge_w, site.discharge_w)


def _bms(bms: Bms, voltage_mv: int | None) -> Iterator[Window]:
    if not bms.reached:
        yield Cause.STALE_LIMIT, NOTHING
    voltage = _known(voltage_mv, VOLTAGE_MIN_MV, VOLTAGE_MAX_MV)
    for side, currents, powers in (
        ("charge_w", bms.charge_ma, bms.charge_w),
        ("discharge_w", bms.discharge_ma, bms.discharge_w),
    ):
        for current in (_known(value, 0, CURRENT_MAX_MA) for value in currents):
            unknown = current is None or voltage is None
            yield _one_sided(None if unknown else (current or 0) * (voltage or 0) // 1_000_000, side)
        for power in powers:
            yield _one_sided(_known(power, 0, POWER_MAX_W), side)


def _one_sided(bound_w: int | None, side: str) -> Window:
    cause = Cause.STALE_LIMIT if bound_w is None else Cause.BMS
    return cause, replace(EVERYTHING, **{side: bound_w or 0})


def _known(value: int | None, least: int, most: int) -> int | None:
    """2: a value outside of what is possible is not known."""
    return value if value is not None and least <= value <= most else None


def _grid(moment: Moment) -> Window:
    """grid = house - battery must stay between -export and +import; unmeasured, nothing is sure."""
    house_w = _known(moment.house_w, -POWER_MAX_W, POWER_MAX_W)
    if house_w is None:
        return Cause.STALE_LIMIT, NOTHING
    charge_w, discharge_w = moment.site.import_w - house_w, moment.site.export_w + house_w
    return Cause.GRID, Limits(max(0, charge_w), max(0, discharge_w))


def _remember_soc(moment: Moment, memory: Memory) -> Memory:
    """6: a bound once reached stays closed until the state of charge has left it by the hysteresis."""
    soc, site = _known(moment.soc_bp, 0, SOC_FULL_BP), moment.site
    if soc is None:
        return memory
    full_at = site.soc_max_bp - (site.soc_hysteresis_bp if memory.full else 0)
    empty_at = site.soc_min_bp + (site.soc_hysteresis_bp if memory.empty else 0)
    # While latched, exactly the reopening value opens it again; unlatched, the bound itself closes.
    full = soc > full_at if memory.full else soc >= full_at
    empty = soc < empty_at if memory.empty else soc <= empty_at
    return replace(memory, full=full, empty=empty)


def _soc(moment: Moment, memory: Memory) -> Window:
    if _known(moment.soc_bp, 0, SOC_FULL_BP) is None:
        return Cause.STALE_LIMIT, NOTHING
    return Cause.SOC, Limits(0 if memory.full else POWER_MAX_W, 0 if memory.empty else POWER_MAX_W)


def _temperature(moment: Moment) -> Window:
    if not moment.temperature_expected:
        return Cause.TEMPERATURE, EVERYTHING  # the BMS keeps it inside its own limits
    value = _known(moment.temperature_cc, TEMPERATURE_MIN_CC, TEMPERATURE_MAX_CC)
    if value is None:
        return Cause.STALE_LIMIT, NOTHING
    if value > moment.site.temperature_max_cc:
        return Cause.TEMPERATURE, NOTHING
    cold = value < moment.site.temperature_min_cc
    return Cause.TEMPERATURE, Limits(0 if cold else POWER_MAX_W, POWER_MAX_W)


def _sign(power_w: int) -> int:
    return (power_w > 0) - (power_w < 0)


def _dwell(power_w: int, last_w: int, moment: Moment, memory: Memory) -> int:
    """6: between charging and discharging lies a rest at zero."""
    sign = _sign(power_w)
    if sign == 0 or memory.direction in (0, sign):
        return power_w
    rested = last_w == 0 and moment.now_ms - memory.rest_ms >= moment.site.dwell_ms
    return power_w if rested else 0


def _ramp(power_w: int, last_w: int, moment: Moment, memory: Memory) -> int:
    """5: away from zero by at most the ramp's share of the time since the last change; toward zero freely.

    The time counted is one cycle, so that a stall is not followed by a jump; only where one cycle's share
    is less than the device can resolve, it is the time that one step takes.
    """
    base_w = abs(last_w) if _sign(last_w) == _sign(power_w) else 0
    if abs(power_w) <= base_w:
        return power_w
    rate = moment.site.ramp_w_per_s
    longest_ms = max(moment.cycle_ms, -(-moment.step_w * 1000 // rate)) if rate > 0 else 0
    room_w = rate * max(0, min(moment.now_ms - memory.changed_ms, longest_ms)) // 1000
    return _sign(power_w) * min(abs(power_w), base_w + room_w)


def _settled(power_w: int, moment: Moment, windows: tuple[Window, ...]) -> int:
    """1: what the device will really hold, checked again: it may only have come nearer to zero."""
    settled = moment.quantise(power_w)
    nearer = abs(settled) <= abs(power_w) and _sign(settled) in (0, _sign(power_w))
    return settled if nearer and all(_clip(settled, window) == settled for _, window in windows) else 0


def _remember_power(power_w: int, last_w: int, moment: Moment, memory: Memory) -> Memory:
    if power_w != last_w:
        memory = replace(memory, changed_ms=moment.now_ms)
    if power_w == 0:
        return replace(memory, rest_ms=moment.now_ms) if last_w != 0 else memory
    return replace(memory, direction=_sign(power_w))
