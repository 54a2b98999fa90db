"""Whether the battery does what was written: invariant 7, the half that looks at physics. Pure.

A device may hold our value in its register and not act on it. Measured power must come into a band around
what was written within a settling time and stay; a band, because what was written may have moved
meanwhile. Power the other way is found sooner: it is a wrong sign, and each second of it does the opposite
of what was ordered. What it does inside the band beyond what was written is told too, for whoever adds up.
It refuses to judge without a GOOD measurement: then the limits are unknown anyway.
"""

from dataclasses import dataclass, replace
from enum import Enum

TOLERANCE_W_MIN = 200  # metering offset and standby of a small site
TOLERANCE_PART = 10  # of the nameplate: conversion losses and what a BMS tapers
PATIENCE_MS = 10_000  # beyond the device's own settling time
EXCESS_BP_MAX = 1000  # no inverter loses more than a tenth
EXCESS_W_MIN, STEADY_PART, SMOOTH = 500, 20, 4  # below is standby; within a twentieth; a quarter each cycle
SIGN_PATIENCE_MS = 2_000  # the same for the other direction, by a measurement that was taken after it


class Stray(Enum):
    """What is wrong with the battery's power."""

    NO = "it follows, or may still"
    APART = "another power"
    AGAINST = "the other direction"


@dataclass(frozen=True, slots=True)
class Trace:
    """What was written lately as (from ms, W), oldest first, and since when measurement disagrees."""

    written: tuple[tuple[int, int], ...] = ()
    apart_ms: int | None = None
    against: tuple[int, bool] | None = None  # since when it goes the other way, and whether that is charging


def follow(
    trace: Trace,
    now_ms: int,
    written_w: int,
    measured_w: int | None,
    *,
    nameplate_w: int,
    settle_ms: int,
    age_ms: int = 0,
) -> tuple[Trace, Stray]:
    """One cycle. `age_ms` is the measurement's."""
    written = trace.written
    if not written or written[-1][1] != written_w:
        written = (*written, (now_ms, written_w))
    # The value before the oldest change inside the settling time is still being left: it counts too.
    while len(written) > 1 and written[1][0] <= now_ms - settle_ms:
        written = written[1:]
    trace = replace(trace, written=written)
    if measured_w is None:
        return trace, Stray.NO
    tolerance_w = max(TOLERANCE_W_MIN, nameplate_w // TOLERANCE_PART)
    against = _against(trace.against, now_ms, written_w, measured_w, tolerance_w)
    if against is not None and now_ms - age_ms - against[0] >= settle_ms + SIGN_PATIENCE_MS:
        return Trace(written, trace.apart_ms, against), Stray.AGAINST
    powers = [power_w for _, power_w in written]
    if min(powers) - tolerance_w <= measured_w <= max(powers) + tolerance_w:
        return Trace(written, None, against), Stray.NO
    apart_ms = now_ms if trace.apart_ms is None else trace.apart_ms
    lost = now_ms - apart_ms >= settle_ms + PATIENCE_MS
    return Trace(written, apart_ms, against), Stray.APART if lost else Stray.NO


def excess_bp(before_bp: int, trace: Trace, settled_ms: int, measured_w: int | None) -> int:
    """What part of a discharge is beyond what was written, smoothed over some cycles: a battery that is
    measured at its DC side shows what the conversion loses too. Judged while what is written has been steady
    since `settled_ms`, a settling time ago."""
    powers = [power_w for _, power_w in trace.written]
    if measured_w is None or not powers or min(powers) < EXCESS_W_MIN or trace.written[0][0] > settled_ms:
        return before_bp
    if (max(powers) - min(powers)) * STEADY_PART > max(powers):
        return before_bp
    beyond_bp = (measured_w - max(powers)) * 10_000 // max(powers)
    return before_bp + (max(-EXCESS_BP_MAX, min(EXCESS_BP_MAX, beyond_bp)) - before_bp) // SMOOTH


def _against(
    before: tuple[int, bool] | None, now_ms: int, written_w: int, measured_w: int, tolerance_w: int
) -> tuple[int, bool] | None:
    """Since when the battery goes against what is written; None while either is too small to have a way."""
    if min(abs(written_w), abs(measured_w)) <= tolerance_w or (written_w > 0) == (measured_w > 0):
        return None
    charging = measured_w < 0
    return before if before is not None and before[1] == charging else (now_ms, charging)
