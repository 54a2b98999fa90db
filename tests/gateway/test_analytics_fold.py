"""From samples to a tally: only GOOD values of the batteries, only what can be."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Quality
from tests.gateway.analytics_samples import folded, sample, steady

NAMES = (
    "battery_temperature_cc",
    "battery_capacity_wh",
    "battery_cell_min_mv",
    "battery_cell_max_mv",
    "battery_soc_bp",
)


def test_temperatures_and_capacity_within_reason():
    found = folded(
        [
            sample(1000, {"battery_temperature_cc": 2000, "battery_capacity_wh": 9600}),
            sample(2000, {"battery_temperature_min_cc": -300, "battery_temperature_max_cc": 4100}),
            sample(3000, {"battery_temperature_cc": 32_000, "battery_capacity_wh": 0}),
        ]
    )
    assert (found.temperature_min_cc, found.temperature_max_cc, found.rated_wh) == (-300, 4100, 9600)


@given(st.sampled_from([q for q in Quality if q is not Quality.GOOD]), st.integers(0, 10**6))
def test_what_is_not_good_makes_no_figure(quality, value):
    found = folded([sample(1000, dict.fromkeys(NAMES, value), quality=quality)])
    assert (found.temperature_max_cc, found.rated_wh, found.spread_mv, found.jumps) == (None, None, None, 0)


def test_before_the_start_only_says_how_things_stood():
    found = folded([sample(-500, {"battery_temperature_cc": 4000, "battery_soc_bp": 9000})], start_ms=0)
    assert found.temperature_max_cc is None


def test_a_charge_that_leaps_is_a_jump():
    assert folded([sample(0, {"battery_soc_bp": 5000}), sample(1000, {"battery_soc_bp": 5300})]).jumps == 1
    assert folded([sample(0, {"battery_soc_bp": 5000}), sample(1000, {"battery_soc_bp": 5200})]).jumps == 0
    assert folded([sample(0, {"battery_soc_bp": 5000}), sample(50_000, {"battery_soc_bp": 5300})]).jumps == 0


def test_devices_that_are_no_batterys_are_not_looked_at():
    found = folded([*steady({"battery_temperature_cc": 9000}, 0, 5000, device="other")])
    assert (found.temperature_max_cc, found.reached_ms) == (None, 0)


def test_cells_come_in_one_sample():
    pair = {"battery_cell_min_mv": 3300, "battery_cell_max_mv": 3345}
    assert folded([sample(1000, pair)]).spread_mv == 45
    apart = [sample(1000, {name: value}) for name, value in pair.items()]
    assert folded(apart).spread_mv is None
