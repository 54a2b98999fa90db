"""Round trips: of sound stretches, corrected by the charge still inside, refused where that decides."""

import pytest

from gateway.analytics.efficiency import efficiency_bp
from gateway.analytics.tally import Tally


def tally(charged, discharged, soc_bp=0):
    return Tally(0, 1, sound_charged_wh=charged, sound_discharged_wh=discharged, sound_soc_bp=soc_bp)


@pytest.mark.parametrize(
    ("found", "charged", "discharged", "soc_bp"),
    [
        (9000, 10_000, 9000, 0),
        (9000, 10_000, 7000, 2000),  # 2 kWh more are inside
        (9000, 10_000, 11_000, -2000),
        (None, 4999, 4500, 0),  # less than half of the capacity went in
        (None, 10_000, 3000, 6000),  # most of it is still inside
        (None, 10_000, 10_001, 0),  # no battery
        (None, 10_000, 0, -1000),
    ],
)
def test_efficiency(found, charged, discharged, soc_bp):
    assert efficiency_bp(tally(charged, discharged, soc_bp), 10_000) == found


def test_without_a_capacity_there_is_none():
    assert efficiency_bp(tally(10_000, 9000), None) is None
