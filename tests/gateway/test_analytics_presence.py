"""For how long batteries were there: heard, without a fault, with what must be known."""

from gateway.analytics.presence import BATTERY_ALARMS
from gateway.model import Quality
from tests.gateway.analytics_samples import folded, sample, steady

LIMITS = {"charge_limit_w": 3000, "discharge_limit_w": 3000, "battery_soc_bp": 5000}
BOTH = (*steady(LIMITS, 0, 60_000), *steady({"battery_power_w": 0}, 0, 60_000, "inverter"))
SILENCE_MS = 5000


def test_a_battery_that_is_heard_all_the_time_was_available():
    found = folded(BOTH)
    assert (found.reached_ms, found.available_ms, found.losses, found.faults) == (60_000, 60_000, 0, 0)


def test_a_silent_device_takes_the_battery_along_and_is_one_loss():
    kept = [s for s in BOTH if s.device == "inverter" or not 20_000 <= s.stamp.wall_ms < 40_000]
    found = folded(kept)
    assert found.reached_ms == 60_000 - (20_000 - SILENCE_MS + 1000)
    assert found.losses == 1


def test_what_must_be_known_and_is_not_good_is_no_availability():
    bad = [sample(s.stamp.wall_ms, LIMITS, quality=Quality.INVALID) for s in BOTH if s.device == "bms"]
    found = folded([*bad, *(s for s in BOTH if s.device == "inverter")])
    assert (found.reached_ms, found.available_ms) == (60_000, 0)


def test_a_fault_begins_once_and_ends_availability_while_it_stands():
    fault, warning = 1 << 3, 1 << 4
    said = [sample(ms, {**LIMITS, BATTERY_ALARMS: fault | warning}) for ms in range(30_000, 60_000, 1000)]
    found = folded([*(s for s in BOTH if s.device == "inverter" or s.stamp.wall_ms < 30_000), *said])
    assert (found.faults, found.available_ms) == (1, 30_000)
    assert found.battery_alarms_flags == found.battery_standing_flags == fault | warning
    again = folded(said, 90_000, start_ms=60_000, previous=found)
    assert again.faults == 0, "it stood before"


def test_nothing_stored_is_a_battery_away():
    found = folded(())
    assert (found.reached_ms, found.available_ms) == (0, 0)
