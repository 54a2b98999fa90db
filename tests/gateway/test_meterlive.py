"""A meter that stands still is found by the battery and by its own counters; a live one never is."""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import meterlive
from gateway.meterlive import AGAIN_MS, Heard, Meter


def lived(
    seconds: int,
    grid: Callable[[int], int],
    battery: Callable[[int], int | None] = lambda s: None,
    counted: Callable[[int], tuple[int | None, int | None]] = lambda s: (None, None),
    meter: Meter | None = None,
    begin_s: int = 0,
) -> tuple[Meter, int | None]:
    """A site of a sample a second; the meter at the end, and when it was first doubted."""
    found, meter = None, meter or Meter()
    for s in range(begin_s, begin_s + seconds):
        meter = meterlive.step(meter, Heard("em", s * 1000, grid(s), counted(s), battery(s)))
        if meter.doubt and found is None:
            found = s
    return meter, found


def ramp(s: int) -> int:
    """At rest for twenty seconds, then to 4 kW with 500 W each second."""
    return max(0, min(4000, (s - 20) * 500))


def test_a_figure_that_stands_while_the_battery_moves_is_doubted_within_seconds() -> None:
    meter, found = lived(40, lambda s: 2400, ramp)
    assert found == 25
    assert (
        meter.doubt == "the meter em stands still at 2400 W while the batteries have moved by 500 W and more"
    )


def test_a_live_one_is_not_and_nor_is_one_whose_batteries_are_not_ours() -> None:
    assert lived(60, lambda s: 2400 - ramp(s), ramp)[1] is None
    assert lived(3600, lambda s: 0)[1] is None
    assert lived(600, lambda s: 0, lambda s: None if s % 2 else ramp(s % 60))[1] is None


def test_a_battery_that_moves_for_moments_only_is_added_up() -> None:
    _, found = lived(60, lambda s: 2400, lambda s: 3000 if s % 4 == 0 else 0)
    assert found is not None and found < 35


def test_a_battery_read_before_a_step_that_the_meter_shows_already_is_no_proof() -> None:
    """The house is still: the step is in the meter's first figure, and the battery's comes seconds later."""
    for late in range(5):
        battery = lambda s, late=late: 3000 if s >= 20 + late else 0  # noqa: E731
        assert lived(300, lambda s: 2400 - (3000 if s >= 20 else 0), battery)[1] is None


def test_no_single_late_sample_proves_it() -> None:
    meter, _ = lived(20, lambda s: 2400, lambda s: 0)
    meter = meterlive.step(meter, Heard("em", 80_000, 2400, battery_w=3000))
    assert not meter.doubt
    meter = meterlive.step(meter, Heard("em", 140_000, 2400, battery_w=3000))
    assert meter.doubt


@pytest.mark.parametrize("grid_w", [2400, -2400])
def test_a_figure_that_its_own_counters_do_not_count_is_doubted(grid_w: int) -> None:
    meter, found = lived(7200, lambda s: grid_w, counted=lambda s: (500_000, 7000))
    assert found == 2500 * 3600 // 2400
    assert meter.doubt == f"the meter em stands still at {grid_w} W, and its counters do not count that"


def test_counters_that_count_or_are_not_there_or_a_figure_near_zero_raise_no_doubt() -> None:
    kwh = lambda s: (500_000 + 2400 * s // 3600 // 1000 * 1000, 7000)  # noqa: E731
    assert lived(7200, lambda s: 2400, counted=kwh)[1] is None
    assert lived(7200, lambda s: 2400, counted=lambda s: (500_000, None))[1] is None
    assert lived(86_400, lambda s: 60, counted=lambda s: (500_000, 7000))[1] is None


def test_it_is_believed_again_a_minute_after_it_changed_and_not_by_silence() -> None:
    meter, _ = lived(60, lambda s: 2400, ramp)
    assert meterlive.step(meter, None) is meter
    frozen, _ = lived(600, lambda s: 2400, meter=meter, begin_s=60)
    assert frozen.doubt, "nothing is commanded any more, and it still says the same"
    noisy = lambda s: 2000 + s % 7  # noqa: E731
    early, _ = lived(AGAIN_MS // 1000, noisy, meter=frozen, begin_s=660)
    assert early.doubt
    late, _ = lived(AGAIN_MS // 1000 + 1, noisy, meter=frozen, begin_s=660)
    assert late.doubt == "" and late.changed_ms is None


def test_one_change_and_then_the_same_again_is_judged_again() -> None:
    meter, _ = lived(60, lambda s: 2400, ramp)
    meter, _ = lived(40, lambda s: 2500, lambda s: ramp(s - 60), meter=meter, begin_s=60)
    assert meter.doubt and meter.changed_ms is None


def test_another_meter_is_judged_for_itself() -> None:
    meter, _ = lived(60, lambda s: 2400, ramp)
    assert meterlive.step(meter, Heard("other", 61_000, 2400)) == Meter(
        Heard("other", 61_000, 2400), 61_000, 61_000
    )


@given(st.integers(0, 2**32), st.sampled_from([1, 10, 100]))
def test_a_meter_that_measures_is_believed_whatever_house_and_law_do(seed: int, resolution_w: int) -> None:
    """A house that steps and hums; a battery that follows the meter, or an order; any resolution."""
    random = Random(seed)
    meter, load_w, battery_w, shown = Meter(), 500, 0, 0
    for s in range(600):
        if random.random() < 0.05:
            load_w = random.randrange(0, 6000)
        figure = (load_w + random.randrange(-40, 40) - battery_w) // resolution_w * resolution_w
        meter = meterlive.step(meter, Heard("em", s * 1000, figure, battery_w=shown))
        assert not meter.doubt, s
        shown = battery_w  # measured a second later
        wish_w = random.choice((figure + battery_w, battery_w, random.randrange(-4000, 4000)))
        battery_w += max(-1000, min(1000, wish_w - battery_w))
