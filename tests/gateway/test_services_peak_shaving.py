"""Peak shaving: what the house draws beyond the agreed import, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Limits, ServiceKind
from gateway.services import LAWS, complete
from tests.gateway.services_bench import MOST, error, wish

KIND = ServiceKind.PEAK_SHAVING


@pytest.mark.parametrize(
    ("house", "least_w"), [(3000, -2000), (5000, 0), (6200, 1200), (-500, -5500), (12_000, 7000)]
)
def test_it_asks_that_at_least_what_is_over_the_import_be_discharged(house: int, least_w: int) -> None:
    wished = wish(KIND, {"import_w": 5000}, house_w=house)
    assert wished.least_w == least_w
    assert wished.power_w == 0  # it adds nothing to what others ask
    assert wished.window is None


def test_it_asks_for_no_more_than_its_power() -> None:
    assert wish(KIND, {"import_w": 5000, "power_w": 1000}, house_w=9000).least_w == 1000
    assert wish(KIND, {"import_w": 5000, "power_w": 1000}, house_w=5400).least_w == 400


def test_without_a_meter_it_does_nothing() -> None:
    assert wish(KIND, {"import_w": 5000}, battery_w=0, frequency_mhz=50_000) is None


@given(st.integers(0, 10**8), st.integers(-(10**8), 10**8))
def test_the_grid_carries_the_agreed_import_and_the_battery_the_rest(agreed: int, house: int) -> None:
    """Alone, the sum of what is asked is 0 and is lifted to what it asks at least."""
    discharged = max(0, wish(KIND, {"import_w": agreed}, house_w=house).least_w)
    assert house - discharged == min(house, agreed)


@given(st.integers(0, 10**8), st.integers(1, 10**8), st.integers(-(10**9), 10**9))
def test_it_stays_in_its_reach(agreed: int, power_w: int, house: int) -> None:
    parameters = {"import_w": agreed, "power_w": power_w}
    assert LAWS[KIND].reach(parameters, MOST) == Limits(0, power_w)
    assert wish(KIND, parameters, house_w=house).least_w <= power_w


def test_its_reach_is_whatever_the_site_may_discharge_if_it_names_no_power() -> None:
    """A house beyond that is cut by the envelope."""
    assert LAWS[KIND].reach(complete(KIND, {"import_w": 1}), MOST) == Limits(0, MOST.discharge_w)


@pytest.mark.parametrize(("grid", "off"), [(4000, 0), (5000, 0), (5300, 300), (-900, 0), (None, None)])
def test_its_error_is_what_is_imported_above_the_limit(grid: int | None, off: int | None) -> None:
    assert error(KIND, {"import_w": 5000}, 700, grid_w=grid) == off
