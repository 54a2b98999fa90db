"""Following: the battery against what was written, cycle by cycle."""

from gateway.follow import PATIENCE_MS, Trace, follow


def run(pairs: list[tuple[int, int | None]], settle_ms: int = 5000) -> list[bool]:
    """One (written, measured) a second; whether each cycle finds it lost."""
    trace, lost = Trace(), []
    for second, (written, measured) in enumerate(pairs):
        trace, bad = follow(trace, second * 1000, written, measured, nameplate_w=10_000, settle_ms=settle_ms)
        lost.append(bad)
    return lost


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
