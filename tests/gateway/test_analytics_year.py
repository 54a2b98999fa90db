"""A year whose truth is known, through everything from intervals to figures, trend and alerts.

The battery loses 2 % of its capacity a year and a tenth of what is charged; its SoC is shown in whole
percents. The errors that are asserted here are the ones that docs/analytics.md states.
"""

from dataclasses import replace
from random import Random

import pytest

from gateway.analytics import charge, period
from gateway.analytics.alerts import alerts, fade
from gateway.analytics.figures import AlertCode
from gateway.analytics.trend import trend
from tests.gateway.tallies import YEAR_DAYS, Battery


@pytest.fixture(scope="module", params=(2, 14))
def year(request):
    return list(period.by_day(Battery(seed=request.param).days(YEAR_DAYS)))


def test_capacity_and_efficiency_of_the_year(year):
    whole = period.whole(year)
    assert whole.capacity_wh == pytest.approx(9900, rel=0.01)  # that of the middle of the year
    assert whole.efficiency_bp == pytest.approx(9000, abs=50)
    assert whole.cycles_milli / 1000 == pytest.approx(whole.throughput_wh / 2 / 9900, rel=0.01)
    assert whole.availability_bp == 10_000


def test_single_days_are_near_and_say_how_near(year):
    days = [d for d in period.each(year) if d.capacity_wh is not None]
    assert len(days) > 200
    for day in days:
        truth = Battery().now_wh(day.start_ms / 86_400_000)
        assert abs(day.capacity_wh - truth) / truth * 10_000 <= day.capacity_error_bp + 10
    efficiencies = [d.efficiency_bp for d in period.each(year) if d.efficiency_bp is not None]
    assert len(efficiencies) > 200
    assert all(abs(e - 9000) <= 350 for e in efficiencies)


def test_the_fade_is_found_and_is_no_alert(year):
    days = period.each(year)
    found = trend([(d.end_ms, d.capacity_wh) for d in days if d.capacity_wh is not None])
    assert found.per_year == pytest.approx(-200, abs=60)
    assert found.least <= -200 <= found.most
    assert alerts(days) == ()


def test_a_battery_that_fades_fast_is_said():
    days = period.each(list(period.by_day(Battery(fade_per_year=0.08).days(YEAR_DAYS))))
    assert 500 <= fade(days) <= 900
    assert [a.code for a in alerts(days)] == [AlertCode.FADE_FAST]


def test_a_fifth_of_all_days_recalibrated_wrongly_changes_little():
    """The BMS shows any SoC it likes for a moment of those days; what it says is rejected or outvoted."""
    rng, previous, intervals = Random(4), None, []
    wild = {rng.randrange(YEAR_DAYS) for _ in range(80)}
    for one in Battery().days(YEAR_DAYS):
        at = (one.start_ms // 86_400_000, one.start_ms % 86_400_000 // 900_000)
        bare = replace(one, open_wh=0, open_bp=0, swings=0, swing_wh=0, swing_bp=0)
        if at[0] in wild and at[1] >= 80:
            bare = replace(bare, soc_bp=min(10_000, bare.soc_bp + 2000))
        previous = charge.extend(previous, bare)
        intervals.append(previous)
    days = list(period.by_day(intervals))
    assert period.whole(days).capacity_wh == pytest.approx(9900, rel=0.01)
    assert period.whole(days).efficiency_bp == pytest.approx(9000, abs=50)
    found = trend([(d.end_ms, d.capacity_wh) for d in period.each(days) if d.capacity_wh is not None])
    assert found.per_year == pytest.approx(-200, abs=80)


def test_days_fold_to_the_year_like_its_intervals():
    intervals = list(Battery(seed=9).days(40))
    assert period.whole(list(period.by_day(intervals))) == period.whole(intervals)
