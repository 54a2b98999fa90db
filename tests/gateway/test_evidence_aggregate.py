"""The fold from samples to aggregates: counters, integration, preference, holes, and energy that adds up."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.evidence.aggregate import (
    ENERGIES,
    HOLD_MS,
    LAST,
    MEAN,
    STEP_MS,
    STEP_WH,
    VALUE_MAX,
    Aggregator,
)
from gateway.evidence.typed import GENESIS, NO_CHAIN, digest
from gateway.model import ClockTrust, IntervalFlag, Point, Quality, Sample, Stamp

ROOT = bytes(32)


def sample(at_ms, values, device="inverter", trust=ClockTrust.TRUSTED, quality=Quality.GOOD):
    points = tuple(Point(device, name) for name in values)
    return Sample(
        device, Stamp(at_ms, at_ms, trust), points, tuple(values.values()), bytes([quality] * len(points))
    )


def fold(samples, start=0, end=60_000, devices=None, most_w=0):
    rank = {"bms": 0, "meter": 0}
    fold = Aggregator(start, end, lambda p: rank.get(p.device, 1), devices or {}, most_w=most_w)
    for one in samples:
        fold.add(one)
    return fold.close(ROOT, 7)


def test_counters_are_used_where_there_are_any():
    readings = [
        sample(t, {"battery_discharged_wh": 1000 + t // 10_000, "battery_power_w": 9999})
        for t in range(0, 60_000, 1000)
    ]
    interval = fold(readings)
    assert interval.discharged_wh == 5
    assert not interval.flags & IntervalFlag.PARTIAL


A, B = frozenset({"a", "bms_a"}), frozenset({"b", "bms_b"})


def two(readings):
    """The interval of a site with two batteries."""
    fold = Aggregator(0, 60_000, lambda p: 0 if p.device.startswith("bms") else 1, {}, (A, B))
    for one in readings:
        fold.add(one)
    return fold.close(ROOT, 7)


def test_of_several_batteries_energies_add_up_each_from_its_best_source():
    readings = []
    for t in range(0, 60_000, 1000):
        readings += [
            sample(t, {"battery_discharged_wh": 100 + t // 20_000, "battery_power_w": 99_999}, "a"),
            sample(t, {"battery_power_w": 3600, "pv_power_w": 1800}, "b"),
            sample(t, {"battery_power_w": -1}, "bms_a"),
            sample(t, {"grid_power_w": 1800}, "meter"),
        ]
    interval = two(readings)
    assert (interval.discharged_wh, interval.charged_wh) == (2 + 60, 0)
    assert (interval.produced_wh, interval.imported_wh) == (30, 30)
    assert interval.consumed_wh == 30 + 62 + 30


def test_of_several_batteries_shares_are_weighed_by_capacity_and_energies_added():
    first = {"battery_soc_bp": 2000, "battery_capacity_wh": 30_000, "battery_available_wh": 6000}
    second = {"battery_soc_bp": 8000, "battery_capacity_wh": 10_000, "battery_available_wh": 8000}
    interval = two([sample(0, first, "bms_a"), sample(0, second, "bms_b")])
    assert (interval.soc_bp, interval.available_wh) == (3500, 14_000)
    interval = two([sample(0, first, "bms_a"), sample(0, {"battery_soc_bp": 8000}, "bms_b")])
    assert (interval.soc_bp, interval.available_wh) == (5000, 0)  # one capacity, one energy not known
    interval = two([sample(0, first, "bms_a")])
    assert interval.flags & IntervalFlag.SOC_UNKNOWN


def test_a_sample_before_the_start_sets_where_counters_begin():
    interval = fold([sample(-500, {"grid_imported_wh": 10}), sample(1000, {"grid_imported_wh": 12})])
    assert interval.imported_wh == 2


def test_a_counter_that_restarts_counts_on_from_there():
    values = [100, 103, 1, 4]
    interval = fold([sample(i * 1000, {"pv_energy_wh": v}) for i, v in enumerate(values)])
    assert interval.produced_wh == 3 + 3


def test_without_counters_power_is_integrated_and_said_so():
    interval = fold(
        [sample(t, {"battery_power_w": -3600, "grid_power_w": 1800}) for t in range(0, 60_000, 1000)]
    )
    assert (interval.charged_wh, interval.discharged_wh) == (60, 0)
    assert (interval.imported_wh, interval.exported_wh) == (30, 0)
    assert interval.flags & IntervalFlag.ENERGY_INTEGRATED


def test_power_is_not_held_across_a_hole():
    interval = fold([sample(0, {"battery_power_w": 3600}), sample(40_000, {"battery_power_w": 0})])
    assert interval.discharged_wh == HOLD_MS // 1000
    assert interval.flags & IntervalFlag.GAP
    assert interval.flags & IntervalFlag.PARTIAL


def test_the_better_source_wins_and_bad_values_never_count():
    interval = fold(
        [
            sample(0, {"battery_soc_bp": 4000}, "bms"),
            sample(1, {"battery_soc_bp": 9000}, "inverter"),
            sample(2, {"battery_soc_bp": 0}, "bms", quality=Quality.STALE),
        ]
    )
    assert interval.soc_bp == 4000


def test_an_unknown_soc_is_flagged_not_zero():
    interval = fold([sample(0, {"grid_power_w": 1})])
    assert interval.flags & IntervalFlag.SOC_UNKNOWN
    assert (interval.soh_bp, interval.available_wh, interval.frequency_mhz) == (0, 0, 0)


def test_means_and_clock_trust():
    interval = fold(
        [
            sample(0, {"grid_frequency_mhz": 49_990, "grid_voltage_mv": 230_000}),
            sample(1, {"grid_frequency_mhz": 50_011, "grid_voltage_mv": 231_000}, trust=ClockTrust.BACKDATED),
        ]
    )
    assert (interval.frequency_mhz, interval.voltage_mv) == (50_001, 230_500)
    assert interval.clock is ClockTrust.BACKDATED
    assert (interval.count, interval.merkle_root) == (7, ROOT)


@given(st.lists(st.tuples(st.integers(1, 4000), st.integers(-20_000, 20_000)), min_size=1, max_size=50))
def test_integrated_energy_is_the_sum_of_its_parts(steps):
    at_ms, expected, readings = 0, {1: 0, -1: 0}, []
    for wait_ms, power_w in steps:
        readings.append(sample(at_ms, {"battery_power_w": power_w}))
        expected[1 if power_w > 0 else -1] += abs(power_w) * wait_ms
        at_ms += wait_ms
    interval = fold(readings, 0, at_ms)
    assert abs(interval.discharged_wh - expected[1] / 3_600_000) <= 0.5
    assert abs(interval.charged_wh - expected[-1] / 3_600_000) <= 0.5
    assert interval.consumed_wh == max(0, interval.discharged_wh - interval.charged_wh)


def test_a_counter_that_says_zero_for_a_moment_counts_no_lifetime():
    values = [5_000_000, 5_000_003, 0, 0, 5_000_004, 5_000_010]
    interval = fold([sample(i * 1000, {"pv_energy_wh": v}) for i, v in enumerate(values)])
    assert interval.produced_wh == 10


def counted(values, most_w=40_000, each_ms=1000):
    """Interval of a counter that said these values, one each second."""
    readings = [sample(i * each_ms, {"battery_charged_wh": v}) for i, v in enumerate(values)]
    return fold(readings, 0, len(values) * each_ms, most_w=most_w)


def test_a_counter_that_jumps_up_for_a_moment_counts_no_jump():
    for spike in (5_004_004, 2**31, VALUE_MAX):
        interval = counted([1000, 1003, spike, 1004, 1010])
        assert interval.charged_wh == 10
        assert not interval.flags & IntervalFlag.GAP


def test_a_spike_on_the_way_back_from_zero_counts_no_lifetime():
    assert counted([5_000_000, 0, 4_900_000, 5_000_001, 5_000_002]).charged_wh == 2


def test_a_counter_that_stays_far_up_is_another_one_and_said_as_a_gap():
    interval = counted([1000, 1003, 9_000_000, 9_000_002])
    assert interval.charged_wh == 3
    assert interval.flags & IntervalFlag.GAP


def test_coarse_counters_and_silent_ones_may_rise_in_one_step():
    assert counted([7_000_000, 7_001_000], most_w=5000).charged_wh == 1000  # counts whole kWh
    assert counted([7_000_000, 7_100_000], most_w=1_000_000).charged_wh == 100_000  # steps of 100 kWh
    assert counted([0, 60_000], each_ms=7_200_000).charged_wh == 60_000  # two hours at 30 kW


def test_without_a_known_power_any_rise_counts():
    assert counted([0, 9_000_000], most_w=0).charged_wh == 9_000_000


@given(st.lists(st.integers(0, VALUE_MAX), min_size=1, max_size=30))
def test_no_counter_counts_more_than_the_site_could(values):
    interval = counted(values)
    most_wh = 40_000 * (len(values) * 1000 + len(values) * STEP_MS) // 3_600_000 + len(values) * STEP_WH
    assert 0 <= interval.charged_wh <= most_wh


def steady(device, name, value, from_ms=0, to_ms=60_000, quality=Quality.GOOD):
    return [sample(t, {name: value}, device, quality=quality) for t in range(from_ms, to_ms, 1000)]


def test_one_device_of_two_that_falls_silent_is_a_gap():
    meter = steady("meter", "grid_power_w", 100)
    halves = (steady("bms", "battery_soc_bp", 5000, 0, 20_000), steady("bms", "battery_soc_bp", 5000, 30_000))
    assert not fold([*meter, *steady("bms", "battery_soc_bp", 5000)]).flags & IntervalFlag.GAP
    for bms in (halves[0], halves[1], halves[0] + halves[1]):
        both = sorted([*meter, *bms], key=lambda s: s.stamp.wall_ms)
        assert fold(both).flags & IntervalFlag.GAP


def test_a_device_that_never_spoke_is_a_gap_and_a_slow_one_is_not():
    meter = steady("meter", "grid_power_w", 100)
    assert fold(meter, devices={"meter": 5000, "bms": 5000}).flags & IntervalFlag.GAP
    slow = [sample(t, {"battery_soc_bp": 5000}, "bms") for t in range(0, 60_000, 20_000)]
    both = sorted([*meter, *slow], key=lambda s: s.stamp.wall_ms)
    assert not fold(both, devices={"meter": 5000, "bms": 60_000}).flags & IntervalFlag.GAP


def test_power_that_was_not_known_for_a_while_is_a_gap():
    """The device answers all the time, only it has no value: what was integrated is not all there was."""
    for bad_from, bad_to in ((0, 20_000), (20_000, 40_000), (40_000, 60_000)):
        power = [
            sample(t, {"grid_power_w": 100}, "meter",
                   quality=Quality.ABSENT if bad_from <= t < bad_to else Quality.GOOD)
            for t in range(0, 60_000, 1000)
        ]  # fmt: skip
        assert fold(power).flags & IntervalFlag.GAP
    assert not fold(steady("meter", "grid_power_w", 100)).flags & IntervalFlag.GAP


NAMES = sorted(q.value for q in {*LAST, *MEAN, *(q for c, p, _ in ENERGIES.values() for q in (c, p) if q)})
WILD = st.sampled_from([-(2**63), -1, 0, 1, 10_001, 2**32, 2**40, 2**63 - 1]) | st.integers(
    -(2**63), 2**63 - 1
)


@given(st.lists(st.tuples(st.integers(0, 30_000), st.sampled_from(NAMES), WILD), max_size=40))
def test_whatever_a_device_says_the_record_can_be_made(readings):
    """What cannot be made would end the process, and again at every start."""
    at_ms, samples = 0, []
    for wait_ms, name, value in readings:
        at_ms += wait_ms
        samples.append(sample(at_ms, {name: value}))
    interval = fold(samples, 0, at_ms + 1)
    assert len(digest(NO_CHAIN, "s", 1, GENESIS, interval)) == 32
    assert interval.soc_bp <= 10_000


def test_a_charge_that_cannot_be_is_not_known():
    interval = fold([sample(0, {"battery_soc_bp": -1, "grid_frequency_mhz": -50_000})])
    assert interval.flags & IntervalFlag.SOC_UNKNOWN
    assert (interval.soc_bp, interval.frequency_mhz) == (0, 0)
