"""Round-trip efficiency: what came out of what went in, less what is still inside.

Pure. Only sound stretches count. It refuses a figure when so little went in that the charge that is still
inside, known to a percent, decides it; and one that no battery can have.
"""

from gateway.analytics.tally import Tally

LEAST_PART = 2  # half of the capacity, at least, must have gone in
KEPT_PART = 2  # and at most half of what went in may be still inside, or have been there before


def efficiency_bp(tally: Tally, capacity_wh: int | None) -> int | None:
    """`capacity_wh`: what the change of charge is worth; the best that is known."""
    if not capacity_wh:
        return None
    charged_wh = tally.sound_charged_wh
    kept_wh = tally.sound_soc_bp * capacity_wh // 10_000
    if charged_wh * LEAST_PART < capacity_wh or abs(kept_wh) * KEPT_PART > charged_wh:
        return None
    found = (tally.sound_discharged_wh + kept_wh) * 10_000 // charged_wh
    return found if 0 < found <= 10_000 else None
