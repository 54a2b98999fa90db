"""Peak shaving: what the house draws beyond the agreed import, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Limits, ServiceKind
from gateway.services import LAWS
from tests.gateway.services_bench import MOST, inside_reach, target

KIND = ServiceKind.PEAK_SHAVING


@pytest.mark.parametrize(("house", "power_w"), [(3000, 0), (5000, 0), (6200, 1200), (-500, 0), (None, None)])
def test_figures(house: int | None, power_w: int | None) -> None:
    assert target(KIND, {"import_w": 5000}, house_w=house) == power_w


@given(st.integers(0, 10**8), st.integers(-(10**8), 10**8))
def test_the_grid_carries_the_agreed_import_and_the_battery_the_rest(agreed: int, house: int) -> None:
    wanted = target(KIND, {"import_w": agreed}, house_w=house)
    assert wanted >= 0  # it never charges
    assert house - wanted == min(house, agreed)


@given(st.integers(0, 10**8), st.integers(-(10**8), 8000))
def test_it_stays_in_reach_of_a_site_that_could_feed_its_house(agreed: int, house: int) -> None:
    assert inside_reach(KIND, {"import_w": agreed}, MOST, target(KIND, {"import_w": agreed}, house_w=house))


def test_its_reach_is_whatever_the_site_may_discharge() -> None:
    """It names no power of its own; a house beyond it is cut by the envelope, to `run.reach`."""
    assert LAWS[KIND].reach({"import_w": 1}, MOST) == Limits(0, MOST.discharge_w)
