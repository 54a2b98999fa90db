"""Following: the battery against what was written, cycle by cycle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.follow import (
    EXCESS_BP_MAX,
    PATIENCE_MS,
    SIGN_PATIENCE_MS,
    Stray,
    Trace,
    excess_bp,
    follow,
)


def strays(pairs: list[tuple[int, int | None]], settle_ms: int = 5000) -> list[Stray]:
    """One (written, measured) a second; what each cycle finds."""
    trace, strays = Trace(), []
    for second, (written, measured) in enumerate(pairs):
        now_ms = second * 1000
        trace, stray = follow(trace, now_ms, written, measured, nameplate_w=10_000, settle_ms=settle_ms)
        strays.append(stray)
    return strays


def run(pairs: list[tuple[int, int | None]], settle_ms: int = 5000) -> list[bool]:
    """Whether each cycle finds it lost, whatever the reason."""
    return [stray is not Stray.NO for stray in strays(pairs, settle_ms)]


def test_a_battery_that_follows_late_is_not_lost() -> None:
    ramp = [(min(9000, 500 * i), max(0, min(9000, 500 * i - 1500))) for i in range(60)]
    assert not any(run(ramp))


def test_one_that_does_not_follow_is_lost_after_settling_and_patience() -> None:
    lost = run([(0, 0)] + [(5000, 0)] * 40)
    # the zero before the change stops counting 5 s after it, at second 6; the patience begins there
    assert lost.index(True) == 6 + (5000 + PATIENCE_MS) // 1000


def test_the_wrong_sign_and_too_much_are_found_too() -> None:
    assert any(run([(3000, -3000)] * 40))
    assert any(run([(3000, 4500)] * 40))
    assert not any(run([(3000, 3900)] * 40))


def test_without_measurement_nothing_is_judged_and_nothing_forgiven() -> None:
    assert not any(run([(5000, None)] * 60))
    assert any(run([(5000, 0)] * 10 + [(5000, None)] * 10 + [(5000, 0)]))


def test_coming_back_in_time_forgives() -> None:
    assert not any(run([(5000, 0)] * 14 + [(5000, 5000)] + [(5000, 0)] * 14))


@pytest.mark.parametrize("written", [3000, -3000, 1001])
def test_the_wrong_sign_is_found_before_anything_else(written: int) -> None:
    found = strays([(written, -written)] * 40)
    assert found.index(Stray.AGAINST) == (5000 + SIGN_PATIENCE_MS) // 1000
    assert Stray.APART not in found[: found.index(Stray.AGAINST)]
    assert SIGN_PATIENCE_MS < PATIENCE_MS


def test_a_battery_that_turns_within_its_settling_time_has_no_wrong_sign() -> None:
    """It charged by its own control when the first power was written, and comes round late but in time."""
    turning = [(3000, -4000)] * 6 + [(3000, 3000)] * 30
    assert set(strays(turning)) == {Stray.NO}
    # an order turns round: the power before it is still being left
    turned = [(-4000, -4000)] * 20 + [(0, -4000)] * 3 + [(2000, -4000)] * 4 + [(2000, 2000)] * 20
    assert set(strays(turned)) == {Stray.NO}


def test_what_is_within_tolerance_has_no_direction() -> None:
    """Standby, metering offset, a taper near zero: too small to be told from nothing."""
    assert Stray.AGAINST not in strays([(900, -3000)] * 40)
    assert Stray.AGAINST not in strays([(3000, -900)] * 40)
    assert Stray.AGAINST not in strays([(0, -3000)] * 40)


def test_a_measurement_from_before_proves_nothing() -> None:
    """A device polled each 8 s: the old value stays good after the power was written and has turned."""
    trace, found = Trace(), []
    for second in range(30):
        age_s = (second + 7) % 8
        measured = 3000 if second - age_s > 1 else -4000
        trace, stray = follow(
            trace, second * 1000, 3000, measured, nameplate_w=10_000, settle_ms=3000, age_ms=age_s * 1000
        )
        found.append(stray)
    assert set(found) == {Stray.NO}


@given(st.lists(st.tuples(st.integers(-10_000, 10_000), st.integers(1, 20)), min_size=1, max_size=12))
def test_a_battery_that_follows_late_never_has_a_wrong_sign(steps: list[tuple[int, int]]) -> None:
    """Whatever is ordered and for how long: measured power is what was written 5 s ago."""
    written = [w for w, seconds in steps for _ in range(seconds)]
    late = [written[0]] * 5 + written
    assert set(strays(list(zip(written, late, strict=False)))) == {Stray.NO}


@given(st.lists(st.integers(1200, 10_000), min_size=30, max_size=60), st.sampled_from([1, -1]))
def test_a_turned_sign_is_always_found(powers: list[int], sign: int) -> None:
    assert Stray.AGAINST in strays([(sign * w, -sign * w) for w in powers])


def excess(pairs: list[tuple[int, int | None]]) -> int:
    """One (written, measured) a second: what part is beyond what was written at the end."""
    trace, found = Trace(), 0
    for second, (written, measured) in enumerate(pairs):
        trace, _ = follow(trace, second * 1000, written, measured, nameplate_w=10_000, settle_ms=5000)
        found = excess_bp(found, trace, second * 1000 - 5000, measured)
    return found


def test_what_conversion_loses_of_a_discharge_is_learned_while_it_is_steady() -> None:
    assert 250 <= excess([(5000, 5130)] * 40) <= 260
    assert excess([(5000, 5130)] * 40 + [(500, 5000), (100, 100), (0, None)] * 3) >= 250
    assert excess([(5000 - i % 7 * 30, 5130) for i in range(40)]) > 150


def test_it_is_bounded_smoothed_and_never_learned_from_a_charge_or_what_moves() -> None:
    assert excess([(5000, 9000)] * 200) <= EXCESS_BP_MAX
    assert -EXCESS_BP_MAX <= excess([(5000, 0)] * 200) < 0
    assert excess([(-5000, -4870)] * 40) == 0
    assert excess([(1000 + 400 * (i % 10), 5200) for i in range(60)]) == 0
    assert excess([(300, 340)] * 40) == 0
    assert 0 < excess([(5000, 5000)] * 20 + [(5000, 5500)]) < 300
