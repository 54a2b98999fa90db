"""Self-consumption: the grid carries what it is told to, the battery the rest, as far as it is asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Limits, ServiceKind
from gateway.services import LAWS, complete
from gateway.services.law import POWER_MAX_W
from tests.gateway.services_bench import MOST, error, inside_reach, power

KIND = ServiceKind.SELF_CONSUMPTION


@pytest.mark.parametrize(
    ("parameters", "house", "power_w"),
    [
        ({}, 1500, 1500),
        ({}, -2500, -2500),
        ({}, None, None),
        ({"grid_w": 200}, 1500, 1300),
        ({"grid_w": -300}, 0, 300),
        ({"power_w": 1000}, 1500, 1000),
        ({"power_w": 1000}, -2500, -1000),
    ],
)
def test_figures(parameters: dict[str, int], house: int | None, power_w: int | None) -> None:
    assert power(KIND, parameters, house_w=house) == power_w


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
def test_the_grid_ends_where_it_is_wanted(grid: int, house: int) -> None:
    assert house - power(KIND, {"grid_w": grid}, house_w=house) == grid


@given(st.integers(1, POWER_MAX_W), st.integers(-(2**63), 2**63))
def test_it_stays_in_the_reach_of_its_power(most_w: int, house: int) -> None:
    wanted = power(KIND, {"power_w": most_w}, house_w=house)
    assert inside_reach(KIND, {"power_w": most_w}, MOST, wanted)


def test_its_reach_is_the_sites_if_it_names_no_power() -> None:
    assert LAWS[KIND].reach(complete(KIND, {}), MOST) == MOST
    assert LAWS[KIND].reach(complete(KIND, {"power_w": 9}), MOST) == Limits(9, 9)


def test_its_error_is_at_the_meter() -> None:
    assert error(KIND, {"grid_w": 100}, 2000, grid_w=-50) == 150
    assert error(KIND, {}, 2000, battery_w=2000) is None
