"""A limit of the grid connection: what the battery may add to what the house draws, either way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Limits, ServiceKind
from gateway.services import LAWS
from gateway.services.law import POWER_MAX_W
from tests.gateway.services_bench import error, wish, wrong

KIND = ServiceKind.GRID_LIMIT
LIMITS = {"import_w": 4200, "export_w": 1000}
watts = st.integers(0, 10**6)


@pytest.mark.parametrize(
    ("house", "window"),
    [
        (0, Limits(4200, 1000)),
        (3000, Limits(1200, 4000)),
        (4200, Limits(0, 5200)),
        (6000, Limits(0, 7000)),  # already over: not made worse, nor made up for
        (-600, Limits(4800, 400)),
        (-2500, Limits(6700, 0)),
    ],
)
def test_figures(house: int, window: Limits) -> None:
    assert wish(KIND, LIMITS, house_w=house).window == window


@given(watts, watts, st.integers(-(10**6), 10**6))
def test_inside_the_window_the_battery_is_never_why_a_limit_is_passed(
    import_w: int, export_w: int, house: int
) -> None:
    window = wish(KIND, {"import_w": import_w, "export_w": export_w}, house_w=house).window
    assert house + window.charge_w <= max(house, import_w)
    assert -(house - window.discharge_w) <= max(-house, export_w)


def test_zero_export_leaves_charging_alone() -> None:
    assert wish(KIND, {"export_w": 0}, house_w=-700).window == Limits(POWER_MAX_W, 0)
    assert wish(KIND, {"export_w": 0}, house_w=900).window.discharge_w == 900


def test_without_a_meter_it_is_not_known_and_not_guessed() -> None:
    assert wish(KIND, LIMITS, battery_w=0) is None


def test_a_limit_that_limits_nothing_is_refused() -> None:
    assert "it would limit nothing" in wrong(KIND, {})
    assert wrong(KIND, {"import_w": 0}) == wrong(KIND, {"export_w": 0}) == ""


@pytest.mark.parametrize(
    ("grid", "off"), [(4200, 0), (5000, 800), (0, 0), (-1000, 0), (-1600, 600), (None, None)]
)
def test_its_error_is_at_the_meter(grid: int | None, off: int | None) -> None:
    assert error(KIND, LIMITS, grid_w=grid) == off


def test_it_narrows() -> None:
    assert LAWS[KIND].narrows
