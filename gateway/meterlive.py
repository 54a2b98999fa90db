"""Whether the meter still measures, or says one figure for ever. Pure.

A gateway or inverter that lost its meter often repeats what it heard last, fresh by every other sign. But a
battery that does more or less is seen at the meter, and power that flows is counted. So a figure that stands
while batteries that we command have moved, or while its own counters do not count what it says, is doubted;
it is believed again a minute after it has changed. It refuses to judge what batteries do by themselves: an
inverter may hold the meter at one figure on purpose. What it cannot tell from a quiet house is a figure near
zero, or one without counters, that stands while no battery moves.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from gateway import units

MOVED_W = 500  # meters with the coarsest registers show steps of 100 W
APART_MS = 5000  # as old as a measurement may be: a figure that follows later is as good as none
UNCOUNTED_WH = 2500  # the coarsest counters show whole kWh
AGAIN_MS = 60_000


class Heard(NamedTuple):
    """The meter's last sample, when it was taken (monotonic) and what the batteries do together, None where
    they are not commanded or not measured. `counted_wh`: in and out, None where it has no counter."""

    device: str
    at_ms: int
    grid_w: int
    counted_wh: tuple[int | None, int | None] = (None, None)
    battery_w: int | None = None


@dataclass(frozen=True, slots=True)
class Meter:
    """The last sample, since when it says that figure and since when its counters stand; what the batteries
    did at first, and for how long in all they have done something else. `doubt`: what is wrong with it, for a
    person, until a minute after `changed_ms`."""

    last: Heard | None = None
    since_ms: int = 0
    counted_ms: int = 0
    base_w: int | None = None
    apart_ms: int = 0
    doubt: str = ""
    changed_ms: int | None = None


def step(before: Meter, heard: Heard | None) -> Meter:
    """One cycle; `heard` None: it is not measured, and silence neither raises a doubt nor ends one."""
    if heard is None or heard == before.last:
        return before
    last = before.last
    if last is None or last.device != heard.device:
        return Meter(heard, heard.at_ms, heard.at_ms, heard.battery_w)
    if heard.grid_w == last.grid_w:
        return _judged(_standing(before, last, heard), heard)
    changed_ms = heard.at_ms if before.changed_ms is None else before.changed_ms
    first = Meter(heard, heard.at_ms, heard.at_ms, heard.battery_w)
    return _eased(replace(first, doubt=before.doubt, changed_ms=changed_ms), heard.at_ms)


def _standing(before: Meter, last: Heard, heard: Heard) -> Meter:
    """The same figure once more: what the batteries and the counters have done meanwhile."""
    stands = None not in heard.counted_wh and heard.counted_wh == last.counted_wh
    meter = replace(before, last=heard, counted_ms=before.counted_ms if stands else heard.at_ms)
    # Meter and battery are read at different moments: what moved shortly before may be in the figure already.
    if before.base_w is None or heard.battery_w is None or heard.at_ms - before.since_ms < APART_MS:
        return replace(meter, base_w=heard.battery_w)
    moved = abs(heard.battery_w - before.base_w) >= MOVED_W
    passed_ms = min(heard.at_ms - last.at_ms, APART_MS // 2)  # no single sample proves it
    return replace(meter, apart_ms=before.apart_ms + (passed_ms if moved else 0))


def _judged(meter: Meter, heard: Heard) -> Meter:
    figure = f"the meter {heard.device} stands still at {units.show(heard.grid_w, 'w')}"
    if meter.apart_ms >= APART_MS:
        figure += f" while the batteries have moved by {MOVED_W} W and more"
    elif abs(heard.grid_w) * (heard.at_ms - meter.counted_ms) >= UNCOUNTED_WH * 3_600_000:
        figure += ", and its counters do not count that"
    else:
        return _eased(meter, heard.at_ms)
    return replace(meter, doubt=meter.doubt or figure, changed_ms=None)


def _eased(meter: Meter, now_ms: int) -> Meter:
    """Believed again, once it has changed and for so long nothing has been wrong."""
    over = not meter.doubt or (meter.changed_ms is not None and now_ms - meter.changed_ms >= AGAIN_MS)
    return replace(meter, doubt="", changed_ms=None) if over else meter
