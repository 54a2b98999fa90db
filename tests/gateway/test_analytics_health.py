"""State of health over the days: what is said before what is measured, and a pace only of enough days."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.analytics.health import Health, health, of_day
from gateway.analytics.trend import POINTS_MAX
from tests.gateway.performances import DAY_MS, performance


def test_what_the_device_says_counts_before_what_was_measured() -> None:
    assert of_day(performance(soh_bp=9000, soh_measured_bp=8000)) == 9000
    assert of_day(performance(soh_bp=None, soh_measured_bp=8000)) == 8000
    assert of_day(performance(soh_bp=None, soh_measured_bp=None)) is None


def test_a_loss_of_two_percent_a_year_has_its_pace_and_bounds() -> None:
    found = health([performance(n, soh_bp=10_000 - n * 200 // 365) for n in range(365)])
    assert found is not None and found.per_year_bp is not None
    assert abs(found.per_year_bp + 200) <= 5
    assert found.least_bp is not None and found.most_bp is not None
    assert found.least_bp <= found.per_year_bp <= found.most_bp < 0
    assert len(found.points) <= POINTS_MAX


def test_few_days_have_points_and_no_pace() -> None:
    found = health([performance(n, soh_bp=9900) for n in range(3)])
    assert found == Health(tuple((n * DAY_MS, 9900) for n in range(3)), None, None, None)


def test_days_without_it_are_left_out_and_none_of_them_is_nothing() -> None:
    unknown = performance(1, soh_bp=None, soh_measured_bp=None)
    assert health([performance(0, soh_bp=9900), unknown]) == Health(((0, 9900),), None, None, None)
    assert health([unknown]) is None and health([]) is None


@given(st.lists(st.none() | st.integers(0, 12_000), max_size=120))
def test_any_days_give_points_in_order_and_within_what_was_known(values: list[int | None]) -> None:
    days = [performance(n, soh_bp=bp, soh_measured_bp=None) for n, bp in enumerate(values)]
    known = [bp for bp in values if bp is not None]
    found = health(days)
    assert (found is None) == (not known)
    if found is not None:
        assert list(found.points) == sorted(found.points)
        assert min(known) <= min(bp for _, bp in found.points)
        assert max(bp for _, bp in found.points) <= max(known)
