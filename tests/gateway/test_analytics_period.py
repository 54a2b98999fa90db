"""Periods: days of UTC, figures with the capacity measured last, a whole of parts."""

from gateway.analytics import period
from gateway.analytics.tally import Tally

HOUR_MS = 3_600_000


def tally(hour, **more):
    return Tally(hour * HOUR_MS, (hour + 1) * HOUR_MS, charged_wh=100, discharged_wh=90, **more)


def test_intervals_fall_into_days_by_their_start():
    days = list(period.by_day([tally(22), tally(23), tally(24)]))
    assert [(d.start_ms // HOUR_MS, d.end_ms // HOUR_MS, d.charged_wh) for d in days] == [
        (22, 24, 200),
        (24, 25, 100),
    ]


def test_what_a_day_did_not_measure_is_taken_from_the_day_before():
    measured, later = period.each(
        [tally(0, swings=1, swing_wh=4000, swing_bp=5000, rated_wh=10_000), tally(24, rated_wh=10_000)]
    )
    assert (measured.capacity_wh, measured.soh_measured_bp, measured.capacity_error_bp) == (8000, 8000, 200)
    assert later.capacity_wh is None, "not measured is not measured"
    assert later.cycles_milli == (190 * 1000 + 8000) // 16_000
    (alone,) = period.each([tally(24, rated_wh=10_000)])
    assert alone.cycles_milli == (190 * 1000 + 10_000) // 20_000


def test_availability_is_a_share_of_all_the_time():
    assert period.figures(tally(0, available_ms=HOUR_MS // 4)).availability_bp == 2500
    assert period.figures(Tally(5, 5)).availability_bp is None


def test_the_whole_of_none_is_none():
    assert period.whole([]) is None
    assert period.whole([tally(0), tally(1)]).throughput_wh == 380
