"""Whether the battery does what was written: invariant 7, the half that looks at physics. Pure.

A device may hold our value in its register and not act on it. Measured power must come into a band around
what was written within a settling time and stay; a band, because what was written may have moved
meanwhile. It refuses to judge without a GOOD measurement: then the limits are unknown anyway.
"""

from dataclasses import dataclass

TOLERANCE_W_MIN = 200  # metering offset and standby of a small site
TOLERANCE_PART = 10  # of the nameplate: conversion losses and what a BMS tapers
PATIENCE_MS = 10_000  # beyond the device's own settling time


@dataclass(frozen=True, slots=True)
class Trace:
    """What was written lately as (from ms, W), oldest first, and since when measurement disagrees."""

    written: tuple[tuple[int, int], ...] = ()
    apart_ms: int | None = None


def follow(
    trace: Trace, now_ms: int, written_w: int, measured_w: int | None, *, nameplate_w: int, settle_ms: int
) -> tuple[Trace, bool]:
    """One cycle; True when the battery has not followed for `settle_ms` and the patience."""
    written = trace.written
    if not written or written[-1][1] != written_w:
        written = (*written, (now_ms, written_w))
    # The value before the oldest change inside the settling time is still being left: it counts too.
    while len(written) > 1 and written[1][0] <= now_ms - settle_ms:
        written = written[1:]
    if measured_w is None:
        return Trace(written, trace.apart_ms), False
    tolerance_w = max(TOLERANCE_W_MIN, nameplate_w // TOLERANCE_PART)
    powers = [power_w for _, power_w in written]
    if min(powers) - tolerance_w <= measured_w <= max(powers) + tolerance_w:
        return Trace(written, None), False
    apart_ms = now_ms if trace.apart_ms is None else trace.apart_ms
    return Trace(written, apart_ms), now_ms - apart_ms >= settle_ms + PATIENCE_MS
