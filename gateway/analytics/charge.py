"""What an interval adds to the account of charge: sound stretches, and the discharge that is going on.

Pure; bounded by one Tally of memory. A discharge that goes deep enough (SWING_BP) without being interrupted
measures the battery's capacity. It refuses stretches whose change of charge the energy does not explain: a
BMS that recalibrates moves its SoC, and not the battery; and the ends, where the SoC stands still while
energy flows.
"""

from dataclasses import replace

from gateway.analytics.tally import Tally

SWING_BP = 4000
FULL_BP, EMPTY_BP = 9900, 200  # beyond, the displayed SoC is at its stop
REACHED_BP = 9800  # of the time; energy integrated over more holes than that is not all there was
SLACK_BP = 300  # what a SoC in whole percents and its delay may be wrong by
FASTEST_BP_PER_S = 6  # just above 2C
BACK_PART = 20  # a discharge may be interrupted by a twentieth of its energy charged


def extend(previous: Tally | None, now: Tally) -> Tally:
    """`now` with what it makes of the charge that `previous` ended with."""
    if not _follows(previous, now):
        return _ended(previous, now)
    assert previous is not None and previous.soc_bp is not None and now.soc_bp is not None
    change_bp = now.soc_bp - previous.soc_bp
    if not _sound(change_bp, now):
        return _ended(previous, now)
    now = replace(
        now,
        sound_charged_wh=now.charged_wh,
        sound_discharged_wh=now.discharged_wh,
        sound_soc_bp=change_bp,
    )
    if not _discharging(previous.soc_bp, now):
        return _ended(previous, now)
    drawn_wh = now.discharged_wh - now.charged_wh
    return replace(now, open_wh=previous.open_wh + drawn_wh, open_bp=previous.open_bp - change_bp)


def _follows(previous: Tally | None, now: Tally) -> bool:
    return (
        previous is not None
        and previous.end_ms == now.start_ms
        and previous.soc_bp is not None
        and now.soc_bp is not None
    )


def _sound(change_bp: int, now: Tally) -> bool:
    """Whether all of the interval was seen and the charge moved as its energy says, as far as that is
    known."""
    span_ms = now.end_ms - now.start_ms
    if now.jumps or now.reached_ms * 10_000 < span_ms * REACHED_BP:
        return False
    if abs(change_bp) > SLACK_BP + FASTEST_BP_PER_S * span_ms // 1000:
        return False
    if not now.rated_wh:
        return True
    expected_bp = (now.charged_wh - now.discharged_wh) * 10_000 // now.rated_wh
    return abs(change_bp - expected_bp) <= SLACK_BP + abs(expected_bp) // 2


def _discharging(from_bp: int, now: Tally) -> bool:
    assert now.soc_bp is not None
    inside = from_bp <= FULL_BP and now.soc_bp >= EMPTY_BP
    return inside and now.soc_bp <= from_bp and now.charged_wh * BACK_PART <= now.discharged_wh


def _ended(previous: Tally | None, now: Tally) -> Tally:
    """The discharge that went on until `previous` has ended; it counts if it was deep enough."""
    if previous is None or previous.open_bp < SWING_BP or previous.open_wh <= 0:
        return now
    return replace(now, swings=1, swing_wh=previous.open_wh, swing_bp=previous.open_bp)
