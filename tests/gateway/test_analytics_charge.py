"""Discharges that measure: deep, sound, uninterrupted; a SoC that recalibrates measures nothing."""

from dataclasses import replace
from functools import reduce

from gateway.analytics import charge
from gateway.analytics.tally import Tally

QUARTER_MS = 900_000


def interval(number, soc_bp, out_wh=500, in_wh=0, **more):
    start_ms = number * QUARTER_MS
    return Tally(
        start_ms,
        start_ms + QUARTER_MS,
        in_wh,
        out_wh,
        soc_bp=soc_bp,
        rated_wh=10_000,
        reached_ms=QUARTER_MS,
        **more,
    )


def chained(*intervals):
    return reduce(charge.extend, intervals[1:], charge.extend(None, intervals[0]))


def down(count, first=9000):
    return [interval(n, first - 500 * n) for n in range(count)]


def test_a_deep_discharge_counts_when_it_has_ended():
    going = chained(*down(10))
    assert (going.swings, going.open_wh, going.open_bp) == (0, 4500, 4500)
    ended = chained(*down(10), interval(10, 4500, out_wh=0))
    assert (ended.swings, ended.swing_wh, ended.swing_bp) == (0, 0, 0), "resting is no end"
    ended = chained(*down(10), interval(10, 5000, out_wh=0, in_wh=550))
    assert (ended.swings, ended.swing_wh, ended.swing_bp) == (1, 4500, 4500)


def test_a_shallow_one_does_not():
    assert chained(*down(8), interval(8, 6000, out_wh=0, in_wh=550)).swings == 0


def test_what_the_energy_does_not_explain_ends_it_and_is_not_sound():
    jumped = chained(*down(5), interval(5, 2000))
    assert (jumped.sound_discharged_wh, jumped.open_bp) == (0, 0)
    told = chained(*down(5), replace(interval(5, 6500), jumps=1))
    assert told.sound_discharged_wh == 0
    unseen = chained(*down(5), replace(interval(5, 6500), reached_ms=QUARTER_MS // 2))
    assert unseen.sound_discharged_wh == 0


def test_a_hole_in_time_or_charge_ends_it():
    assert chained(*down(5), interval(7, 6000)).open_bp == 0
    assert chained(*down(5), replace(interval(5, 6500), soc_bp=None)).open_bp == 0


def test_at_its_stops_the_displayed_charge_measures_nothing():
    assert chained(interval(0, 10_000), interval(1, 9500)).open_bp == 0
    assert chained(interval(0, 600), interval(1, 100)).open_bp == 0
